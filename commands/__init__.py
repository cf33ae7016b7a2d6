"""The command line, one file per command: parser, help text, behaviour. Heavy libraries are imported when a command runs."""

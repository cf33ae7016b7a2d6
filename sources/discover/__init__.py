"""What a database looks like to one who knows nothing of it: what its columns hold, which rows are patients, what belongs to them.
It reads any `sources.view.View` and writes a mapping folder to start from. Nothing of it runs in an extraction, and no value of a
record leaves it: shapes, counts and natures do."""

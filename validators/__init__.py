"""Pure checks: tables in, verdicts out. Nothing is changed, nothing is sent, nothing is dropped."""

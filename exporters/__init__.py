"""Values in, bytes or an iterator of (path, chunks) out. The clock and the identifiers are arguments; nothing is decided here."""

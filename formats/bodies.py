"""Reading the store of document bodies, `ab/abcdef…` named by SHA-256. Writing it belongs to `sources.bodies`."""

from __future__ import annotations

import hashlib
from io import FileIO
from pathlib import Path


def read_body(folder: Path, digest: str) -> bytes | None:
    """The body whose bytes have that SHA-256 (hexadecimal, lower case); None when the store lost or spoilt it."""
    try:
        # Without a Path for each: a feeder reads thousands.
        with FileIO(f"{folder}/{digest[:2]}/{digest}") as file:
            data = file.readall()
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == digest else None

"""What was done with the messages of a mailbox: one line each in a private file, so that a message is dealt with once.

A line holds a digest of the Message-ID, what the message was and what was kept of it; what it says of our own sendings is an event of
the ledger. A line is on the disk before the next message is looked at; a last line cut short is forgotten, and its message read again.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import orjson

from transvase.errors import OutputUnwritable
from transvase.formats import files


def digest(message_id: str) -> str:
    """How a message is named here: by a digest, since a foreign Message-ID may hold a name."""
    return hashlib.sha256(message_id.encode()).hexdigest()[:32]


class Handled:
    """The journal of one mailbox for one purpose."""

    def __init__(self, path: Path) -> None:
        files.private_folder(path.parent)
        self._path = path
        self._seen: set[str] = set()
        try:
            whole = path.read_bytes() if path.is_file() else b""
            end = whole.rfind(b"\n") + 1
            for line in whole[:end].splitlines():
                self._seen.add(str(orjson.loads(line)["message"]))
            if end < len(whole):
                os.truncate(path, end)
        except OSError as error:
            raise files.output_error(error, path) from None
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise OutputUnwritable(path=path.name, reason="damaged line") from None

    def __contains__(self, message: str) -> bool:
        return message in self._seen

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, message: str, what: str, **facts: Any) -> None:
        """Write that a message (its digest) was dealt with."""
        line = orjson.dumps({"message": message, "what": what, **facts}) + b"\n"
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
            with os.fdopen(handle, "ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise files.output_error(error, self._path) from None
        self._seen.add(message)

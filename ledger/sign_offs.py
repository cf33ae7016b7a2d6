"""Sign-offs of an assessment: who accepted what, when, and what exactly they had seen. One line of JSON each, appended, each with the
digest of the one before it; a line is never changed, and one that was is not believed, nor are those after it.

What can be signed, and what was seen, belongs to `reports.assessment`.
"""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import orjson

from transvase.formats.files import output_error, private_folder

FILE = "sign-offs.jsonl"


class SignOff(NamedTuple):
    """A sign-off: its class, who and why, when (ISO with its offset), and the digest of the facts that were seen."""

    kind: str
    by: str
    reason: str
    at: str
    facts: str


class Record(NamedTuple):
    """The sign-offs that can be believed, in order, and whether the file holds others after them."""

    signed: tuple[SignOff, ...]
    broken: bool

    def holding(self, kind: str, facts: str) -> SignOff | None:
        """The last sign-off of a class for these very facts."""
        return next((s for s in reversed(self.signed) if (s.kind, s.facts) == (kind, facts)), None)


def read(folder: Path) -> Record:
    """The record of a folder; empty when there is none. OutputUnwritable when it cannot be opened."""
    try:
        lines = (folder / FILE).read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return Record((), False)
    except OSError as error:
        raise output_error(error, folder / FILE) from None
    signed: list[SignOff] = []
    before = ""
    for line in lines:
        try:
            told = orjson.loads(line)
            one = SignOff(*(str(told[name]) for name in SignOff._fields))
            intact = line.endswith(b"\n") and told["before"] == before
        except (orjson.JSONDecodeError, KeyError, TypeError):
            intact = False
        if not intact:
            return Record(tuple(signed), True)
        signed.append(one)
        before = hashlib.sha256(line).hexdigest()
    return Record(tuple(signed), False)


def sign(folder: Path, kind: str, by: str, reason: str, clock: datetime, facts: str) -> SignOff:
    """Append a sign-off to a record that is not broken, synced before it counts. `clock` is aware. DiskFull, OutputUnwritable."""
    private_folder(folder)
    path = folder / FILE
    one = SignOff(kind, by, reason, clock.isoformat(), facts)
    try:
        lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
        before = hashlib.sha256(lines[-1]).hexdigest() if lines else ""
        line = orjson.dumps({**one._asdict(), "before": before}) + b"\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise output_error(error, path) from None
    return one

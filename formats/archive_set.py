"""Reading the set manifest `PA….SET.JSON` that stands beside the archives of one export: shapes are checked, nothing of it is trusted.
Writing it belongs to `exporters.archive_set`; comparing it with the archives to `validators.archive_set`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import orjson

FORMAT = "transvase-set-1"
SUFFIX = ".SET.JSON"
# A million dossiers take 70 MB.
_MOST_BYTES = 300_000_000
_ARCHIVE = re.compile(r"PA\d{8}T\d{6}\.ZIP")
_FILE = re.compile(r"PA\d{8}T\d{6}\.ZIP(?:\.age|\.p7m)?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COUNTS = ("size", "patients", "documents", "rows", "cells", "delivery")


class SetUnreadable(ValueError):
    """Not a set manifest of the documented shape."""


class Listed(NamedTuple):
    """An archive of the set: name of the plain archive, file delivered, SHA-256 of the one and the other, bytes of the file, counts, the
    delivery it belongs to, and the SHA-256 of each dossier (PATnnnnn.ZIP) in order."""

    name: str
    file: str
    sha256: str
    file_sha256: str
    size: int
    patients: int
    documents: int
    rows: int
    cells: int
    delivery: int
    dossiers: tuple[str, ...]


class SetManifest(NamedTuple):
    """A set; `deliveries` is how many are planned, `delivery` the last that this manifest knows, `rest_due` when the rest is due (ISO,
    empty when nothing is)."""

    set_id: str
    delivery: int
    deliveries: int
    rest_due: str
    archives: tuple[Listed, ...]
    totals: dict[str, int]


def read(path: Path) -> SetManifest:
    """The set manifest of a file. SetUnreadable for anything else."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise SetUnreadable("too large")
        content = orjson.loads(path.read_bytes())
        if content["format"] != FORMAT:
            raise SetUnreadable("another format")
        found = SetManifest(
            _text(content["set"]),
            _count(content["delivery"]),
            _count(content["deliveries"]),
            _text(content["rest_due"]),
            tuple(map(_listed, content["archives"])),
            {n: _count(content["totals"][n]) for n in ("archives", "patients", "documents", "rows", "cells")},
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise SetUnreadable("the set manifest cannot be read") from None
    if not found.archives:
        raise SetUnreadable("no archive")
    return found


def _listed(content: Any) -> Listed:
    dossiers = tuple(map(_digest, content["dossiers"]))
    name, file = content["name"], content["file"]
    # Names lead to files of the folder: no other form is followed.
    if not _ARCHIVE.fullmatch(name) or not _FILE.fullmatch(file) or not file.startswith(name):
        raise SetUnreadable("a name")
    size, patients, documents, rows, cells, delivery = (_count(content[n]) for n in _COUNTS)
    plain, delivered = _digest(content["sha256"]), _digest(content["file_sha256"])
    return Listed(name, file, plain, delivered, size, patients, documents, rows, cells, delivery, dossiers)


def _digest(value: Any) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise SetUnreadable("a digest")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise SetUnreadable("a text")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise SetUnreadable("a count")
    return value

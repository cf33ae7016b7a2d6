"""Where imported rows and bodies go, whatever they come from: every canonical table open at once, the store, and the list of what
could not be read. Rows wait in small lots, so that memory does not grow with the archive.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from transvase.formats.bodies import read_body
from transvase.model.table import Kind, Table
from transvase.model.tables import TABLES
from transvase.sources.bodies import Bodies
from transvase.sources.tables import TableWriter

# Rows waiting in all tables together.
_LOT = 8192
EMPTY = hashlib.sha256(b"").hexdigest()

Row = tuple[Any, ...]


class Sink:
    """The tables under construction in `folder` and the store `bodies`, as a context: on a clean end the tables are written.

    `unread` holds one sentence per thing that could not be read, by reference; `in_documents` what was read and that no table holds, so
    that it stays in its document alone: one sentence per kind, counted."""

    def __init__(self, folder: Path, bodies: Bodies) -> None:
        self._stack = ExitStack()
        self._folder = folder
        self._bodies = bodies
        self._writers: dict[str, TableWriter] = {}
        self._waiting: dict[str, list[Row]] = {name: [] for name in TABLES}
        self._held = 0
        self.unread: list[str] = []
        self.in_documents: list[str] = []
        self.bodies = 0

    def __enter__(self) -> Sink:
        self._writers = {n: self._stack.enter_context(TableWriter(t, self._folder)) for n, t in TABLES.items()}
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self._flush()
        self._stack.__exit__(kind, error, trace)

    def add(self, table: str, rows: list[Row]) -> None:
        """Rows of a table, in declared column order and of the declared types."""
        self._waiting[table] += rows
        self._held += len(rows)
        if self._held >= _LOT:
            self._flush()

    def _flush(self) -> None:
        for name, rows in self._waiting.items():
            if rows:
                self._writers[name].add(rows)
                rows.clear()
        self._held = 0

    @property
    def rows(self) -> dict[str, int]:
        """Rows added so far by table."""
        return {n: w.rows + len(self._waiting[n]) for n, w in self._writers.items()}

    def holds(self, digest: str) -> bool:
        """Whether the store has that body, intact; a spoilt one is removed, so that keeping it again repairs it."""
        if read_body(self._bodies.folder, digest) is not None:
            return True
        self._bodies.path(digest).unlink(missing_ok=True)
        return False

    def keep(self, body: bytes) -> str:
        """Put a body in the store; its SHA-256."""
        self.bodies += 1
        return self._bodies.add(body)


def row_of(table: Table, values: Any) -> Row | None:
    """A row from a JSON object: exactly the declared columns, each null or of its type; None for anything else."""
    if not isinstance(values, dict) or len(values) != len(table.columns):
        return None
    out = []
    for column in table.columns:
        value = values.get(column.name, values)
        if value is not None:
            if column.kind is Kind.FLAG:
                good = isinstance(value, bool)
            elif column.kind is Kind.INTEGER:
                good = type(value) is int and -(2**63) <= value < 2**63
            else:
                good = isinstance(value, str)
            if not good:
                return None
        out.append(value)
    return tuple(out)

"""What extraction asks of a practice's database, whatever engine holds it: one read-only, consistent view. Each engine is a module
of `sources.engines` that offers `opened(...)`, a context giving such a view; nothing here knows an engine.

Values arrive as Python values in tuples, exactly as stored: None, bool, int, float, str or bytes. What a driver would round, cut or
turn into something else (decimals, dates, zero dates, unsigned numbers, arrays, JSON) is read as the text the engine itself writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol


class SourceColumn(NamedTuple):
    """A column as the engine declares it: its name, and its type in the engine's own words (empty when it declares none)."""

    name: str
    type: str


class Rows(NamedTuple):
    """The answer to a query: column names in order, and batches of rows."""

    names: tuple[str, ...]
    batches: Iterator[list[tuple[Any, ...]]]


class Whole(NamedTuple):
    """A table read whole: what it gives is a key as text, then each column in stored order; `types` are the Python types of the columns
    (bool, int, float, str or bytes), every value being of its column's type or None."""

    types: tuple[type, ...]
    batches: Iterator[list[tuple[Any, ...]]]


class Tables(Protocol):
    """A practice's database of which only whole tables are asked, in the plainest SQL: any dialect can give them, and `copied` makes a
    View of it. Its methods raise SourceUnreadable, SourceLocked, SourceUnreachable."""

    # As in a View; and the engine, for messages.
    name: str
    kind: str

    def tables(self) -> Mapping[str, tuple[SourceColumn, ...]]:
        """As in a View."""

    def count(self, table: str) -> int:
        """Rows of a table, counted by the engine."""

    def whole(self, table: str, size: int) -> Whole:
        """Every row of a table, in batches of at most `size`. One reading at a time."""


class View(Protocol):
    """A practice's database held still. Its methods raise SourceUnreadable, SourceLocked; a fault in the text of a query is a
    `QueryFault`."""

    # How messages and manifests name this source: a file name, or `database@server`; never a user or a password.
    name: str

    def tables(self) -> Mapping[str, tuple[SourceColumn, ...]]:
        """Tables that hold the practice's data, in order of name, with their columns in stored order."""

    def count(self, table: str) -> int:
        """Rows of a table, counted by the engine."""

    def codes(self, codes: Mapping[str, Sequence[tuple[str, str, str]]]) -> None:
        """Make `map_<name>` (local, code, reason: texts) available to the queries that follow. ValueError on a repeated local code."""

    def query(self, sql: str, size: int) -> Rows:
        """Run one query of a mapping, read in batches of at most `size` rows."""

    def rows(self, table: str, columns: Sequence[str], size: int) -> Rows:
        """Every row of a table: its key as text first (the primary key's columns joined by `|`, else the engine's row number), then
        the given columns as stored."""


class QueryFault(Exception):
    """A query of the mapping is wrong (syntax, unknown name, not a query); the message is the engine's own first line, which speaks of
    the text of the query and never of a value."""

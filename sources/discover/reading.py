"""The few questions that discovery asks of an engine, in its SQL: the first rows of a table with long values cut in their middle, and
how many distinct values a column has. What the answers say is not here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from transvase.errors import SourceUnreadable
from transvase.sources.connection import COPIED
from transvase.sources.engines import mariadb
from transvase.sources.sqlite import quoted as standard
from transvase.sources.view import QueryFault, SourceColumn, View

# A long value is read by its ends: its nature shows there, and bodies of some MB would make the reading anything but gentle.
HEAD, TAIL = 65_536, 4_096
# Characters and bytes after which a table is read no further: some thousands of documents say what a column of documents holds.
HEAVY = 128 << 20
# Rows that tell how heavy the others are.
_PROBE = 100
# Rows read together: with several bodies in a row, some tens of MB.
BATCH = 200
_BATCH_UNCUT = 16
_LONG = re.compile(r"text|clob|blob|bytea|json|xml|char(?!acter\(\d)|binary|string", re.IGNORECASE)
_BINARY = re.compile(r"blob|binary|bytea", re.IGNORECASE)


def quoted(kind: str, name: str) -> str:
    """An identifier in the engine's SQL."""
    return mariadb.quoted(name) if kind == "mariadb" else standard(name)


def place_of(kind: str, table: str) -> str:
    """A table in the engine's SQL."""
    if kind == "duckdb" and "." in table:
        return ".".join(map(standard, table.split(".", 1)))
    return quoted(kind, table)


def first_rows(
    view: View, kind: str, table: str, columns: Sequence[SourceColumn], limit: int
) -> Iterator[list[tuple[Any, ...]]]:
    """At most `limit` rows of a table, in batches, fewer of heavy ones. SourceUnreadable names the table."""
    kept = ", ".join(f"{_cut(kind, c)} AS {quoted(kind, c.name)}" for c in columns)
    uncut = kind in ("duckdb", "tabular", *COPIED) and any(_BINARY.search(c.type) for c in columns)
    text = f"SELECT {kept} FROM {place_of(kind, table)} LIMIT "
    if kind == "mariadb" and limit > _PROBE and any(_LONG.search(c.type) for c in columns):
        # This server writes the whole answer aside before the first row leaves.
        weight = sum(map(weight_of, _answer(view, table, f"{text}{_PROBE}", BATCH)))
        limit = min(limit, max(_PROBE, _PROBE * HEAVY // max(weight, 1)))
    weight = 0
    for batch in _answer(view, table, f"{text}{limit:d}", _BATCH_UNCUT if uncut else BATCH):
        yield batch
        if (weight := weight + weight_of(batch)) > HEAVY:
            return


def weight_of(rows: Sequence[tuple[Any, ...]]) -> int:
    """Characters and bytes of some rows."""
    return sum(len(value) for row in rows for value in row if isinstance(value, str | bytes))


def all_values(view: View, kind: str, table: str, column: str) -> Iterator[list[tuple[Any, ...]]]:
    """One column of a whole table, in batches."""
    name = quoted(kind, column)
    yield from _answer(view, table, f"SELECT {name} FROM {place_of(kind, table)}", 8192)


def unique(view: View, kind: str, table: str, columns: Sequence[str]) -> dict[str, bool]:
    """Whether each column has a value in every row, never the same twice: counted by the engine, a query for each column."""
    found = {}
    for column in columns:
        name = quoted(kind, column)
        text = f"SELECT COUNT(*) AS a, COUNT({name}) AS b, COUNT(DISTINCT {name}) AS c FROM {place_of(kind, table)}"
        try:
            ((rows, filled, distinct),) = [line for batch in view.query(text, 1).batches for line in batch]
        except QueryFault:
            # PostgreSQL does not compare JSON, XML or points.
            found[column] = False
        else:
            found[column] = int(rows) == int(filled) == int(distinct)
    return found


def _answer(view: View, table: str, text: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
    try:
        yield from view.query(text, size).batches
    except QueryFault:
        raise SourceUnreadable(
            path=view.name, kind="SQL", reason=f"table {table} does not answer a plain query"
        ) from None


def _cut(kind: str, column: SourceColumn) -> str:
    """SQL of a column, its long values cut to HEAD and TAIL."""
    name = quoted(kind, column.name)
    if kind == "sqlite":
        # Any column may hold anything; a number must stay one.
        size, ends = f"length({name})", f"substr({name}, 1, {HEAD}) || substr({name}, -{TAIL})"
        return (
            f"CASE typeof({name}) WHEN 'blob' THEN CASE WHEN {size} > {HEAD + TAIL} THEN CAST({ends} AS BLOB) ELSE {name} END "
            f"WHEN 'text' THEN CASE WHEN {size} > {HEAD + TAIL} THEN {ends} ELSE {name} END ELSE {name} END"
        )
    if not _LONG.search(column.type) or column.type.endswith("[]"):
        return name
    binary = _BINARY.search(column.type) is not None
    if kind == "mariadb":
        size, ends = f"CHAR_LENGTH({name})", f"CONCAT(LEFT({name}, {HEAD}), RIGHT({name}, {TAIL}))"
    elif kind == "postgresql":
        name = name if binary else f"{name}::text"
        size = f"octet_length({name})" if binary else f"length({name})"
        ends = f"substr({name}, 1, {HEAD}) || substr({name}, {size} - {TAIL - 1})"
    elif binary:
        return name
    else:
        name = f"CAST({name} AS VARCHAR)"
        size, ends = f"length({name})", f"left({name}, {HEAD}) || right({name}, {TAIL})"
    return f"CASE WHEN {size} > {HEAD + TAIL} THEN {ends} ELSE {name} END"

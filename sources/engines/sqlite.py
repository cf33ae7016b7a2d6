"""SQLite files as a View. Opening the file in one snapshot, its texts and its errors belong to `sources.sqlite`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transvase.sources.engines.batches import by_weight
from transvase.sources.engines.maps import refuse_repeated
from transvase.sources.sqlite import key_expression, quoted, schema, snapshot, translated
from transvase.sources.view import QueryFault, Rows, SourceColumn, View

# Rows passed over together when a statement is read again.
_PASSED = 256


@contextmanager
def opened(path: Path) -> Iterator[View]:
    """The SQLite file `path` in one snapshot. Values keep the class SQLite stored them in; a text that is not UTF-8 is read as
    Windows-1252. Raises SourceMissing, SourceUnreadable, SourceLocked."""
    with snapshot(path) as connection:
        yield _View(connection, path)


class _View:
    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.name = path.name
        self._path = path
        self._connection = connection

    def tables(self) -> Mapping[str, tuple[SourceColumn, ...]]:
        return {
            table: tuple(
                SourceColumn(name, kind)
                for _, name, kind, *_ in self._connection.execute(f"PRAGMA table_info({quoted(table)})")
            )
            for table in schema(self._connection)
        }

    def count(self, table: str) -> int:
        try:
            (rows,) = self._connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()
        except sqlite3.Error as error:
            raise translated(error, self._path) from None
        return int(rows)

    def codes(self, codes: Mapping[str, Sequence[tuple[str, str, str]]]) -> None:
        refuse_repeated(codes)
        for name, lines in codes.items():
            table = quoted("map_" + name)
            self._connection.execute(f"CREATE TEMP TABLE {table} (local TEXT PRIMARY KEY, code TEXT, reason TEXT)")
            self._connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", lines)

    def query(self, sql: str, size: int) -> Rows:
        try:
            cursor = self._connection.execute(sql)
        except (sqlite3.Error, sqlite3.Warning) as error:
            # Faults of the text itself: syntax, names, two statements, a parameter, a write. Anything else is the database's.
            if getattr(error, "sqlite_errorname", "SQLITE_ERROR") in ("SQLITE_ERROR", "SQLITE_READONLY"):
                raise QueryFault(str(error).partition("\n")[0]) from None
            assert isinstance(error, sqlite3.Error)
            raise translated(error, self._path) from None
        if cursor.description is None:
            raise QueryFault("it is not a query")
        return Rows(tuple(d[0] for d in cursor.description), self._batches(cursor, sql, size))

    def rows(self, table: str, columns: Sequence[str], size: int) -> Rows:
        key = key_expression(self._connection, table)
        sql = f"SELECT {', '.join([key, *map(quoted, columns)])} FROM {quoted(table)}"
        try:
            cursor = self._connection.execute(sql)
        except sqlite3.Error as error:
            raise translated(error, self._path) from None
        return Rows(("key", *columns), self._batches(cursor, sql, size, weighed=bool(columns)))

    def _batches(
        self, cursor: sqlite3.Cursor, sql: str, size: int, weighed: bool = False
    ) -> Iterator[list[tuple[Any, ...]]]:
        reading = _Reading(self._connection, cursor, sql)
        try:
            if weighed:
                yield from by_weight(reading.fetch, size)
                return
            while rows := reading.fetch(size):
                yield rows
        except sqlite3.Error as error:
            raise translated(error, self._path) from None


class _Reading:
    """Rows of one statement. Texts are decoded by the standard module, three times faster than by a function of ours, up to the first that
    is not UTF-8: the statement is then read again from there on with ours. One snapshot, one plan: the rows come in the same order."""

    def __init__(self, connection: sqlite3.Connection, cursor: sqlite3.Cursor, sql: str) -> None:
        self._connection, self._cursor, self._sql = connection, cursor, sql
        self._given = 0
        self._plain = True

    def fetch(self, size: int) -> list[tuple[Any, ...]]:
        """The next rows, at most `size`; none at the end."""
        if self._plain:
            # Set for the time of a call: names of tables, and other readings, are decoded by ours.
            before, self._connection.text_factory = self._connection.text_factory, str
            try:
                rows = self._cursor.fetchmany(size)
                self._given += len(rows)
                return rows
            except sqlite3.OperationalError as error:
                # Its text quotes the value, and is not kept. Faults of the file bear a code of SQLite.
                if getattr(error, "sqlite_errorname", ""):
                    raise
            finally:
                self._connection.text_factory = before
            self._plain = False
            self._cursor = self._connection.execute(self._sql)
            left = self._given
            while left:
                left -= len(self._cursor.fetchmany(min(left, _PASSED)))
        return self._cursor.fetchmany(size)

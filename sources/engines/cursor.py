"""Whole tables read through a driver's cursor (PEP 249), for the engines that `copied` makes a View of: what ODBC, SQL Server and
Firebird share. How each asks for its catalogue, and what its driver makes of a type, belongs to the engine's module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any, NamedTuple

from transvase.errors import TransvaseError
from transvase.sources.view import SourceColumn, Whole


class Form(NamedTuple):
    """How a column is read: the SQL that names it, the Python type of its values, what is made of a value that is not null."""

    sql: str
    type: type
    made: Callable[[Any], Any] | None = None


class Table(NamedTuple):
    """A table of the catalogue: the SQL that names it, its columns as declared, those of its primary key in the key's order."""

    place: str
    columns: tuple[SourceColumn, ...]
    key: tuple[str, ...]


class CursorTables:
    """A `sources.view.Tables` of a connection. `forms` tells how the columns of a table are read, in their order; `translated` makes our
    error of one of `broken`, the driver's: its own words quote values and go nowhere."""

    def __init__(
        self,
        name: str,
        kind: str,
        found: Mapping[str, Table],
        cursor: Callable[[], Any],
        forms: Callable[[str, Table], list[Form]],
        broken: tuple[type[BaseException], ...],
        translated: Callable[[BaseException], TransvaseError],
    ) -> None:
        self.name = name
        self.kind = kind
        self._found = dict(sorted(found.items()))
        self._cursor = cursor
        self._forms = forms
        self._broken = broken
        self._translated = translated

    def tables(self) -> Mapping[str, tuple[SourceColumn, ...]]:
        """Tables and their columns, as found."""
        return {name: table.columns for name, table in self._found.items()}

    def count(self, table: str) -> int:
        """Rows of a table."""
        with self._errors():
            cursor = self._cursor()
            try:
                cursor.execute(f"SELECT COUNT(*) FROM {self._found[table].place}")
                return int(cursor.fetchone()[0])
            finally:
                cursor.close()

    def whole(self, table: str, size: int) -> Whole:
        """A table's rows: key first, the primary key's columns joined by `|`, else the number of the row among those read, from 1."""
        found = self._found[table]
        with self._errors():
            forms = self._forms(table, found)
        places = {column.name: place for place, column in enumerate(found.columns)}
        key = [places[name] for name in found.key]
        sql = f"SELECT {', '.join(f.sql for f in forms)} FROM {found.place}"
        return Whole(tuple(f.type for f in forms), self._batches(sql, forms, key, size))

    def _batches(self, sql: str, forms: list[Form], key: list[int], size: int) -> Iterator[list[tuple[Any, ...]]]:
        made = [(place, form.made) for place, form in enumerate(forms) if form.made]
        read = 0
        with self._errors():
            cursor = self._cursor()
            cursor.execute(sql)
        try:
            while True:
                with self._errors():
                    rows = cursor.fetchmany(size)
                if not rows:
                    return
                out = []
                for number, row in enumerate(rows, read + 1):
                    values = list(row)
                    for place, make in made:
                        if values[place] is not None:
                            values[place] = make(values[place])
                    name = "|".join([as_key(values[place]) for place in key]) if key else str(number)
                    out.append((name, *values))
                read += len(rows)
                yield out
        finally:
            with suppress(*self._broken):
                cursor.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._broken as error:
            raise self._translated(error) from None


def as_key(value: Any) -> str:
    """A value as a part of a row's name: bytes in hexadecimal, a null as nothing."""
    if isinstance(value, bytes):
        return value.hex().upper()
    return "" if value is None else str(int(value) if isinstance(value, bool) else value)


def plain(value: Decimal) -> str:
    """A decimal with every digit that is stored, and no exponent."""
    return format(value, "f")

"""DuckDB files as a View, and the reading of any DuckDB connection, which `tabular` shares. What a folder of files becomes in DuckDB
belongs to `tabular`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from transvase.errors import SourceLocked, SourceMissing, SourceUnreadable
from transvase.sources.engines.batches import by_weight
from transvase.sources.engines.maps import as_values
from transvase.sources.sqlite import quoted
from transvase.sources.view import QueryFault, Rows, SourceColumn, View

# One thread keeps the order of rows; sorts beyond this go to the scratch folder. A single value of some hundred MB still fits.
SETTINGS = {
    "memory_limit": "1GB",
    "threads": 1,
    "enable_external_file_cache": False,
    "autoinstall_known_extensions": False,
}
# Rows after which the blocks of the file that were read are let go, and the memory left to them.
_FORGET, _LEAST = 250_000, "16MB"
_PLAIN = frozenset(
    {"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "DOUBLE", "VARCHAR", "BLOB"}
)  # fmt: skip


@contextmanager
def opened(path: Path, scratch: Path) -> Iterator[View]:
    """The DuckDB file `path`, read only: while it is open no program may write it. `scratch` is a private folder for sorts that memory
    does not hold. A table outside the schema `main` is named `schema.table`; views are left out.

    Booleans, whole numbers of 64 bits and less, floats, texts and bytes come as such; any other type, BIGINT UNSIGNED included, as the
    text DuckDB writes, time stamps with a time zone in UTC. A row without primary key is named by its `rowid`.

    Raises SourceMissing, SourceUnreadable, SourceLocked when another program has the file open for writing."""
    if not path.is_file():
        raise SourceMissing(path=path.name)
    with duckdb.connect(config={**SETTINGS, "temp_directory": str(scratch)}) as base:
        try:
            base.execute(f"ATTACH '{literal(path)}' AS source (READ_ONLY)")
            base.execute("USE source")
            base.execute("SET TimeZone = 'UTC'")
            # A query reads this database and nothing else of the machine.
            base.execute("SET enable_external_access = false")
            columns, keys = _catalog(base)
        except duckdb.Error as error:
            words = str(error).lower()
            if "could not set lock" in words or "conflicting lock" in words or "already attached" in words:
                raise SourceLocked(path=path.name) from None
            raise unreadable(error, path.name, "DuckDB") from None
        yield DuckView(base, path.name, "DuckDB", columns, keys)


def _catalog(
    base: duckdb.DuckDBPyConnection,
) -> tuple[dict[str, tuple[SourceColumn, ...]], dict[str, tuple[str, str]]]:
    """Tables with their columns; and for each, the SQL that names it and the SQL of its key."""
    tables = base.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'source' AND NOT internal"
    ).fetchall()
    primary = {
        (s, t): tuple(names)
        for s, t, names in base.execute(
            "SELECT schema_name, table_name, constraint_column_names FROM duckdb_constraints() "
            "WHERE database_name = 'source' AND constraint_type = 'PRIMARY KEY'"
        ).fetchall()
    }
    columns, keys = {}, {}
    for name, schema, table in sorted((t if s == "main" else f"{s}.{t}", s, t) for s, t in tables):
        columns[name] = tuple(
            SourceColumn(*line)
            for line in base.execute(
                "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = 'source' "
                "AND schema_name = ? AND table_name = ? ORDER BY column_index",
                [schema, table],
            ).fetchall()
        )
        key = " || '|' || ".join(f"CAST({quoted(c)} AS VARCHAR)" for c in primary.get((schema, table), ()))
        hidden = any(c.name.lower() == "rowid" for c in columns[name])
        number = "row_number() OVER ()" if hidden else "rowid"
        keys[name] = (f"source.{quoted(schema)}.{quoted(table)}", key or f"CAST({number} AS VARCHAR)")
    return columns, keys


class DuckView:
    """A View of a DuckDB connection whose tables are told: `columns` of each, and `places`, the SQL that names a table and the SQL of
    its key. Several readings may go on at once."""

    def __init__(
        self,
        base: duckdb.DuckDBPyConnection,
        name: str,
        kind: str,
        columns: Mapping[str, tuple[SourceColumn, ...]],
        places: Mapping[str, tuple[str, str]],
    ) -> None:
        self.name = name
        self._base = base
        self._kind = kind
        self._columns = columns
        self._places = places
        self._maps = ""

    def tables(self) -> Mapping[str, tuple[SourceColumn, ...]]:
        """Tables and their columns, as told."""
        return self._columns

    def count(self, table: str) -> int:
        """Rows of a table."""
        try:
            ((rows,),) = self._cursor().execute(f"SELECT count(*) FROM {self._places[table][0]}").fetchall()
        except duckdb.Error as error:
            raise unreadable(error, self.name, self._kind) from None
        return int(rows)

    def codes(self, codes: Mapping[str, Sequence[tuple[str, str, str]]]) -> None:
        """Code mappings, put before each query that follows."""
        self._maps = as_values(codes)

    def query(self, sql: str, size: int) -> Rows:
        """A query's rows; QueryFault when it is not one valid query."""
        sql = sql.rstrip().rstrip(";")
        cursor = self._cursor()
        try:
            text = f"{self._maps}SELECT * FROM (\n{sql}\n) AS q"
            # Alone and then in its parentheses: neither a second statement nor the bare name of a table passes.
            for part in (sql, text):
                if [s.type for s in cursor.extract_statements(part)] != [duckdb.StatementType.SELECT]:
                    raise QueryFault("it is not one query")
            described = cursor.execute(f"DESCRIBE {text}").fetchall()
        except duckdb.IOException as error:
            raise unreadable(error, self.name, self._kind) from None
        except duckdb.Error as error:
            # Nothing but the text of the query was looked at yet.
            raise QueryFault(str(error).partition("\n")[0]) from None
        aliases = [f"c{place}" for place in range(len(described))]
        kept = ", ".join(_expression(alias, line[1]) for alias, line in zip(aliases, described, strict=True))
        text = f"{self._maps}SELECT {kept} FROM (\n{sql}\n) AS q({', '.join(aliases)})"
        return Rows(tuple(line[0] for line in described), self._batches(cursor, text, size))

    def rows(self, table: str, columns: Sequence[str], size: int) -> Rows:
        """A table's rows, key first."""
        declared = dict(self._columns[table])
        source, key = self._places[table]
        kept = ", ".join([key, *(_expression(quoted(c), declared[c]) for c in columns)])
        return Rows(
            ("key", *columns),
            self._batches(self._cursor(), f"SELECT {kept} FROM {source}", size, weighed=bool(columns)),
        )

    def _forget(self) -> None:
        """DuckDB keeps what it read of its file up to the limit of memory, and lets it go when the limit is lowered."""
        # No query of a mapping reaches here: only SELECT passes, and no SELECT sets anything.
        base = self._base.cursor()
        with suppress(duckdb.Error):
            # Refused while a sort holds more than that; then it is for the next time.
            base.execute(f"SET memory_limit = '{_LEAST}'")
        base.execute(f"SET memory_limit = '{SETTINGS['memory_limit']}'")

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        cursor = self._base.cursor()
        # A new cursor begins in the schema of the memory, not where the first one went.
        cursor.execute(self._start())
        return cursor

    def _start(self) -> str:
        return "USE source" if self._kind == "DuckDB" else "USE memory"

    def _batches(
        self, cursor: duckdb.DuckDBPyConnection, text: str, size: int, weighed: bool = False
    ) -> Iterator[list[tuple[Any, ...]]]:
        try:
            cursor.execute(text)
            read = 0
            for rows in by_weight(cursor.fetchmany, size) if weighed else iter(lambda: cursor.fetchmany(size), []):
                yield rows
                read += len(rows)
                if read >= _FORGET and self._kind == "DuckDB":
                    self._forget()
                    read = 0
        except duckdb.Error as error:
            raise unreadable(error, self.name, self._kind) from None
        finally:
            cursor.close()


def _expression(place: str, kind: str) -> str:
    if kind in _PLAIN:
        return place
    # The shortest decimal of a single-precision number, not its double.
    return f"CAST(CAST({place} AS VARCHAR) AS DOUBLE)" if kind == "FLOAT" else f"CAST({place} AS VARCHAR)"


def literal(path: Path) -> str:
    """A path inside quotes, for SQL."""
    return str(path).replace("'", "''")


def unreadable(error: duckdb.Error, name: str, kind: str) -> SourceUnreadable:
    """Our error for DuckDB's; its own text may quote values and is not kept."""
    return SourceUnreadable(path=name, kind=kind, reason=type(error).__name__)

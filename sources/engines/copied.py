"""A View of a database whose own SQL is not asked: each table that a query names is copied once, whole, into a private Parquet file, and
the query runs in DuckDB. Mappings for ODBC, SQL Server and Firebird are so written in one dialect, DuckDB's, whatever the product.

Reading the tables belongs to each engine (`sources.view.Tables`), querying to `duckdb_file`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from transvase.errors import SourceUnreadable
from transvase.formats import files
from transvase.sources.engines.duckdb_file import SETTINGS, DuckView, literal
from transvase.sources.sqlite import quoted
from transvase.sources.view import Rows, SourceColumn, Tables, View

# Rows fetched together: a document of some MB may stand in each.
FETCHED = 32
# Rows, and bytes of texts and bodies, after which what was fetched is written.
GROUP, WEIGHT = 16_384, 16 << 20
_ARROW = {
    bool: (pa.bool_(), "BOOLEAN"),
    int: (pa.int64(), "BIGINT"),
    float: (pa.float64(), "DOUBLE"),
    str: (pa.string(), "VARCHAR"),
    bytes: (pa.binary(), "BLOB"),
}


@contextmanager
def copied(source: Tables, scratch: Path) -> Iterator[View]:
    """The View of `source`, its tables copied under `scratch` as queries name them; what is put there goes at the end.

    Queries are DuckDB's, and read the key of a row as the column `rowid` (`_rowid_`, `oid` when the table has such a one). A table
    outside the schema where the product's tables stand is named `"schema.table"`.

    Raises SourceUnreadable for a table whose rows are not those that the engine counts: it was written meanwhile, and the engine keeps no
    snapshot."""
    held = scratch / "copied"
    shutil.rmtree(held, ignore_errors=True)
    files.private_folder(held)
    try:
        with duckdb.connect(config={**SETTINGS, "temp_directory": str(held / "spill")}) as base:
            base.execute("SET TimeZone = 'UTC'")
            base.execute(f"SET allowed_directories = ['{literal(held)}']")
            base.execute("SET enable_external_access = false")
            base.execute("SET lock_configuration = true")
            yield _View(source, base, held)
    finally:
        shutil.rmtree(held, ignore_errors=True)


class _View:
    def __init__(self, source: Tables, base: duckdb.DuckDBPyConnection, held: Path) -> None:
        self.name = source.name
        self._source = source
        self._base = base
        self._held = held
        self._tables = source.tables()
        # DuckDB does not tell names apart by their case.
        self._named = {name.lower(): name for name in self._tables}
        if len(self._named) != len(self._tables):
            raise self._refused("two tables differ by their case only")
        self._rows: dict[str, int] = {}
        self._types: dict[str, tuple[SourceColumn, ...]] = {}
        self._places: dict[str, tuple[str, str]] = {}
        self._duck = DuckView(base, source.name, source.kind, self._types, self._places)

    def tables(self) -> Mapping[str, tuple[SourceColumn, ...]]:
        return self._tables

    def count(self, table: str) -> int:
        counted = self._source.count(table)
        if self._rows.get(table, counted) != counted:
            raise self._refused(f"table {table} was written while it was read")
        return counted

    def codes(self, codes: Mapping[str, Sequence[tuple[str, str, str]]]) -> None:
        self._duck.codes(codes)

    def query(self, sql: str, size: int) -> Rows:
        try:
            named = self._base.get_table_names(sql)
        except duckdb.Error:
            # Not a query: told below, in the engine's words.
            named = set()
        for name in sorted(named):
            if table := self._named.get(name.lower()):
                self._copy(table)
        return self._duck.query(sql, size)

    def rows(self, table: str, columns: Sequence[str], size: int) -> Rows:
        self._copy(table)
        return self._duck.rows(table, columns, size)

    def _copy(self, table: str) -> None:
        if table in self._rows:
            return
        columns = self._tables[table]
        taken = {c.name.lower() for c in columns}
        if len(taken) != len(columns):
            raise self._refused(f"two columns of table {table} differ by their case only")
        key = next(n for n in ("rowid", "_rowid_", "oid", "transvase_key") if n not in taken)
        path = self._held / f"{len(self._rows)}.parquet"
        types, batches = self._source.whole(table, FETCHED)
        names = [key, *(c.name for c in columns)]
        fields = [pa.field(n, _ARROW[t][0]) for n, t in zip(names, (str, *types), strict=True)]
        weighed = [i for i, t in enumerate((str, *types)) if t in (str, bytes)]
        rows = 0
        try:
            with pq.ParquetWriter(path, pa.schema(fields), compression="zstd", compression_level=1) as writer:
                for group in _groups(batches, weighed):
                    writer.write_batch(self._batch(table, group, fields))
                    rows += len(group)
        except OSError as error:
            raise files.output_error(error, path) from None
        scan = f"read_parquet(['{literal(path)}'], hive_partitioning = false)"
        self._base.execute(f"CREATE VIEW {quoted(table)} AS SELECT * FROM {scan}")
        self._rows[table] = rows
        self._types[table] = tuple(SourceColumn(c.name, _ARROW[t][1]) for c, t in zip(columns, types, strict=True))
        self._places[table] = (scan, quoted(key))

    def _batch(self, table: str, rows: list[tuple[Any, ...]], fields: list[pa.Field]) -> pa.RecordBatch:
        arrays = []
        for field, values in zip(fields, zip(*rows, strict=True), strict=True):
            try:
                arrays.append(pa.array(values, field.type))
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                what = f"table {table}, column {field.name}: a value is not what the engine says it holds"
                raise self._refused(what) from None
        return pa.record_batch(arrays, schema=pa.schema(fields))

    def _refused(self, what: str) -> SourceUnreadable:
        return SourceUnreadable(path=self.name, kind=self._source.kind, reason=what)


def _groups(batches: Iterator[list[tuple[Any, ...]]], weighed: list[int]) -> Iterator[list[tuple[Any, ...]]]:
    """Batches put together up to GROUP rows or WEIGHT."""
    held: list[tuple[Any, ...]] = []
    weight = 0
    for batch in batches:
        held += batch
        for place in weighed:
            weight += sum(len(value) for row in batch if isinstance(value := row[place], str | bytes))
        if len(held) >= GROUP or weight >= WEIGHT:
            yield held
            held, weight = [], 0
    if held:
        yield held

"""PARQUET/ of the archive, optional: the canonical tables as Parquet, `<table>.parquet` each, of exactly the rows that the required part
of the same archive holds: those of its patients, and with TRANSVERSE.ZIP those of nobody known.

Rows are in the order of the work folder, in groups of a fixed number, so that the bytes depend on the rows alone and memory does not
follow the practice. Where rows come from is `formats.canonical`, what a scope leaves out `formats.selection`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from transvase.exporters.optional_part import Folder, stored
from transvase.formats import canonical, files, zip_stream
from transvase.model.record import Record
from transvase.model.request import Scope
from transvase.model.tables import TABLES

FOLDER = "PARQUET"
# Rows of a group: a note or a native cell takes a few kilobytes, so about 50 MB at worst.
_ROWS = 8192
# No bounds at all, for the reason that `canonical.LAYOUT` gives: the column that we seek by does not leave.
_LAYOUT = {**canonical.LAYOUT, "write_statistics": False, "store_schema": False}
# Headers, footers and metadata of the files of an archive, at most.
FIXED = 60_000


def weight(patient: Any, record: Record) -> int:
    """Bytes that a patient adds to the files, at most: their rows deflated alone, which columns of many patients improve on."""
    rows = [patient, *(row for rows in record.values() for row in rows)]
    packed = len(zip_stream.deflate(orjson.dumps([list(row) for row in rows])))
    return packed + packed // 10 + 10 * len(rows)


def write(
    base: Any,
    spool: Path,
    stamp: tuple[int, int],
    scope: Scope,
    first: int,
    patients: int,
    transverse: tuple[bool, bool],
) -> Folder:
    """The folder for `patients` patients from the rank `first` (0 for the first of the export) in the tables of `base`, a connection of
    `canonical` for that scope; files wait in `spool`. `transverse` says whether the export has transverse data, and whether this archive
    carries them. A table that the scope leaves out has no file; one without rows has one."""
    shared, here = transverse
    bounds = [
        base.sql(f"SELECT slot, key FROM patient ORDER BY slot, key LIMIT 1 OFFSET {rank}").fetchall()[0]
        for rank in ((first, first + patients - 1) if patients else ())
    ]
    holds = []
    for name, table in TABLES.items():
        if not scope.carries(name) or not (table.of_patient or shared):
            continue
        rows = _rows(table.patient_column, bounds, here) if table.of_patient else "true"
        path = spool / f"{name}.parquet"
        with files.replacing(path) as file, pq.ParquetWriter(file, table.schema, **_LAYOUT) as writer:
            for group in _groups(base, f"SELECT {table.select} FROM {name} WHERE {rows}", table.schema):
                writer.write_table(group, row_group_size=_ROWS)
        # Columns are compressed already.
        holds.append(stored(path, f"{FOLDER}/{path.name}", stamp))
    return Folder(FOLDER, tuple(holds))


def _rows(column: str, bounds: list[tuple[int, str]], strays: bool) -> str:
    """Condition on the rows of a table of patients: those of the patients between both bounds, in export order, and those of nobody
    known."""
    tests = []
    if bounds:
        (low, start), (high, end) = bounds
        tests.append(
            f"(slot BETWEEN {low} AND {high} AND (slot > {low} OR {column} >= {canonical.literal(start)}) "
            f"AND (slot < {high} OR {column} <= {canonical.literal(end)}) AND {column} IN (SELECT key FROM patient))"
        )
    if strays and column != "key":
        tests.append(f"({column} IS NULL OR {column} NOT IN (SELECT key FROM patient))")
    return " OR ".join(tests) or "false"


def _groups(base: Any, query: str, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows in groups of `_ROWS`: batches come as the engine cuts them, which would show in the bytes."""
    held: list[pa.RecordBatch] = []
    count = 0
    # The files are in slot, patient and key order, and one thread reads them in that order: nothing has to be sorted.
    for batch in base.cursor().sql(query).to_arrow_reader(_ROWS):
        held.append(batch)
        count += batch.num_rows
        while count >= _ROWS:
            every = pa.Table.from_batches(held)
            yield every.slice(0, _ROWS).combine_chunks().cast(schema)
            held = every.slice(_ROWS).to_batches()
            count -= _ROWS
    if count:
        yield pa.Table.from_batches(held).combine_chunks().cast(schema)

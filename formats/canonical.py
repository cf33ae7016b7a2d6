"""The canonical tables on disk: one Parquet file per table under `<work>/canonical`, ordered by slot, patient, key.

Opening them for SQL, and reading lots of patients as records, belong here; what is asked of them belongs to the callers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import orjson
import pyarrow.parquet as pq

from transvase.errors import ExtractionStale, WorkMissing
from transvase.formats import files
from transvase.formats.selection import conditions
from transvase.model.record import ROW, Record
from transvase.model.request import EVERYTHING, Scope
from transvase.model.slot import Lot, lots
from transvase.model.tables import TABLES

Answer = TypeVar("Answer")

# What the deliveries of phased requests held, in the work folder: keys of patients, and the set manifest of the first.
DELIVERIES = "deliveries"

_MEMORY = ("96MB", "768MB", "6GB")


def manifest(work: Path) -> dict[str, Any]:
    """The extraction's manifest; WorkMissing when nothing was extracted."""
    path = work / "canonical" / "extraction.json"
    if not path.is_file():
        raise WorkMissing(path=work.name, what="extraction", command="extract")
    content: dict[str, Any] = orjson.loads(path.read_bytes())
    return content


# How our Parquet files are written. Dictionaries would hold keys and dates, which seldom repeat: a third more bytes and half more time.
# Bounds are kept for `slot` alone, the only column we seek by: DuckDB 2.0.0 reads a plain column whose bounds are equal as all
# NULL once a NULL passes the filter (`WHERE v IS NULL` then answers every row), and without bounds it does not.
LAYOUT: dict[str, Any] = {"compression": "zstd", "use_dictionary": False, "write_statistics": ["slot"]}


def literal(value: Path | str) -> str:
    """A path or a text inside SQL text."""
    return "'" + str(value).replace("'", "''") + "'"


def connect(
    work: Path, *, memory: str = "768MB", threads: int = 1, scope: Scope = EVERYTHING
) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with one view per canonical table, holding the rows of `scope`, and per verdict file when there is one.
    WorkMissing without an extraction, ExtractionStale for one of another model."""
    manifest(work)
    # Files are read through, not kept: with its cache DuckDB holds as much of them as its limit allows, so that memory would follow
    # the size of the practice.
    settings = {
        "memory_limit": memory,
        "threads": threads,
        "temp_directory": str(work / "spill"),
        "enable_external_file_cache": False,
    }
    base = duckdb.connect(config=settings)
    kept = conditions(scope)
    for name, table in TABLES.items():
        columns = pq.read_schema(work / "canonical" / f"{name}.parquet").names
        if columns != ["slot", *(c.name for c in table.columns)]:
            base.close()
            raise ExtractionStale(path=work.name)
        file = f"read_parquet({literal(work / 'canonical' / f'{name}.parquet')})"
        if kept:
            base.execute(f"CREATE VIEW all_{name} AS FROM {file}").fetchall()
        else:
            base.execute(f"CREATE VIEW {name} AS FROM {file}").fetchall()
    if scope.after:
        held = work / DELIVERIES / f"{scope.after}.parquet"
        if not held.is_file():
            base.close()
            raise WorkMissing(path=work.name, what="list of patients delivered first", command="request run")
        base.execute(f"CREATE TABLE delivered AS FROM read_parquet({literal(held)})").fetchall()
    if kept:
        # The patients are settled once: every other table is read again for each lot.
        base.execute(
            f"CREATE TABLE patient AS FROM all_patient WHERE {kept.pop('patient')} ORDER BY slot, key"
        ).fetchall()
        for name in TABLES:
            if name != "patient":
                base.execute(f"CREATE VIEW {name} AS FROM all_{name} WHERE {kept.get(name, 'true')}").fetchall()
    for path in sorted((work / "verdicts").glob("*.parquet")):
        base.execute(f"CREATE VIEW {path.stem} AS FROM read_parquet({literal(path)})").fetchall()
    return base


def bounded(work: Path, ask: Callable[[duckdb.DuckDBPyConnection], Answer], scope: Scope = EVERYTHING) -> Answer:
    """Ask something of the tables within little memory, and again with more when that was too little: not every operator of the engine
    spills to disk, and what a question needs follows the practice. `ask` may be called again, so it must begin anew."""
    for memory in _MEMORY:
        with connect(work, memory=memory, scope=scope) as base:
            try:
                return ask(base)
            except duckdb.OutOfMemoryException:
                if memory == _MEMORY[-1]:
                    raise
    raise AssertionError("the last try returns or raises")


def keep_delivered(work: Path, name: str, scope: Scope) -> None:
    """Keep the keys of the patients of a scope under a name, for the delivery of the others."""
    target = files.private_folder(work / DELIVERIES) / f"{name}.parquet"
    with connect(work, scope=scope) as base, files.replacing(target) as file:
        pq.write_table(base.sql("SELECT key FROM patient ORDER BY slot, key").to_arrow_table(), file)


def plan(base: duckdb.DuckDBPyConnection, most: int) -> list[Lot]:
    """Lots of patients in export order."""
    return list(lots(base.sql("SELECT slot, count(*) FROM patient GROUP BY slot ORDER BY slot").fetchall(), most))


def patients(base: duckdb.DuckDBPyConnection, lot: Lot) -> Iterator[tuple[int, Any, Record]]:
    """(number, patient row, record) of a lot, in export order: slot, then key. One query per table for the whole lot."""
    records: dict[str, Record] = {}
    rows: list[Any] = []
    for name, table in TABLES.items():
        if not table.patient_column:
            continue
        found = base.sql(
            f"SELECT {table.select} FROM {name} WHERE slot BETWEEN {lot.first} AND {lot.last} ORDER BY slot, {table.patient_column}, key"
        ).fetchall()
        make = ROW[name]._make
        if name == "patient":
            rows = [make(r) for r in found]
            records = {r.key: {} for r in rows}
            continue
        at = [c.name for c in table.columns].index(table.patient_column)
        for values in found:
            record = records.get(values[at])
            if record is not None:
                record.setdefault(name, []).append(make(values))
    for number, row in enumerate(rows, lot.number):
        yield number, row, records[row.key]

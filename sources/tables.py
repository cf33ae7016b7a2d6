"""Writing a canonical table: rows in any order become one Parquet file of the declared schema, ordered by slot, patient and key.

Who reads rows from a practice's database (`extract`) or from an archive (`archive`) hands them here, so that both write the same
files. Where rows come from, and what becomes of a value that does not fit, belongs to them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from transvase.model.slot import slot
from transvase.model.table import Kind, Table
from transvase.sources.sqlite import decode

# Sorting a table spills to disk beyond this, so that memory does not grow with the practice.
SORT_MEMORY = "64MB"
# A single value may be larger than that (a scan kept as text): the same work is then done again with more.
_MORE_MEMORY = (SORT_MEMORY, "512MB", "4GB")

Result = TypeVar("Result")

_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,19}\s*")

# Source table, source key, patient, canonical column, value that its declared type cannot hold.
Misfit = tuple[str, str, str | None, str, Any]


def bounded(folder: Path, work: Callable[[duckdb.DuckDBPyConnection], Result]) -> Result:
    """Do a piece of SQL within SORT_MEMORY, spilling into `folder`; again with more when one value alone asks for it."""
    for memory in _MORE_MEMORY:
        settings = {
            "memory_limit": memory,
            "threads": 1,
            "temp_directory": str(folder / "spill"),
            "enable_external_file_cache": False,
        }
        with duckdb.connect(config=settings) as base:
            try:
                return work(base)
            except duckdb.OutOfMemoryException:
                if memory == _MORE_MEMORY[-1]:
                    raise
    raise AssertionError("the last try returns or raises")


class TableWriter:
    """One table of `folder`, as a context: `add` rows, then on a clean end they are ordered into `<table>.parquet`, with the column
    `slot` first. After an error no file of that name stands there."""

    def __init__(self, table: Table, folder: Path) -> None:
        self._table = table
        self._folder = folder
        self._rough = folder / f"{table.name}.rough"
        self._arrow = pa.schema([pa.field("slot", pa.int16()), *table.schema])
        names = [c.name for c in table.columns]
        self._at = names.index(table.patient_column) if table.patient_column else -1
        self._writer = pq.ParquetWriter(self._rough, self._arrow, compression="zstd", compression_level=1)
        self.rows = 0

    def add(self, rows: list[tuple[Any, ...]]) -> list[Misfit]:
        """Write rows in declared column order; the values that their declared type cannot hold, which are null in the table."""
        at = self._at
        columns = list(zip(*rows, strict=True))
        # Rows without a patient sort first, in slot -1: they belong to the transverse part.
        slots = pa.array(
            [slot(as_text(v)) if v is not None else -1 for v in columns[at]] if at >= 0 else [-1] * len(rows),
            pa.int16(),
        )
        arrays = []
        misfits: list[Misfit] = []
        for values, column in zip(columns, self._table.columns, strict=True):
            bad: list[int] = []
            arrays.append(_column(values, column.kind, bad))
            misfits += [
                (rows[i][-2], rows[i][-1], rows[i][at] if at >= 0 else None, column.name, values[i]) for i in bad
            ]
        self._writer.write_batch(pa.record_batch([slots, *arrays], schema=self._arrow))
        self.rows += len(rows)
        return misfits

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._writer.close()
        if kind is None:
            self._order()
        self._rough.unlink()

    def _order(self) -> None:
        owner = f", {self._table.patient_column}" if self._at >= 0 else ""
        final = str(self._folder / f"{self._table.name}.parquet").replace("'", "''")

        def order(base: duckdb.DuckDBPyConnection) -> None:
            base.execute(
                f"COPY (SELECT * FROM read_parquet($rough) ORDER BY slot{owner}, key, source_table, source_key) TO '{final}' "
                "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20480)",
                {"rough": str(self._rough)},
            ).fetchall()

        bounded(self._folder, order)


def publish(building: Path, final: Path) -> None:
    """Give a complete folder its final name; the one that had it goes."""
    old = final.with_name(f"{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    building.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def _column(values: Iterable[Any], kind: Kind, unreadable: list[int]) -> pa.Array:
    """An Arrow array of the declared type. What cannot be read as that type is null here, and its place is added to
    `unreadable`."""
    if kind not in (Kind.FLAG, Kind.INTEGER):
        return pa.array([v if v is None or type(v) is str else as_text(v) for v in values], pa.string())
    out: list[int | None] = []
    for place, value in enumerate(values):
        if value is None or value == "":
            out.append(None)
            continue
        out.append(_integer(value))
        if out[-1] is None:
            unreadable.append(place)
    return pa.array([None if v is None else bool(v) for v in out] if kind is Kind.FLAG else out, kind.arrow)


def _integer(value: Any) -> int | None:
    """The whole number that a value is, if it fits 64 bits; nothing is rounded."""
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None
    elif isinstance(value, str):
        value = int(value) if _WHOLE.fullmatch(value) else None
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None


def as_text(value: Any) -> str:
    """A stored value as text: bytes by their likeliest encoding, whole floats without a fraction."""
    if isinstance(value, bytes):
        return decode(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)

"""Writing a canonical table: rows in any order become one Parquet file of the declared schema, ordered by slot, patient and key.

Who reads rows from a practice's database (`extract`) or from an archive (`archive`) hands them here, so that both write the same
files. Where rows come from, and what becomes of a value that does not fit, belongs to them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from transvase.formats.canonical import LAYOUT
from transvase.model.slot import slot
from transvase.model.table import Kind, Table
from transvase.sources.sorting import Sorter
from transvase.sources.sqlite import decode

# A row group of a table: what a reader of a lot opens, and what stands in memory while it is written.
_GROUP_ROWS, _GROUP_BYTES = 8192, 4 << 20
_LAYOUT = {**LAYOUT, "compression_level": 3, "store_schema": False}

_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,19}\s*")

# Source table, source key, patient, canonical column, value that its declared type cannot hold.
Misfit = tuple[str, str, str | None, str, Any]


class TableWriter:
    """One table of `folder`, as a context: `add` rows, then on a clean end they are ordered into `<table>.parquet`, with the column
    `slot` first. After an error no file of that name stands there."""

    def __init__(self, table: Table, folder: Path) -> None:
        self._table = table
        self._folder = folder
        self._arrow = pa.schema([pa.field("slot", pa.int16()), *table.schema])
        names = [c.name for c in table.columns]
        self._at = names.index(table.patient_column) if table.patient_column else -1
        owner = (table.patient_column,) if table.patient_column else ()
        # The patient of a patient is its key.
        by = tuple(dict.fromkeys(("slot", *owner, "key", "source_table", "source_key")))
        self._sorter = Sorter(self._arrow, by, folder / f"{table.name}.rough")
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
        self._sorter.add(pa.record_batch([slots, *arrays], schema=self._arrow))
        self.rows += len(rows)
        return misfits

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self._sorter:
            if kind is None:
                self._write()

    def _write(self) -> None:
        final = self._folder / f"{self._table.name}.parquet"
        try:
            with pq.ParquetWriter(final, self._arrow, **_LAYOUT) as writer:
                held: list[pa.RecordBatch] = []
                for batch in self._sorter.sorted():
                    held.append(batch)
                    if sum(b.num_rows for b in held) >= _GROUP_ROWS or sum(b.nbytes for b in held) >= _GROUP_BYTES:
                        writer.write_table(pa.Table.from_batches(held))
                        held.clear()
                if held:
                    writer.write_table(pa.Table.from_batches(held))
        except BaseException:
            final.unlink(missing_ok=True)
            raise


def written(folder: Path, table: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Some columns of a table that stands complete in `folder`, in batches."""
    with pq.ParquetFile(folder / f"{table}.parquet", pre_buffer=False) as file:
        yield from file.iter_batches(_GROUP_ROWS, columns=columns, use_threads=False)


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

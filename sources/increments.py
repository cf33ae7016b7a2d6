"""What changed in a practice's database since the last extraction: one digest per source row, kept beside the canonical tables.

A row is its kept cells, as the engine gives them: what the mapping excludes changes nothing. A file that a row names counts by its size
and its time of change; so does each file of a folder of documents, which is then a row. What is done about a change belongs to `extract`.
"""

from __future__ import annotations

import hashlib
import marshal
import os
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from transvase import __version__
from transvase.errors import WorkMissing
from transvase.formats import canonical, files
from transvase.formats.canonical import LAYOUT, literal
from transvase.model.tables import TABLES
from transvase.sources.tables import written

# Names in the folder of the canonical tables: digests of rows, files named, rows that differ from the extraction before.
ROWS, FILES, CHANGES = "source_rows.parquet", "source_files.parquet", "source_changes.parquet"
_ROWS = pa.schema([("source_table", pa.string()), ("source_key", pa.string()), ("digest", pa.binary(16))])
_FILES = pa.schema([("path", pa.string()), ("size", pa.int64()), ("changed", pa.int64())])
_LAYOUT = {**LAYOUT, "write_statistics": False}
_BATCH, _MODULUS = 8192, 1 << 128


class Change(NamedTuple):
    """How many rows of a source table are new, changed or gone."""

    new: int
    changed: int
    gone: int


class RowDigests:
    """Digests of source rows, written to a Parquet file as they come; a context."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sums: dict[str, list[int]] = {}

    def __enter__(self) -> RowDigests:
        self._writer = pq.ParquetWriter(self._path, _ROWS, **_LAYOUT)
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def add(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Rows of a table: the key as text first, then kept cells as the engine gives them."""
        # Version 2 of the format holds values alone: later ones also tell which objects were one in memory.
        digests = [hashlib.sha256(marshal.dumps(row, 2)).digest()[:16] for row in rows]
        sums = self._sums.setdefault(table, [0, 0])
        sums[0] += len(rows)
        sums[1] = (sums[1] + sum(map(int.from_bytes, digests))) % _MODULUS
        columns = [pa.array([table] * len(rows)), pa.array([r[0] for r in rows]), pa.array(digests, pa.binary(16))]
        self._writer.write_batch(pa.record_batch(columns, schema=_ROWS))

    @property
    def totals(self) -> dict[str, str]:
        """Number of rows and sum of their digests, by source table: equal when the rows are, in whatever order they came."""
        return {table: f"{rows} {total:032x}" for table, (rows, total) in sorted(self._sums.items()) if rows}


class FileStates:
    """Size and time of change of the files that rows name, written as they come; a context."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: list[tuple[str, int, int]] = []

    def __enter__(self) -> FileStates:
        self._writer = pq.ParquetWriter(self._path, _FILES, **_LAYOUT)
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._writer.close()

    def add(self, path: Path) -> None:
        """A file that a row names, there or not."""
        self._held.append((str(path), *_state(path)))
        if len(self._held) == _BATCH:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            rows = [dict(zip(_FILES.names, row, strict=True)) for row in self._held]
            self._writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=_FILES))
            self._held.clear()


def _state(path: Path) -> tuple[int, int]:
    """Size and time of change in nanoseconds; -1 for what is not there."""
    try:
        facts = path.stat()
    except OSError:
        return -1, -1
    return facts.st_size, facts.st_mtime_ns


def made_with(mapping: str, documents: Path | None) -> dict[str, str]:
    """What an extraction depends on besides the source: two with other values cannot be compared. `mapping` is its digest."""
    return {"software": __version__, "mapping": mapping, "documents": str(documents or "")}


def earlier(work: Path, made: dict[str, str]) -> dict[str, Any] | None:
    """The manifest of the extraction that stands in the work folder, when one made the same way is there and whole: with the same declared
    tables, and every body it names."""
    folder = work / "canonical"
    try:
        manifest = canonical.manifest(work)
        if manifest.get("made") != made or not (folder / ROWS).is_file() or not (folder / FILES).is_file():
            return None
        for name, table in TABLES.items():
            if pq.read_schema(folder / f"{name}.parquet").names != ["slot", *(c.name for c in table.columns)]:
                return None
        for batch in written(folder, "document_version", ["sha256", "size"]):
            for digest, size in zip(*(c.to_pylist() for c in batch.columns), strict=True):
                # A Path for each body would cost more than the question.
                if digest and os.stat(f"{work}/bodies/{digest[:2]}/{digest}").st_size != size:  # noqa: PTH116
                    return None
    except (WorkMissing, OSError, pa.ArrowException, orjson.JSONDecodeError):
        return None
    return manifest


def files_changed(folder: Path) -> bool:
    """Whether a file that the extraction of that folder named has changed, come or gone since."""
    with pq.ParquetFile(folder / FILES) as file:
        for batch in file.iter_batches(_BATCH):
            for path, *state in zip(*(c.to_pylist() for c in batch.columns), strict=True):
                if _state(Path(path)) != tuple(state):
                    return True
    return False


def unchanged(before: dict[str, Any], final: Path, clock: datetime) -> dict[str, Any]:
    """The manifest of an extraction that found nothing new, also written: the tables that stand in `final` are those of this clock too."""
    manifest = {**before, "clock": clock.isoformat(), "changes": {}}
    (final / CHANGES).unlink(missing_ok=True)
    files.write(final / "extraction.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    return manifest


def changes(before: Path, after: Path, target: Path) -> dict[str, Change]:
    """Rows that differ between two files of digests, counted by source table; each of them, by reference, in the Parquet file `target`
    (source_table, source_key, change: new, changed or gone). Rows of one key are compared together."""
    spill = {"memory_limit": "768MB", "threads": 1, "temp_directory": str(target.parent / "spill")}
    side = "SELECT source_table, source_key, list(digest ORDER BY digest) AS digests FROM read_parquet({}) GROUP BY ALL"
    found = f"""
SELECT coalesce(a.source_table, b.source_table) AS source_table, coalesce(a.source_key, b.source_key) AS source_key,
  CASE WHEN b.digests IS NULL THEN 'new' WHEN a.digests IS NULL THEN 'gone' ELSE 'changed' END AS change
FROM ({side.format(literal(after))}) a FULL JOIN ({side.format(literal(before))}) b
  ON a.source_table = b.source_table AND a.source_key = b.source_key
WHERE a.digests IS DISTINCT FROM b.digests ORDER BY ALL"""
    with duckdb.connect(config=spill) as base:
        base.execute(f"COPY ({found}) TO {literal(target)} (FORMAT parquet, COMPRESSION zstd)").fetchall()
        counted = base.sql(
            "SELECT source_table, count(*) FILTER (change = 'new'), count(*) FILTER (change = 'changed'), "
            f"count(*) FILTER (change = 'gone') FROM read_parquet({literal(target)}) GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    return {table: Change(*counts) for table, *counts in counted}

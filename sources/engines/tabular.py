"""A folder of CSV and Parquet files as a View: one table for each file, or for each subfolder of Parquet files.

A CSV file is read once, when the folder is opened, into a Parquet file of texts: its encoding and its delimiter are told by the
whole of it, never by a cell, and no value changes type. Querying belongs to `duckdb_file`.
"""

from __future__ import annotations

import codecs
import csv
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from transvase.errors import SourceMissing, SourceUnreadable
from transvase.formats import files
from transvase.sources.engines.duckdb_file import SETTINGS, DuckView, literal, unreadable
from transvase.sources.sqlite import quoted
from transvase.sources.view import SourceColumn, View

KIND = "CSV/Parquet"
# Rows held together while a CSV file is read; between 1,000 and 50,000 the rate does not change.
BATCH = 8192
# A cell beyond this is a quote that was never closed. The largest scans kept as base64 are some tens of MB.
CELL = 1 << 28
# The delimiter is told from this many records.
SAMPLE = 200
_USUAL = (";", ",", "\t", "|")
_CHUNK = 1 << 20


@contextmanager
def opened(folder: Path, scratch: Path) -> Iterator[View]:
    """The folder's `.csv` and `.tsv` files, `.parquet` files and subfolders of them; a table has the file's name without extension.
    `scratch` is a private folder, for the CSV files as read and for sorts; what is put there goes at the end.

    Every column of a CSV file is text; an empty cell is the empty text, quoted or not; a blank line is no record. UTF-8 (with mark or
    without), UTF-16 and Windows-1252 are recognised. A Parquet column keeps its type as `duckdb_file` says. A row is named by its
    number among the table's rows, from 1, which queries read as the column `rowid` (`_rowid_`, `oid` when the file has such a one).

    Raises SourceMissing, SourceUnreadable (a record with more or fewer cells than the header is refused with its line), also at the
    end when a file has changed meanwhile."""
    if not folder.is_dir():
        raise SourceMissing(path=folder.name)
    found = _found(folder)
    before = {path: _state(path) for paths in found.values() for path in paths}
    held = scratch / "tabular"
    shutil.rmtree(held, ignore_errors=True)
    files.private_folder(held)
    try:
        settings = {**SETTINGS, "temp_directory": str(held / "spill")}
        with duckdb.connect(config=settings) as base:
            yield _view(base, folder, found, held)
        for path, state in before.items():
            if _state(path) != state:
                raise _refused(folder, path, "it changed while it was read")
    finally:
        shutil.rmtree(held, ignore_errors=True)


def _found(folder: Path) -> dict[str, list[Path]]:
    """Files of each table, by name of table."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        parts = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        if not parts or (path.is_file() and path.suffix.lower() not in (".csv", ".tsv", ".parquet")):
            continue
        name = path.name if path.is_dir() else path.stem
        # DuckDB does not tell names apart by their case.
        if name.lower() in map(str.lower, found):
            raise _refused(folder, path, "another file bears the same name")
        found[name] = parts
    return dict(sorted(found.items()))


def _state(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns


def _view(base: duckdb.DuckDBPyConnection, folder: Path, found: dict[str, list[Path]], held: Path) -> DuckView:
    columns: dict[str, tuple[SourceColumn, ...]] = {}
    places: dict[str, tuple[str, str]] = {}
    for place, (name, parts) in enumerate(found.items()):
        text = parts[0].suffix.lower() != ".parquet"
        if text:
            spilled = held / f"{place}.parquet"
            _spill(folder, parts[0], spilled)
            parts = [spilled]
        else:
            _alike(folder, parts)
        scan = "read_parquet([" + ", ".join(f"'{literal(p)}'" for p in parts) + "], hive_partitioning = false)"
        try:
            described = base.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()
            names = {line[0].lower() for line in described}
            number = next((n for n in ("rowid", "_rowid_", "oid") if n not in names), "")
            numbered = f"row_number() OVER () AS {number}, " if number else ""
            base.execute(f"CREATE VIEW {quoted(name)} AS SELECT {numbered}* FROM {scan}")
        except duckdb.Error as error:
            raise unreadable(error, folder.name, KIND) from None
        # What a CSV file declares: nothing.
        columns[name] = tuple(SourceColumn(line[0], "" if text else line[1]) for line in described)
        places[name] = (scan, "CAST(row_number() OVER () AS VARCHAR)")
    base.execute("SET TimeZone = 'UTC'")
    # Others' files hold bounds that DuckDB 2.0.0 misreads under a filter (`formats.canonical.LAYOUT`): a filter sees whole rows here.
    base.execute("SET disabled_optimizers = 'filter_pushdown'")
    allowed = ", ".join(f"'{literal(p)}'" for p in (folder, held))
    base.execute(f"SET allowed_directories = [{allowed}]")
    base.execute("SET enable_external_access = false")
    base.execute("SET lock_configuration = true")
    return DuckView(base, folder.name, KIND, columns, places)


def _alike(folder: Path, parts: list[Path]) -> None:
    """Refuse Parquet files that do not have one schema: the engine would bring the others to the first one's types."""
    schema: pa.Schema | None = None
    for path in parts:
        try:
            own = pq.read_schema(path).remove_metadata()
        except (pa.ArrowException, OSError):
            raise _refused(folder, path, "it is not a complete Parquet file") from None
        if schema is not None and own != schema:
            raise _refused(folder, path, "its columns are not those of the files beside it")
        schema = own


def _spill(folder: Path, path: Path, spilled: Path) -> None:
    """Read a CSV file into a Parquet file of texts. SourceUnreadable names the file and the line."""
    # The limit of the standard module, 128 kB, is one for the whole process; a document may stand in a cell.
    csv.field_size_limit(CELL)
    reader = None
    encoding = "text"
    try:
        encoding = encoding_of(path)
        with path.open(encoding=encoding, newline="", errors=_ERRORS.get(encoding, "strict")) as file:
            delimiter = delimiter_of(file)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header = next((record for record in reader if record), None)
            if header is None:
                raise _refused(folder, path, "it has no header")
            if len({name.lower() for name in header}) != len(header) or "" in header:
                raise _refused(folder, path, "two columns of its header bear one name, or one has none")
            schema = pa.schema([pa.field(name, pa.string()) for name in header])
            width = len(header)
            records = (record for record in reader if record)
            with pq.ParquetWriter(spilled, schema, compression="zstd", compression_level=1) as writer:
                while rows := list(islice(records, BATCH)):
                    if set(map(len, rows)) != {width}:
                        # Only now is the line worth finding.
                        raise _refused(
                            folder, path, f"line {_ragged(path, encoding, delimiter, width)} has not {width} cells"
                        )
                    writer.write_batch(
                        pa.record_batch(
                            [pa.array(values, pa.string()) for values in zip(*rows, strict=True)], schema=schema
                        )
                    )
    except csv.Error:
        line = reader.line_num if reader else 1
        raise _refused(folder, path, f"line {line}: a quote is not closed, or something follows it") from None
    except UnicodeError:
        raise _refused(folder, path, f"it is not {encoding} throughout") from None
    except OSError as error:
        if error.errno in files.FULL:
            raise files.output_error(error, spilled) from None
        raise _refused(folder, path, "it cannot be opened") from None


def _ragged(path: Path, encoding: str, delimiter: str, width: int) -> int:
    """First line of the first record that has not `width` cells."""
    with path.open(encoding=encoding, newline="", errors=_ERRORS.get(encoding, "strict")) as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        before = 0
        for record in reader:
            if record and len(record) != width:
                break
            before = reader.line_num
    return before + 1


# The five bytes Windows-1252 leaves unused keep their number, as in `sources.sqlite`.
_ERRORS = {"cp1252": "transvase.unused"}


def encoding_of(path: Path) -> str:
    """Encoding of a whole text file, by its mark; else UTF-16 when every other byte of its beginning is mostly null; else UTF-8 when all
    of it is; else Windows-1252."""
    with path.open("rb") as file:
        start = file.read(4096)
        if start.startswith(codecs.BOM_UTF8):
            return "utf-8-sig"
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
            half = start[first::2]
            if half.count(0) > len(half) / 2:
                return name
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def delimiter_of(file: IO[str]) -> str:
    """The character that cuts most of the first records into as many cells as the header, and into the most cells; the comma when none
    does."""
    start = file.tell()
    header = next((line for line in iter(file.readline, "") if line.strip("\r\n")), "")
    # A letter, a digit, or what stands inside words and numbers is no delimiter.
    others = sorted(set(re.sub(r"[\w \r\n\"'.-]", "", header)) - set(_USUAL))
    best, evidence = ",", (0, 0)
    for delimiter in (*(c for c in _USUAL if c in header), *others):
        file.seek(start)
        widths: Counter[int] = Counter()
        width = 0
        try:
            for record in islice((r for r in csv.reader(file, delimiter=delimiter, strict=True) if r), SAMPLE):
                width = width or len(record)
                widths[len(record)] += 1
        except csv.Error:
            # A file broken under every reading is refused when it is read, with its line.
            pass
        found = (widths[width] if width > 1 else 0, width)
        if found > evidence:
            best, evidence = delimiter, found
    return best


def _refused(folder: Path, path: Path, what: str) -> SourceUnreadable:
    return SourceUnreadable(path=folder.name, kind=KIND, reason=f"{path.name}: {what}")

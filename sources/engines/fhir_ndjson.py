"""A folder of FHIR NDJSON (Bulk Data export: one resource a line) as a View: one table for each type of resource, keyed by the id of the
resource, one column for each element found at its top. Files are read once, when the folder is opened, into Parquet of texts.

A column holds the text of a scalar, or the JSON of an object or a list, each number with the digits it was written with. What queries
see of it, and how elements become canonical columns, belongs to the mapping; querying to `duckdb_file`.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
import shutil
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from transvase.errors import SourceMissing, SourceUnreadable
from transvase.formats import files
from transvase.sources.bodies import Bodies
from transvase.sources.connection import WHOSE
from transvase.sources.engines.batches import by_weight
from transvase.sources.engines.duckdb_file import SETTINGS, DuckView, literal, unreadable
from transvase.sources.sqlite import decode, quoted
from transvase.sources.view import Rows, SourceColumn, View

KIND = "FHIR NDJSON"
# Lines that are no resource, whole, as a table of their own: what they hold leaves as native, like any row that no query claims.
ASIDE = "unreadable_line"
# A longer line is not kept in memory: the largest scans in base64 are some tens of MB.
LINE = 1 << 28
# Text that waits for its Parquet file, all tables together.
HELD = 32 << 20
# R4 has some 150 types, and none with a hundred elements at the top: more is no export of records.
TYPES, ELEMENTS = 256, 512

# Two characters that no text may hold (Unicode noncharacters) mark, inside the JSON of an element, a number kept as a string so that
# no JSON function rounds it, and content in base64 kept in a file so that no query carries megabytes.
_NUMBER, _CONTENT = "\ufdd0", "\ufdd1"
_MARKS = re.compile(rb"\xef\xb7[\x90\x91]|\\u[fF][dD][dD][01]")
_WRITTEN = re.compile(f'"{_NUMBER}([^"]*)"')
_KEPT = re.compile(f"{_CONTENT}([0-9a-f]{{64}})")
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}", re.ASCII)
_ELEMENT = re.compile(r"_?[a-z][A-Za-z0-9]{0,63}", re.ASCII)
# Elements by which resources of R4 name their patient.
_OWNERS = ("subject", "patient", "for", "beneficiary", "individual")
_ID = re.compile(r"[A-Za-z0-9._:-]{1,200}", re.ASCII)
_SHAPES: dict[str, type] = {"text": str, "object": dict, "list": list}

# For queries. An instant with its offset becomes the local time of Paris, as canonical tables have it; a date stays as precise as it is.
# A reference becomes the id it names, whatever its form (relative, absolute, urn:uuid); one to a contained resource names none. The view
# `professional` leads from a `target` (`Practitioner/1`, `PractitionerRole/1`, or the bare UUID) to the id of the person.
_MACROS = """
CREATE MACRO local_time(moment) AS CASE WHEN length(moment) > 10
  THEN coalesce(strftime(TRY_CAST(moment AS TIMESTAMPTZ) AT TIME ZONE 'Europe/Paris', '%Y-%m-%dT%H:%M:%S'), moment) ELSE moment END;
CREATE MACRO referred(reference) AS CASE WHEN NOT starts_with(reference, '#')
  THEN nullif(regexp_extract(reference, '([^/:|?]+)(/_history/[^/]*)?$', 1), '') END;
CREATE MACRO picked(items, path, wanted) AS
  list_filter(json_extract(items, '$[*]'), lambda item: json_extract_string(item, path) = wanted)[1];
CREATE MACRO concept_label(concept) AS coalesce(nullif(json_extract_string(concept, '$.text'), ''),
  json_extract_string(concept, '$.coding[0].display'), json_extract_string(concept, '$.coding[0].code'));
CREATE MACRO concept_code(concept) AS CASE WHEN coalesce(json_extract_string(concept, '$.coding[0].system'), '')
  NOT LIKE '%/data-absent-reason' THEN json_extract_string(concept, '$.coding[0].code') END;
CREATE MACRO concept_system(concept) AS regexp_replace(json_extract_string(concept, '$.coding[0].system'), '^urn:oid:', '');
CREATE MACRO target(reference) AS regexp_extract(reference, '([A-Za-z]+/)?([^/:|?#]+)(/_history/[^/]*)?$', 1)
  || regexp_extract(reference, '([A-Za-z]+/)?([^/:|?#]+)(/_history/[^/]*)?$', 2);
CREATE VIEW professional AS
  SELECT 'Practitioner/' || id AS reference, id AS person FROM "Practitioner"
  UNION ALL SELECT id, id FROM "Practitioner" WHERE length(id) = 36
  UNION ALL SELECT 'PractitionerRole/' || id, referred(json_extract_string(practitioner, '$.reference')) FROM "PractitionerRole"
  UNION ALL SELECT id, referred(json_extract_string(practitioner, '$.reference')) FROM "PractitionerRole" WHERE length(id) = 36;
"""
# Read by the view of professionals, whatever a mapping names.
_READ = {"Practitioner": {}, "PractitionerRole": {"practitioner": "object"}}


class _Refused(Exception):
    """Why a line is no resource; never a value of it."""


class _Line(NamedTuple):
    """A resource: its type, its id, and the text of each element but `resourceType`."""

    type: str
    id: str
    cells: dict[str, str]


@contextmanager
def opened(folder: Path, scratch: Path, named: Mapping[str, Mapping[str, str]] | None = None) -> Iterator[View]:
    """The folder's `.ndjson` and `.ndjson.gz` files, in the order of their names; `scratch` is a private folder for them as read.

    `named` gives the elements that queries name, by type, each with its shape (`text`, `object`, `list`, or empty for any): what the
    folder does not have is an empty table or column for queries, and a line that gives an element another shape is no resource. Lines
    that cannot be taken (no JSON, no resource, no id, an id seen already) are listed in `unread` by file and line, and stand whole in
    the table ASIDE. A `data` in base64 is read by a query as a reference that the output column `body` turns into bytes.

    Raises SourceMissing, SourceUnreadable (no such file, or one that changed meanwhile)."""
    wanted = {t: {**_READ.get(t, {}), **(named or {}).get(t, {})} for t in sorted({*_READ, *(named or {})})}
    if not folder.is_dir():
        raise SourceMissing(path=folder.name)
    found = sorted(p for p in folder.iterdir() if p.name.lower().endswith((".ndjson", ".ndjson.gz")) and p.is_file())
    if not found:
        raise SourceUnreadable(path=folder.name, kind=KIND, reason="it holds no .ndjson file")
    before = [_state(p) for p in found]
    held = scratch / "fhir"
    shutil.rmtree(held, ignore_errors=True)
    files.private_folder(held)
    try:
        with closing(_Reading(held, wanted)) as reading:
            for path in found:
                reading.file(folder, path)
            reading.flush()
        with duckdb.connect(config={**SETTINGS, "temp_directory": str(held / "spill")}) as base:
            yield _view(base, folder, reading, wanted, held)
        for path, state in zip(found, before, strict=True):
            if _state(path) != state:
                raise SourceUnreadable(path=folder.name, kind=KIND, reason=f"{path.name}: it changed while it was read")
    finally:
        shutil.rmtree(held, ignore_errors=True)


def _state(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns


class _Parts:
    """The rows of one table on their way to Parquet: a file lasts as long as no new column appears."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.names: dict[str, None] = {}
        # Columns in which some number is marked.
        self.numbers: set[str] = set()
        self.paths: list[Path] = []
        self.weight = 0
        self._rows: list[dict[str, str]] = []
        self._columns: list[str] = []
        self._writer: pq.ParquetWriter | None = None

    def add(self, cells: dict[str, str]) -> int:
        """A row; what it weighs."""
        for name, value in cells.items():
            if name not in self.names:
                self.names[name] = None
            if _NUMBER in value:
                self.numbers.add(name)
        self._rows.append(cells)
        weight = sum(map(len, cells.values()))
        self.weight += weight
        return weight

    def flush(self) -> None:
        if not self._rows:
            return
        if self._writer is None or len(self._columns) != len(self.names):
            self.close()
            self._columns = list(self.names)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self.paths.append(self._folder / f"{len(self.paths)}.parquet")
            schema = pa.schema([(name, pa.string()) for name in self._columns])
            self._writer = pq.ParquetWriter(self.paths[-1], schema, compression="zstd", compression_level=1)
        arrays = [pa.array([row.get(name) for row in self._rows], pa.string()) for name in self._columns]
        self._writer.write_batch(pa.record_batch(arrays, schema=self._writer.schema))
        self._rows.clear()
        self.weight = 0

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class _Reading:
    """The lines of the files become rows of tables in `folder`."""

    def __init__(self, folder: Path, named: Mapping[str, Mapping[str, str]]) -> None:
        self._folder = folder
        self._shapes = {t: {c: _SHAPES[s] for c, s in columns.items() if s} for t, columns in named.items()}
        self._held = 0
        self.contents = Bodies(folder / "contents")
        self.tables: dict[str, _Parts] = {}
        self.unread: list[str] = []
        # Ids already seen: on disk, since an export may have millions.
        self._seen = sqlite3.connect(folder / "seen", isolation_level=None)
        self._seen.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
            "CREATE TABLE seen (t TEXT, k TEXT, PRIMARY KEY (t, k)) WITHOUT ROWID; BEGIN"
        )

    def close(self) -> None:
        self._seen.close()
        for parts in self.tables.values():
            parts.close()

    def flush(self) -> None:
        """Write what waits."""
        for parts in self.tables.values():
            parts.flush()
            parts.close()

    def file(self, folder: Path, path: Path) -> None:
        """Every line of a file. SourceUnreadable when it cannot be opened; one that breaks off is taken up to there, and listed."""
        number = 0
        try:
            with _stream(path) as file:
                for number, raw in _lines(file):
                    try:
                        self._take(raw)
                    except _Refused as reason:
                        self._aside(path.name, number, str(reason), raw)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            self._aside(path.name, number + 1, "the compressed file is damaged from here on", None)
        except OSError as error:
            if error.errno in files.FULL:
                raise files.output_error(error, self._folder) from None
            raise SourceUnreadable(path=folder.name, kind=KIND, reason=f"{path.name}: it cannot be opened") from None

    def _take(self, raw: bytes | None) -> None:
        if raw is None:
            raise _Refused(f"the line is longer than {LINE} bytes")
        line = self._line(raw)
        table = self.tables.get(line.type)
        if table is None:
            if len(self.tables) >= TYPES:
                raise _Refused("there are too many types of resources")
            # DuckDB does not tell names apart by their case.
            if any(t.lower() == line.type.lower() and t != line.type for t in (*self.tables, *self._shapes)):
                raise _Refused("it is not a resource")
        elif len(table.names) + len(line.cells.keys() - table.names.keys()) > ELEMENTS:
            raise _Refused("its type has too many elements")
        if self._seen.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (line.type, line.id)).rowcount != 1:
            raise _Refused("another resource has its type and id")
        self._row(line.type, line.cells)

    def _row(self, table: str, cells: dict[str, str]) -> None:
        parts = self.tables.get(table)
        if parts is None:
            parts = self.tables[table] = _Parts(self._folder / table)
        self._held += parts.add(cells)
        if self._held > HELD:
            # The heaviest only: types that are rare would be written in crumbs.
            heaviest = max(self.tables.values(), key=lambda p: p.weight)
            self._held -= heaviest.weight
            heaviest.flush()

    def _aside(self, file: str, number: int, reason: str, raw: bytes | None) -> None:
        self.unread.append(f"{file}, line {number}: {reason}.")
        cells = {"id": f"{file}:{number}", "file": file, "line": str(number), "reason": reason}
        if raw is not None:
            cells["content"] = decode(raw)
        self._row(ASIDE, cells)

    def _line(self, raw: bytes) -> _Line:
        if _MARKS.search(raw):
            raise _Refused("it holds a character that no text may hold")
        try:
            value = json.loads(
                raw.decode(), object_pairs_hook=self._object, parse_float=_number, parse_int=_whole, parse_constant=_no
            )
        except UnicodeDecodeError:
            raise _Refused("it is not UTF-8") from None
        except ValueError:
            raise _Refused("it is not JSON") from None
        except RecursionError:
            raise _Refused("it is nested too deep") from None
        if not isinstance(value, dict):
            raise _Refused("it is not a resource")
        kind, key = value.pop("resourceType", None), value.get("id")
        if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
            raise _Refused("it is not a resource")
        if not isinstance(key, str) or not _ID.fullmatch(key):
            raise _Refused("it has no id")
        shapes = self._shapes.get(kind, {})
        cells = {}
        for name, element in value.items():
            if not _ELEMENT.fullmatch(name):
                raise _Refused("it has an element whose name FHIR does not allow")
            if element is None:
                continue
            shape = shapes.get(name)
            # A boolean or a number is the text of a scalar too.
            fits = (
                not isinstance(element, (dict, list)) if shape is str else shape is None or isinstance(element, shape)
            )
            if not fits:
                raise _Refused(f"its element {name} has not the shape that FHIR gives it")
            cells[name] = _text(element)
        # DuckDB does not tell names apart by their case.
        table = self.tables.get(kind)
        known = {n.lower(): n for n in (*(table.names if table else ()), *cells)}
        if any(known[n.lower()] != n for n in cells):
            raise _Refused("two elements of its type differ by their case only")
        return _Line(kind, key, cells)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """An object of the line; content in base64 goes to its file as it is written."""
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a name stands twice")
        data = found.get("data")
        # SampledData has a `data` too, of numbers.
        if isinstance(data, str) and "dimensions" not in found:
            try:
                found["data"] = _CONTENT + self.contents.add(data.encode())
            except UnicodeEncodeError:
                raise ValueError("a surrogate alone") from None
        return found


def _number(digits: str) -> str:
    return _NUMBER + digits


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) < 19 and digits != "-0" else _NUMBER + digits


def _no(name: str) -> None:
    raise ValueError(name)


def _text(element: Any) -> str:
    """The text of a cell."""
    if isinstance(element, str):
        return element.removeprefix(_NUMBER) if element.isprintable() else _encodable(element.removeprefix(_NUMBER))
    try:
        return orjson.dumps(element).decode()
    except TypeError:
        raise _Refused("it is nested too deep, or holds half a character") from None


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Refused("it holds half a character") from None
    return text


@contextmanager
def _stream(path: Path) -> Iterator[BinaryIO]:
    if path.name.lower().endswith(".gz"):
        with gzip.open(path, "rb") as packed:
            yield packed  # type: ignore[misc]
    else:
        with path.open("rb") as file:
            yield file


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers from 1, without their end; None for one that is too long. Blank lines are no records."""
    number = 0
    while raw := file.readline(LINE):
        number += 1
        if len(raw) == LINE and not raw.endswith(b"\n"):
            while (rest := file.readline(LINE)) and not rest.endswith(b"\n"):
                pass
            yield number, None
            continue
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if raw := raw.strip():
            yield number, raw


def _view(
    base: duckdb.DuckDBPyConnection,
    folder: Path,
    reading: _Reading,
    named: Mapping[str, Mapping[str, str]],
    held: Path,
) -> FhirView:
    columns: dict[str, tuple[SourceColumn, ...]] = {}
    places: dict[str, tuple[str, str]] = {}
    try:
        for name in sorted(reading.tables.keys() | named.keys()):
            parts = reading.tables.get(name)
            names = sorted(parts.names) if parts else []
            shown = [_seen(n, parts is not None and n in parts.numbers) for n in names]
            # What queries name and no resource has.
            shown += [
                f"CAST(NULL AS VARCHAR) AS {quoted(n)}" for n in sorted({"id", *named.get(name, {})} - set(names))
            ]
            scan = "(SELECT 1) WHERE false"
            if parts:
                paths = ", ".join(f"'{literal(p)}'" for p in parts.paths)
                scan = f"read_parquet([{paths}], union_by_name = true, hive_partitioning = false)"
                columns[name] = tuple(SourceColumn(n, "") for n in names)
                places[name] = (scan, '"id"')
            base.execute(f"CREATE VIEW {quoted(name)} AS SELECT {', '.join(shown)} FROM {scan}")
        base.execute(_MACROS)
        base.execute("SET TimeZone = 'UTC'")
        base.execute(f"SET allowed_directories = ['{literal(held)}']")
        base.execute("SET enable_external_access = false")
        base.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        raise unreadable(error, folder.name, KIND) from None
    return FhirView(base, folder.name, columns, places, reading)


def _seen(name: str, numbers: bool) -> str:
    """A column as queries see it: the digits of a number are a text."""
    return f"replace({quoted(name)}, '{_NUMBER}', '') AS {quoted(name)}" if numbers else quoted(name)


class FhirView(DuckView):
    """A View of resources. `unread` has one sentence for each line that could not be taken."""

    def __init__(
        self,
        base: duckdb.DuckDBPyConnection,
        name: str,
        columns: Mapping[str, tuple[SourceColumn, ...]],
        places: Mapping[str, tuple[str, str]],
        reading: _Reading,
    ) -> None:
        super().__init__(base, name, KIND, columns, places)
        self.unread: Sequence[str] = reading.unread
        self._contents = reading.contents

    def query(self, sql: str, size: int) -> Rows:
        """As any; a reference to content in the output column `body` becomes its bytes."""
        names, batches = super().query(sql, size)
        if "body" not in names:
            return Rows(names, batches)
        at = names.index("body")
        return Rows(names, ([(*r[:at], self._body(r[at]), *r[at + 1 :]) for r in rows] for rows in batches))

    def rows(self, table: str, columns: Sequence[str], size: int) -> Rows:
        """As any, each cell as it was written; the column WHOSE is the id that `subject`, `patient` or the like refers to."""
        source, key = self._places[table]
        there = {c.name for c in self._columns[table]}
        named = (quoted(c) for c in _OWNERS if c in there)
        whose = ", ".join(f"CASE WHEN json_valid({c}) THEN json_extract_string({c}, '$.reference') END" for c in named)
        whose = f"referred(coalesce({whose}, NULL))" if whose else "CAST(NULL AS VARCHAR)"
        kept = ", ".join([key, *(whose if c == WHOSE else quoted(c) for c in columns)])
        text = f"SELECT {kept} FROM {source}"
        batches = self._batches(self._cursor(), text, size, weighed=bool(columns))
        return Rows(("key", *columns), self._restored(batches))

    def _restored(self, batches: Iterator[list[tuple[Any, ...]]]) -> Iterator[list[tuple[Any, ...]]]:
        for rows in batches:
            waiting = iter(rows)
            # Content weighs only now that it is back.
            yield from by_weight(lambda n: [tuple(map(self._written, r)) for r in islice(waiting, n)], len(rows))  # noqa: B023

    def _body(self, value: Any) -> Any:
        if not isinstance(value, str) or not _KEPT.fullmatch(value):
            return value
        text = self._content(value)
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            # Not base64 in spite of its place: the text itself is what there is.
            return text.encode()

    def _content(self, mark: str) -> str:
        return self._contents.path(mark.removeprefix(_CONTENT)).read_bytes().decode()

    def _written(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if _KEPT.fullmatch(value):
            return self._content(value)
        if _NUMBER in value:
            value = _WRITTEN.sub(r"\1", value)
        if _CONTENT in value:
            # Inside JSON: escaped as JSON wants it.
            value = _KEPT.sub(lambda m: orjson.dumps(self._content(m[0])).decode()[1:-1], value)
        return value

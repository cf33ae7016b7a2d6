"""Reading back what our own exporter writes: DONNEES.JSON of a patient archive, TRANSVERSE.ZIP, and the bodies of both.

Nothing of it is trusted: shapes, types, owners and digests are checked before a row is handed on. Layout: DOCUMENTATION of the archive.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

from transvase.formats import cda
from transvase.formats.xdm import MAX_ENTRY_BYTES, MAX_RATIO, XdmArchive, XdmRefused
from transvase.model.record import ROW
from transvase.model.tables import TABLES
from transvase.sources.archive.sink import EMPTY, Row, Sink, row_of

DATA = "DONNEES.JSON"
EXTRACTION = "TRANSVERSE/EXTRACTION.JSON"
DATA_VERSION = 1
# A line holds one row; a native row may hold a picture in base64.
MAX_LINE = 200_000_000
_ROWS = 1000
_RATIO_FROM_BYTES = 1_000_000
_LINES = re.compile(r"TRANSVERSE/(?:ORPHELIN/)?([A-Z_]+)\.JSONL")
_ORPHAN = re.compile(r"TRANSVERSE/ORPHELIN/DOC\d{5,}\.[A-Z]{3}")
# What the practice holds as a whole.
_REPEATED = ("practice", "practitioner", "correspondent")
# Made from rows that are read elsewhere.
_DERIVED = ("README.TXT", "TRANSVERSE/AGENDA.ICS", "TRANSVERSE/ACCES.LOG", EXTRACTION)
_URI = re.compile(r"DOC\d{4,5}\.(XML|PDF)")

_PATIENT = TABLES["patient"]
_VERSION = ROW["document_version"]
# All that the standard library raises on a hostile or damaged ZIP.
DAMAGED = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError,
           OverflowError, ValueError)  # fmt: skip


class Unreadable(ValueError):
    """DONNEES.JSON is absent or not of the documented shape."""


def patient(archive: XdmArchive, where: str, known: set[str], sink: Sink) -> None:
    """The record of a patient archive. Nothing is handed on before all of it was checked: Unreadable otherwise."""
    key, tables, places = _data(archive)
    if key in known:
        sink.unread.append(f"{where}: its patient is that of an earlier archive; not imported.")
        return
    known.add(key)
    for name, rows in tables.items():
        sink.add(name, rows)
    originals: dict[str, str] = {}
    for entry in archive.names:
        if entry.startswith("ORIGINAUX/"):
            originals.setdefault(entry.removeprefix("ORIGINAUX/").partition(".")[0], entry)
    for row in map(_VERSION._make, tables.get("document_version", [])):
        if not row.sha256 or sink.holds(row.sha256):
            continue
        if row.sha256 == EMPTY:
            sink.keep(b"")
            continue
        uri = places.get((row.document, row.key), "")
        for body in _contents(archive, uri, originals):
            if hashlib.sha256(body).hexdigest() == row.sha256:
                sink.keep(body)
                break
        else:
            sink.unread.append(f"{where}, document_version {row.key}: its content is not in the archive.")


def _data(archive: XdmArchive) -> tuple[str, dict[str, list[Row]], dict[tuple[str, str], str]]:
    """The patient's key, rows by table, and where each (document, version) went."""
    try:
        content = orjson.loads(archive.read(DATA))
    except (XdmRefused, orjson.JSONDecodeError):
        raise Unreadable from None
    if not isinstance(content, dict) or content.get("version") != DATA_VERSION:
        raise Unreadable
    own = row_of(_PATIENT, content.get("patient"))
    tables, lines = content.get("tables"), content.get("documents")
    if own is None or not own[0] or not isinstance(tables, dict) or not isinstance(lines, list):
        raise Unreadable
    found: dict[str, list[Row]] = {"patient": [own]}
    for name, objects in tables.items():
        table = TABLES.get(name)
        if table is None or name == "patient" or not table.of_patient or not isinstance(objects, list):
            raise Unreadable
        at = [c.name for c in table.columns].index(table.patient_column)
        rows = []
        for values in objects:
            row = row_of(table, values)
            # A row of somebody else would enter another record.
            if row is None or row[at] != own[0]:
                raise Unreadable
            rows.append(row)
        found[name] = rows
    places = {}
    for line in lines:
        if not isinstance(line, dict) or not all(isinstance(line.get(n), str) for n in ("document", "version", "uri")):
            raise Unreadable
        places[line["document"], line["version"]] = line["uri"]
    return own[0], found, places


def _contents(archive: XdmArchive, uri: str, originals: dict[str, str]) -> Iterator[bytes]:
    """What may be the body of a document: its original, its file (a CDA of its own, a PDF), the PDF inside the CDA we wrote."""
    if not _URI.fullmatch(uri):
        return
    try:
        if original := originals.get(uri[: uri.index(".")]):
            yield archive.read(original)
        data = archive.read(f"IHE_XDM/SUBSET01/{uri}")
        yield data
        if uri.endswith(".XML") and (pdf := cda.embedded_pdf(data)) is not None:
            yield pdf
    except (XdmRefused, cda.CdaUnreadable):
        return


def transverse(
    file: BinaryIO, known: set[str], sink: Sink, shared: set[tuple[str, str]] | None = None
) -> dict[str, Any] | None:
    """Rows and bodies of TRANSVERSE.ZIP that no patient archive holds; the manifest of the extraction when it carries a good one. Each
    delivery of a phased request repeats the rows of the practice: those of `shared` (table, key) are passed over, and added there."""
    where = "TRANSVERSE.ZIP"
    manifest: dict[str, Any] | None = None
    wanted: dict[str, list[str]] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            if problem := _unsafe(infos):
                sink.unread.append(f"{where} is not opened: {problem}.")
                return None
            for rank, info in enumerate(infos, 1):
                if match := _LINES.fullmatch(info.filename):
                    name = match[1].lower()
                    if name in TABLES and name != "patient":
                        _lines(archive, info, name, known, wanted, sink, shared if name in _REPEATED else None)
                        continue
                if info.filename == EXTRACTION:
                    manifest = _manifest(archive, info)
                elif info.filename not in _DERIVED and not _ORPHAN.fullmatch(info.filename):
                    sink.unread.append(f"{where}, entry {rank}: it has no place in the tables; not imported.")
            _orphans(archive, infos, wanted, sink)
    except DAMAGED:
        sink.unread.append(f"{where} is damaged.")
    for keys in wanted.values():
        sink.unread += [f"{where}, document_version {key}: its content is not in the archive." for key in keys]
    return manifest


def _unsafe(infos: list[zipfile.ZipInfo]) -> str:
    """Why an archive is not opened, or nothing: as `xdm`, but for its sizes, since a practice has gigabytes of native rows."""
    names = [i.filename for i in infos]
    if len(set(names)) != len(names):
        return "it holds the same name twice"
    for rank, info in enumerate(infos, 1):
        if info.flag_bits & 0x2041:
            return f"entry {rank} is encrypted"
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return f"entry {rank} uses another compression method than stored or deflate"
        if info.file_size > _RATIO_FROM_BYTES and info.file_size > MAX_RATIO * max(info.compress_size, 1):
            return f"entry {rank} is compressed more than {MAX_RATIO} times"
    return ""


def _lines(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    name: str,
    known: set[str],
    wanted: dict[str, list[str]],
    sink: Sink,
    shared: set[tuple[str, str]] | None,
) -> None:
    """Rows of a table, one JSON object a line; those of patients whose record was read are there already."""
    table = TABLES[name]
    at = [c.name for c in table.columns].index(table.patient_column) if table.of_patient else -1
    rows: list[Row] = []
    number = 0
    with archive.open(info) as file:
        while line := file.readline(MAX_LINE):
            number += 1
            try:
                row = row_of(table, orjson.loads(line))
            except orjson.JSONDecodeError:
                row = None
            if row is None:
                sink.unread.append(f"{info.filename}, line {number}: it is not a row of {name}.")
                continue
            if at >= 0 and row[at] in known:
                continue
            if shared is not None:
                if (name, row[0]) in shared:
                    continue
                shared.add((name, row[0]))
            rows.append(row)
            if name == "document_version":
                version = _VERSION._make(row)
                if version.sha256 == EMPTY:
                    sink.keep(b"")
                elif version.sha256 and not sink.holds(version.sha256):
                    wanted.setdefault(version.sha256, []).append(version.key)
            if len(rows) >= _ROWS:
                sink.add(name, rows)
                rows = []
    sink.add(name, rows)


def _orphans(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], wanted: dict[str, list[str]], sink: Sink) -> None:
    """Bodies of documents without a patient; those found leave `wanted`."""
    for rank, info in enumerate(infos, 1):
        if not _ORPHAN.fullmatch(info.filename):
            continue
        if info.file_size > MAX_ENTRY_BYTES:
            sink.unread.append(f"TRANSVERSE.ZIP, entry {rank}: larger than {MAX_ENTRY_BYTES} bytes.")
            continue
        body = archive.read(info)
        if wanted.pop(hashlib.sha256(body).hexdigest(), None) is not None:
            sink.keep(body)


def _manifest(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> dict[str, Any] | None:
    """The manifest of the extraction when it has the parts that an export reads."""
    if info.file_size > MAX_LINE:
        return None
    try:
        content = orjson.loads(archive.read(info))
    except orjson.JSONDecodeError:
        return None
    counts = ("rows", "source", "mapped", "native", "excluded")
    good = (
        isinstance(content, dict)
        and isinstance(content.get("rows"), dict)
        and content["rows"].keys() == TABLES.keys()
        and all(type(n) is int for n in content["rows"].values())
        and isinstance(content.get("cells"), list)
        and all(
            isinstance(c, dict) and isinstance(c.get("table"), str) and all(type(c.get(n)) is int for n in counts)
            for c in content["cells"]
        )
        and isinstance(content.get("unserved"), dict)
        and all(isinstance(v, str) for v in content["unserved"].values())
        and all(isinstance(content.get(n), str) for n in ("product", "clock", "mapping"))
        and type(content.get("unreadable")) is int
    )
    return content if good else None

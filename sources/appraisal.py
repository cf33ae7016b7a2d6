"""What a database will ask of the machine, and what can be seen of it without moving anything: rows, bytes of bodies, a measured rate,
links, keys that stand twice, encodings that lie. What is found is counts and names of tables and columns, never a value.

What the canonical tables and the verdicts say of it afterwards belongs to `reports.assessment`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from transvase.errors import SourceMissing
from transvase.formats import safe_xml
from transvase.formats.sniff import sniff
from transvase.formats.xdm import MAX_ENTRY_BYTES, XdmArchive, XdmRefused
from transvase.sources.discover.encodings import fault_of
from transvase.sources.discover.profile import family
from transvase.sources.discover.reading import place_of, quoted
from transvase.sources.fitness import links
from transvase.sources.mapping import Mapping as ProductMapping
from transvase.sources.view import QueryFault, View

# Rows read of each table for the rate, and for the encodings of its texts: a lie of the software is in most of its rows.
SAMPLE = 400
# Of a table of scans, rows enough to know the weight of one.
SAMPLE_BODIES = 40
# Extraction, verdicts and archive against reading the same thing once in the way of `_read`: measured on two practices of the generator,
# 9,500 rows with 1,100 documents of 55 kB (7 s) and 30,500 rows with 3,600 documents of 4 kB (18 s), one process; rounded up.
ROWS_FACTOR, BYTES_FACTOR = 24.0, 14.0
# The same for a folder of documents, opened, hashed and parsed once: measured on the official examples of CI-SIS, 69 XDM archives.
FOLDER_FACTOR = 40.0
# The archive holds a PDF, a CDA and a readable copy of each document: 2.15 times the bytes of the bodies, and 8 kB a document, there.
ARCHIVE_FACTOR, DOCUMENT_BYTES = 2.2, 9_000


class Weight(NamedTuple):
    """`rows` and `cells` of the source; bytes of bodies and of everything else (the latter from the sample); seconds that the whole chain
    may take on this machine; bytes that the work folder and the export folder must be able to take."""

    rows: int
    cells: int
    body_bytes: int
    other_bytes: int
    seconds: int
    work_bytes: int
    export_bytes: int


def weigh(mapping: ProductMapping, view: View, documents: Path | None) -> Weight:
    """Count, and measure on a sample; the answer of seconds differs from one run to the next, nothing else does."""
    tables = view.tables()
    counts = {table: view.count(table) for table in tables}
    bodies = {
        table: [c.name for c in columns if family(c.type) == "binary" or _is_body(mapping, table, c.name)]
        for table, columns in tables.items()
    }
    body_bytes = _beside(documents)
    other = rows_seconds = bytes_seconds = 0.0
    read = held = 0
    for table, columns in tables.items():
        if not counts[table]:
            continue
        body_bytes += sum(_bytes_of(mapping.kind, view, table, column) for column in bodies[table])
        plain = [c.name for c in columns if c.name not in bodies[table]]
        weight, spent, got = _read(mapping.kind, view, table, plain, SAMPLE)
        other += weight / max(got, 1) * counts[table]
        rows_seconds += spent / max(got, 1) * counts[table]
        if bodies[table]:
            held += counts[table]
            weight, spent, _ = _read(mapping.kind, view, table, bodies[table], SAMPLE_BODIES)
            bytes_seconds, read = bytes_seconds + spent, read + int(weight)
    # Files beside the database are read at the rate of the bodies in it; without any, of a disk.
    rate = bytes_seconds / read if read else 5e-9
    archive = round(body_bytes * ARCHIVE_FACTOR + other) + held * DOCUMENT_BYTES
    return Weight(
        sum(counts.values()),
        sum(counts[t] * len(c) for t, c in tables.items()),
        body_bytes,
        round(other),
        round(rows_seconds * ROWS_FACTOR + body_bytes * rate * BYTES_FACTOR) + 1,
        # Bodies and tables, and the finished lots until the archive stands.
        round(body_bytes + other) + archive,
        archive,
    )


def weigh_folder(folder: Path) -> Weight:
    """The same of a folder of CDA and XDM: a row is a file, or an entry of an archive. SourceMissing without it."""
    if not folder.is_dir():
        raise SourceMissing(path=folder.name)
    items = unpacked = 0
    read, began = 0, time.perf_counter()
    for rank, path in enumerate(sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())):
        sizes = [path.stat().st_size]
        if zipfile.is_zipfile(path):
            with contextlib.suppress(zipfile.BadZipFile, OSError), zipfile.ZipFile(path) as archive:
                sizes = [entry.file_size for entry in archive.infolist() if not entry.is_dir()]
        items, unpacked = items + len(sizes), unpacked + sum(sizes)
        if rank < SAMPLE:
            read += _parsed(path)
    spent = time.perf_counter() - began
    archive_bytes = round(unpacked * ARCHIVE_FACTOR) + items * DOCUMENT_BYTES
    return Weight(
        items,
        items,
        unpacked,
        0,
        round(spent / max(read, 1) * unpacked * FOLDER_FACTOR) + 1,
        unpacked + archive_bytes,
        archive_bytes,
    )


def _parsed(path: Path) -> int:
    """Bytes of a file, or of the entries of an archive, read, hashed, and parsed when they are CDA; faults are for `extract` to tell."""
    try:
        with path.open("rb") as file, XdmArchive(file) as archive:
            bodies = [archive.read(name) for name in archive.names if not name.endswith("/")]
    except (XdmRefused, OSError):
        bodies = [path.read_bytes()] if path.stat().st_size <= MAX_ENTRY_BYTES else []
    for body in bodies:
        hashlib.sha256(body).digest()
        if sniff(body) == "cda":
            with contextlib.suppress(safe_xml.XmlRefused):
                safe_xml.element(body)
    return sum(map(len, bodies))


def coverage(mapping: ProductMapping, view: View) -> list[dict[str, Any]]:
    """Every table with its rows and what becomes of each of its columns; `unknown` for one that the mapping does not know."""
    out = []
    for table, columns in view.tables().items():
        told = []
        for column in columns:
            use = mapping.columns.get((table, column.name))
            told.append(
                {
                    "column": column.name,
                    "disposition": use.disposition if use else "unknown",
                    "target": use.target if use else "",
                    "reason": use.reason if use else "",
                }
            )
        out.append({"table": table, "rows": view.count(table), "columns": told})
    return out


def broken_links(mapping: ProductMapping, view: View) -> list[dict[str, Any]]:
    """Links of which some value names no row: how many different values there are, and how many are found."""
    counts = {table: view.count(table) for table in view.tables()}
    return [
        {"of": str(k.link.of), "in": str(k.link.within), "values": k.of, "found": k.found}
        for k in links(mapping, view, counts)
        if k.found < k.of
    ]


def lying_encodings(mapping: ProductMapping, view: View) -> list[dict[str, Any]]:
    """Columns whose texts show a fault of encoding, by fault, among the rows sampled."""
    out = []
    for table, columns in view.tables().items():
        names = [c.name for c in columns if family(c.type) != "binary" and not _is_body(mapping, table, c.name)]
        faults: dict[str, Counter[str]] = {name: Counter() for name in names}
        for row in _sample(mapping.kind, view, table, names, SAMPLE):
            for name, value in zip(names, row, strict=True):
                if isinstance(value, str) and (not value.isascii() or "&" in value) and (fault := fault_of(value)):
                    faults[name][fault] += 1
        out += [
            {"table": table, "column": name, "fault": fault, "rows": rows}
            for name, found in faults.items()
            for fault, rows in sorted(found.items())
        ]
    return out


def _is_body(mapping: ProductMapping, table: str, column: str) -> bool:
    use = mapping.columns.get((table, column))
    return use is not None and "document_version.body" in use.targets


def _beside(documents: Path | None) -> int:
    """Bytes of the files that lie beside the database."""
    if documents is None or not documents.is_dir():
        return 0
    return sum(
        path.stat().st_size
        for folder, _, files in os.walk(documents)
        for name in files
        if (path := Path(folder) / name).is_file()
    )


def _bytes_of(kind: str, view: View, table: str, column: str) -> int:
    """Bytes of a whole column, added up by the engine."""
    name = quoted(kind, column)
    size = {"sqlite": f"LENGTH(CAST({name} AS BLOB))", "mariadb": f"OCTET_LENGTH({name})", "postgresql": f"OCTET_LENGTH({name})"}.get(
        kind, f"OCTET_LENGTH(CAST({name} AS BLOB))"
    )  # fmt: skip
    try:
        ((total,),) = [
            r for b in view.query(f"SELECT SUM({size}) AS n FROM {place_of(kind, table)}", 1).batches for r in b
        ]
    except QueryFault:
        return 0
    return int(total or 0)


def _read(kind: str, view: View, table: str, columns: list[str], most: int) -> tuple[float, float, int]:
    """Bytes, seconds and rows of a sample: read, written as JSON and digested, which is what extraction does of most cells."""
    if not columns:
        return 0.0, 0.0, 0
    began, weight, rows = time.perf_counter(), 0, 0
    for row in _sample(kind, view, table, columns, most):
        raw = [v if isinstance(v, bytes) else str(v).encode("utf-8", "replace") for v in row if v is not None]
        hashlib.sha256(b"".join(raw)).digest()
        orjson.dumps([len(v) for v in raw])
        weight += sum(map(len, raw))
        rows += 1
    return float(weight), time.perf_counter() - began, rows


def _sample(kind: str, view: View, table: str, columns: list[str], most: int) -> Iterator[tuple[Any, ...]]:
    if not columns:
        return
    names = ", ".join(quoted(kind, c) for c in columns)
    try:
        for batch in view.query(f"SELECT {names} FROM {place_of(kind, table)} LIMIT {most:d}", 16).batches:
            yield from batch
    except QueryFault:
        # Two columns of one name in the engine's eyes: nothing is known of this table by a sample.
        return


def free_bytes(folder: Path) -> int:
    """Bytes free where a folder is, or will be."""
    return shutil.disk_usage(_standing(folder)).free


def one_disk(first: Path, second: Path) -> bool:
    """Whether both folders are, or will be, on one disk: then what each needs adds up."""
    return _standing(first).stat().st_dev == _standing(second).stat().st_dev


def _standing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place

"""A folder of CDA documents and XDM archives (zipped, or unpacked trees) as a practice's source: the same work folder as an extraction,
with an account of every file. Documents are read by `foreign`; whole archives of ours belong to `importer`.

Each file of the folder, and each entry of its archives, is counted before and after: kept as a document, part of the packaging that XDM
prescribes, or set aside with a reason. What is set aside is kept as a document without a patient whenever its bytes can be had.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from transvase.errors import CellsUnaccounted, SourceMissing, SourceUnreadable
from transvase.formats import files
from transvase.formats.sniff import sniff
from transvase.formats.xdm import MAX_ENTRY_BYTES, XdmArchive, XdmRefused
from transvase.model.tables import TABLES
from transvase.sources import increments
from transvase.sources.archive.foreign import Received
from transvase.sources.archive.sink import Row, Sink
from transvase.sources.bodies import Bodies
from transvase.sources.increments import FileStates, RowDigests
from transvase.sources.tables import publish, written

KIND = "CDA/XDM"
# What the layout of XDM puts beside the documents.
_PACKAGING = re.compile(r"(?:.*/)?(?:METADATA\.XML|INDEX\.HTML?|README\.TXT|[^/]*\.XSLT?|[^/]*\.CSS)", re.IGNORECASE)
_LEFT = "les documents reçus ne disent que l'identité et leur propre contenu"
# An archive in an archive (a portability archive of another software) is opened; no deeper.
_DEPTH = 1
_STATES = 8192


class _Kept(Sink):
    """A sink that remembers the contents of the documents it was given."""

    def __init__(self, folder: Path, bodies: Bodies) -> None:
        super().__init__(folder, bodies)
        self.digests: set[str] = set()
        self._at = [c.name for c in TABLES["document_version"].columns].index("sha256")

    def add(self, table: str, rows: list[Row]) -> None:
        if table == "document_version":
            self.digests.update(row[self._at] for row in rows)
        super().add(table, rows)


class _Account:
    """Every item met: its digest (empty when its bytes cannot be had), size, and whether it was set aside or is packaging."""

    def __init__(self) -> None:
        self.items: list[tuple[str, int, str]] = []

    def add(self, data: bytes, part: str) -> None:
        self.items.append((hashlib.sha256(data).hexdigest(), len(data), part))

    def lost(self, size: int) -> None:
        self.items.append(("", size, "aside"))


def extract_folder(
    folder: Path,
    work: Path,
    *,
    product: str,
    clock: datetime,
    own: str = "",
    again: bool = False,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> dict[str, Any]:
    """Read the folder into `work/canonical` and `work/bodies`; the manifest, also written as `work/canonical/extraction.json`. `own` is
    the practice's Struct_IdNat: a CDA in its custody is produced, any other received. A folder of which no file has come, gone or changed
    (by its size and time) since the extraction that stands there is not read again, unless `again`.

    Raises SourceMissing, SourceUnreadable (a folder without a file), CellsUnaccounted, DiskFull."""
    if not folder.is_dir():
        raise SourceMissing(path=folder.name)
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    if not paths:
        raise SourceUnreadable(path=folder.name, kind=KIND, reason="it holds no file")
    final, building = work / "canonical", work / "canonical.part"
    account = _Account()
    made = increments.made_with(f"{product} {own}", folder)
    try:
        files.private_folder(work)
        shutil.rmtree(building, ignore_errors=True)
        scratch = files.private_folder(files.private_folder(building) / "scratch")
        totals = _states(folder, paths, building)
        before = None if again else increments.earlier(work, made)
        if before is not None and totals == before["source_rows"]:
            return increments.unchanged(before, final, clock)
        sink = _Kept(building, Bodies(work / "bodies"))
        with sink:
            reading = _Reading(sink, Received(sink, own), account)
            for done, (where, root, group) in enumerate(_units(paths), 1):
                reading.unit(where, root, group, scratch)
                progress("documents", min(done, len(paths)), len(paths))
            reading.received.close()
            rows = sink.rows
        received = _sum(account, building)
        manifest = {
            "product": product,
            "clock": clock.isoformat(),
            "version": "",
            "vintage": "",
            "mapping": "",
            "made": made,
            "source_rows": totals,
            "rows": rows,
            "cells": [
                {
                    "table": "files",
                    "rows": received["items"],
                    "source": received["items"],
                    "mapped": received["documents"],
                    "native": received["aside"],
                    "excluded": received["packaging"],
                }
            ],
            "unserved": {n: _LEFT for n, count in rows.items() if not count and n != "native"},
            "unreadable": 0,
            "files": {"named": 0, "read": 0, "absent": 0},
            "received": received,
            "unread": sink.unread,
            "in_documents": sink.in_documents,
        }
        shutil.rmtree(scratch)
        if before is not None:
            found = increments.changes(
                final / increments.ROWS, building / increments.ROWS, building / increments.CHANGES
            )
            manifest["changes"] = {table: change._asdict() for table, change in found.items()}
        files.write(building / "extraction.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        publish(building, final)
    except OSError as error:
        raise files.output_error(error, work) from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return manifest


def _states(folder: Path, paths: list[Path], building: Path) -> dict[str, str]:
    """Each file as a source row: its name digested, since names may hold a patient's, its size and its time of change."""
    with RowDigests(building / increments.ROWS) as digests, FileStates(building / increments.FILES):
        for start in range(0, len(paths), _STATES):
            rows = [
                (hashlib.sha256(os.fsencode(p.relative_to(folder))).hexdigest()[:32], seen.st_size, seen.st_mtime_ns)
                for p in paths[start : start + _STATES]
                for seen in (p.stat(),)
            ]
            digests.add("files", rows)
    return digests.totals


def _units(paths: list[Path]) -> Iterator[tuple[str, Path | None, list[Path]]]:
    """Files that are read together, in the order of the first: those under an IHE_XDM, with the folder that holds it (an archive that
    somebody unpacked), else each alone. Named by ranks, since names may hold a patient's."""
    trees: dict[Path, list[Path]] = {}
    for path in paths:
        if root := _root(path):
            trees.setdefault(root, []).append(path)
    for rank, path in enumerate(paths, 1):
        root = _root(path)
        if root is None or trees[root][0] == path:
            yield f"file {rank}", root, [path] if root is None else trees[root]


def _root(path: Path) -> Path | None:
    return next((p.parent for p in path.parents if p.name.upper() == "IHE_XDM"), None)


class _Reading:
    """The units of the folder, read one by one."""

    def __init__(self, sink: _Kept, received: Received, account: _Account) -> None:
        self._sink = sink
        self.received = received
        self._account = account

    def unit(self, where: str, root: Path | None, group: list[Path], scratch: Path) -> None:
        """A file, or the files of an unpacked archive: packed again, so that one reader has one set of refusals."""
        if root is not None:
            packed = scratch / "tree.zip"
            with zipfile.ZipFile(packed, "w", allowZip64=True, strict_timestamps=False) as archive:
                for path in group:
                    archive.write(path, path.relative_to(root).as_posix())
            try:
                with packed.open("rb") as file:
                    self._archive(file, where, 0)
                return
            except XdmRefused:
                self._sink.unread.append(f"{where}: it is not an unpacked archive that can be read as one.")
        for path in group:
            self._file(path, where)

    def _file(self, path: Path, where: str) -> None:
        size = path.stat().st_size
        with path.open("rb") as file:
            if file.read(2) == b"PK":
                try:
                    self._archive(file, where, 0)
                    return
                except XdmRefused:
                    self._sink.unread.append(f"{where}: it is not an archive that can be opened; kept as it is.")
        if size > MAX_ENTRY_BYTES:
            self._sink.unread.append(f"{where}: larger than {MAX_ENTRY_BYTES} bytes; left where it is.")
            self._account.lost(size)
            return
        self._document(path.read_bytes(), where, path.name)

    def _archive(self, file: BinaryIO, where: str, depth: int) -> None:
        with XdmArchive(file) as archive:
            if archive.subsets:
                self.received.archive(archive, where)
            for rank, name in enumerate(archive.names, 1):
                if name.endswith("/"):
                    continue
                label = f"{where}, entry {rank}"
                try:
                    data = archive.read(name)
                except XdmRefused:
                    # Of a submission folder it is listed already.
                    if not archive.subsets or not name.upper().startswith("IHE_XDM/"):
                        self._sink.unread.append(f"{label}: it is damaged.")
                    self._account.lost(archive.size(name))
                    continue
                if data[:2] == b"PK" and depth < _DEPTH and hashlib.sha256(data).hexdigest() not in self._sink.digests:
                    try:
                        self._archive(io.BytesIO(data), label, depth + 1)
                        continue
                    except XdmRefused:
                        pass
                self._document(data, label, name)

    def _document(self, data: bytes, where: str, name: str) -> None:
        """What was kept already, packaging, a CDA, or something else."""
        if hashlib.sha256(data).hexdigest() in self._sink.digests:
            self._account.add(data, "document")
        elif _PACKAGING.fullmatch(name):
            self._account.add(data, "packaging")
        elif sniff(data) == "cda":
            self._account.add(data, "document" if self.received.document(data, where, None) else "aside")
        else:
            self._sink.unread.append(f"{where}: no document that names a patient; kept without one.")
            self.received.aside(data, where)
            self._account.add(data, "aside")


def _sum(account: _Account, building: Path) -> dict[str, int]:
    """Items and bytes by what became of them; what is said to be kept is looked for in the table as written. CellsUnaccounted."""
    kept = {d for batch in written(building, "document_version", ["sha256"]) for d in batch.column(0).to_pylist()}
    names = {"document": "documents", "aside": "aside", "packaging": "packaging"}
    found = {"items": len(account.items), "bytes": sum(size for _, size, _ in account.items)}
    for part, name in names.items():
        sizes = [s for d, s, p in account.items if p == part and (part == "packaging" or d in kept or not d)]
        found |= {name: len(sizes), f"{name}_bytes": sum(sizes)}
    accounted = sum(found[name] for name in names.values())
    if accounted != found["items"]:
        raise CellsUnaccounted(table="files", source=found["items"], accounted=accounted)
    return found

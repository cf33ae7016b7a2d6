"""Import: an archive becomes a work folder, as an extraction makes one from a database, so that all that follows is the same.

Ours come back whole (`own`); XDM archives of others, alone or in a portability archive, and folders of XDM and CDA become received
documents (`foreign`). Nothing stands under its final name before all was read; the same archive gives the same files again.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import duckdb
import orjson

from transvase.errors import ArchiveInvalid, BadCall, Said
from transvase.formats import files
from transvase.formats.sniff import sniff
from transvase.formats.xdm import MAX_ENTRY_BYTES, XdmArchive, XdmRefused
from transvase.formats.xds import DocumentEntry
from transvase.formats.xds_xml import MetadataUnreadable, read_metadata
from transvase.formats.zip_window import window
from transvase.model.tables import TABLES
from transvase.sources.archive import own
from transvase.sources.archive.foreign import Received
from transvase.sources.archive.sink import Sink
from transvase.sources.bodies import Bodies
from transvase.sources.tables import publish

# Beside extraction.json: says that the folder came from an archive, and what of it could not be read.
RECORD = "import.json"
_PATIENT = re.compile(r"PAT\d{5}\.ZIP")
_CDA = re.compile(r".*\.(?:xml|cda)", re.IGNORECASE)
_LEFT = "les documents reçus ne disent que l'identité et leur propre contenu"

_NO_ACCOUNT = "TRANSVERSE.ZIP holds no account of an extraction: the cells of the source are not known."

Progress = Callable[[int, int], None]


class Imported(NamedTuple):
    """The manifest written as extraction.json, bodies put in the store, one sentence per thing that could not be read, and one per kind of
    statement that stays in its document alone, which is kept byte for byte."""

    manifest: dict[str, Any]
    bodies: int
    unread: list[str]
    in_documents: list[str]


def is_portability(path: Path) -> bool:
    """Whether a file is a portability archive (PA….ZIP), which `verify` can judge before anything of it is read."""
    try:
        with zipfile.ZipFile(path) as outer:
            names = set(outer.namelist())
    except (OSError, *own.DAMAGED):
        # Damaged, it is still one by its name.
        return re.fullmatch(r"PA\d{8}T\d{6}\.ZIP", path.name) is not None
    return "MANIFEST.XML" in names and not any(n.upper().startswith("IHE_XDM/") for n in names)


def import_archive(
    path: Path,
    work: Path,
    *,
    clock: datetime,
    progress: Progress = lambda done, total: None,
    opened: Callable[[], Iterator[BinaryIO]] | None = None,
) -> Imported:
    """Read `path` (an archive, a CDA, or a folder of them) into `work/canonical` and `work/bodies`. `clock` dates what has no
    extraction of its own. With `opened`, the portability archives that `path` stands for: those of a set, or an encrypted one in clear;
    each is closed before the next is asked for.

    BadCall when `work` holds the extraction of a database; ArchiveInvalid when nothing can be opened; DiskFull."""
    final, building = work / "canonical", work / "canonical.part"
    if (final / "extraction.json").exists() and not (final / RECORD).exists():
        raise BadCall(
            what=Said(
                f"le dossier {work.name} contient l'extraction d'une base",
                f"folder {work.name} holds a database's extraction",
            ),
            mend=Said("donnez un autre dossier de travail à l'import", "give the import another work folder"),
        )
    try:
        files.private_folder(work)
        shutil.rmtree(building, ignore_errors=True)
        files.private_folder(building)
        with Sink(building, Bodies(work / "bodies")) as sink:
            received = Received(sink)
            if opened is not None:
                manifest = _several(path, opened, building, received, sink, progress)
            elif path.is_dir():
                _folder(path, received, sink, progress)
                manifest = None
            else:
                manifest = _file(path, received, sink, progress)
            received.close()
            rows = sink.rows
        if manifest is None:
            manifest = _manifest(clock, rows)
        elif manifest["rows"] != rows:
            sink.unread += [
                f"{name}: {manifest['rows'][name]} rows announced, {n} read." for name, n in rows.items() if manifest["rows"][name] != n
            ]  # fmt: skip
            manifest["rows"] = rows
        files.write(building / "extraction.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        files.write(
            building / RECORD,
            orjson.dumps(
                {"archive": path.name, "unread": sink.unread, "in_documents": sink.in_documents},
                option=orjson.OPT_INDENT_2,
            ),
        )
        publish(building, final)
    except (OSError, duckdb.IOException) as error:
        if isinstance(error, OSError):
            raise files.output_error(error, work) from None
        raise files.output_error(OSError(28 if "space" in str(error).lower() else 5, ""), work) from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return Imported(manifest, sink.bodies, sink.unread, sink.in_documents)


def _manifest(clock: datetime, rows: dict[str, int]) -> dict[str, Any]:
    """What stands for the extraction of an archive that carries none: it accounts for no cell of a source."""
    return {
        "product": "archive",
        "clock": clock.isoformat(),
        "mapping": "",
        "rows": rows,
        "cells": [],
        "unserved": {
            n: _LEFT for n in TABLES if n not in ("patient", "document", "document_version", "native") and not rows[n]
        },
        "unreadable": 0,
    }


def _file(path: Path, received: Received, sink: Sink, progress: Progress) -> dict[str, Any] | None:
    """One file; the manifest of the extraction when it is a portability archive that carries one."""
    with path.open("rb") as file:
        start = file.read(4)
        if start[:2] != b"PK":
            if not _document(path, "the file", received, sink, {}):
                raise ArchiveInvalid(path=path.name, count=1)
            return None
        if not is_portability(path):
            try:
                with XdmArchive(file) as archive:
                    received.archive(archive, "the archive")
            except XdmRefused:
                raise ArchiveInvalid(path=path.name, count=1) from None
            return None
        try:
            with zipfile.ZipFile(path) as outer:
                return _portability(outer, file, received, sink, progress)
        except own.DAMAGED:
            raise ArchiveInvalid(path=path.name, count=1) from None


def _portability(
    outer: zipfile.ZipFile, file: BinaryIO, received: Received, sink: Sink, progress: Progress
) -> dict[str, Any] | None:
    """Patient archives, then what belongs to no patient."""
    known: set[str] = set()
    _patients(outer, file, received, sink, progress, known)
    infos = {i.filename: i for i in outer.infolist()}
    if "TRANSVERSE.ZIP" not in infos:
        sink.unread.append("TRANSVERSE.ZIP is missing.")
        return None
    try:
        inner = window(file, infos["TRANSVERSE.ZIP"])
    except zipfile.BadZipFile:
        sink.unread.append("TRANSVERSE.ZIP cannot be opened.")
        return None
    manifest = own.transverse(inner, known, sink)
    if manifest is None:
        sink.unread.append(_NO_ACCOUNT)
    return manifest


def _several(
    path: Path,
    opened: Callable[[], Iterator[BinaryIO]],
    building: Path,
    received: Received,
    sink: Sink,
    progress: Progress,
) -> dict[str, Any] | None:
    """The patients of every archive, then what belongs to none: the first archive of a delivery holds it for all."""
    known: set[str] = set()
    shared: set[tuple[str, str]] = set()
    manifest: dict[str, Any] | None = None
    with ExitStack() as stack:
        transverse: list[BinaryIO] = []
        for file in opened():
            try:
                with zipfile.ZipFile(file) as outer:
                    _patients(outer, file, received, sink, progress, known)
                    # Without a name: gone with the process, however it ends.
                    kept: BinaryIO = stack.enter_context(tempfile.TemporaryFile(dir=building))
                    with outer.open("TRANSVERSE.ZIP") as member:
                        shutil.copyfileobj(member, kept)
                    transverse.append(kept)
            except KeyError:
                sink.unread.append("TRANSVERSE.ZIP is missing.")
            except own.DAMAGED:
                raise ArchiveInvalid(path=path.name, count=1) from None
        for one in transverse:
            one.seek(0)
            manifest = own.transverse(one, known, sink, shared) or manifest
    if manifest is None:
        sink.unread.append(_NO_ACCOUNT)
    return manifest


def _patients(
    outer: zipfile.ZipFile, file: BinaryIO, received: Received, sink: Sink, progress: Progress, known: set[str]
) -> None:
    """Patient archives in the order of their names, each by its data when they are ours and whole, by its documents otherwise; their
    keys are added to `known`."""
    infos = {i.filename: i for i in outer.infolist()}
    names = sorted(n for n in infos if _PATIENT.fullmatch(n))
    for done, name in enumerate(names, 1):
        try:
            with XdmArchive(window(file, infos[name])) as archive:
                if own.DATA not in archive:
                    received.archive(archive, name)
                else:
                    try:
                        own.patient(archive, name, known, sink)
                    except own.Unreadable:
                        sink.unread.append(
                            f"{name}: DONNEES.JSON is not of the documented shape; its documents are imported."
                        )
                        received.archive(archive, name)
        except (XdmRefused, zipfile.BadZipFile):
            sink.unread.append(f"{name} cannot be opened.")
        progress(done, len(names))


def _folder(folder: Path, received: Received, sink: Sink, progress: Progress) -> None:
    """XDM archives and CDA of a folder, in the order of their paths; a message gives the rank, since names may hold a patient's."""
    paths = sorted(_regular(folder))
    described: dict[Path, dict[str, DocumentEntry]] = {}
    for rank, path in enumerate(paths, 1):
        where = f"file {rank}"
        progress(rank, len(paths))
        if path.name.upper() == "METADATA.XML":
            continue
        if path.suffix.lower() == ".zip":
            try:
                with path.open("rb") as file, XdmArchive(file) as archive:
                    received.archive(archive, where)
            except XdmRefused:
                sink.unread.append(f"{where}: it is not an archive that can be opened.")
        elif _CDA.fullmatch(path.name):
            if path.parent not in described:
                described[path.parent] = _described(path.parent)
            if not _document(path, where, received, sink, described[path.parent]):
                sink.unread.append(f"{where}: it is not a CDA; not imported.")


def _regular(folder: Path) -> Iterator[Path]:
    """Files of a folder and below it; links are not followed."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path


def _described(folder: Path) -> dict[str, DocumentEntry]:
    """Metadata beside documents, in an XDM archive that somebody unpacked."""
    try:
        return {e.uri.upper(): e for e in read_metadata((folder / "METADATA.XML").read_bytes()).entries}
    except (OSError, MetadataUnreadable):
        return {}


def _document(path: Path, where: str, received: Received, sink: Sink, described: dict[str, DocumentEntry]) -> bool:
    """A CDA file; False when it is none."""
    if path.stat().st_size > MAX_ENTRY_BYTES:
        sink.unread.append(f"{where}: larger than {MAX_ENTRY_BYTES} bytes.")
        return True
    data = path.read_bytes()
    if sniff(data) != "cda":
        return False
    received.document(data, where, described.get(path.name.upper()))
    return True

"""A set of archives against its set manifest: whether all are there, once each, unchanged, and whether a patient stands in two of them;
the signature of the manifest, and whether it is of the hand that signed the archives.

What each archive is worth by itself is `archive`'s to say; opening encrypted ones is the caller's.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from transvase.formats.archive_set import SUFFIX, Listed, SetManifest, SetUnreadable, read
from transvase.formats.portability_manifest import Head, ManifestUnreadable
from transvase.formats.portability_manifest import read as read_manifest
from transvase.formats.safe_xml import MAX_BYTES
from transvase.formats.zip_window import window
from transvase.validators import seal
from transvase.validators.archive_findings import Found, found
from transvase.validators.archive_patient import MAX_DATA_BYTES

_ARCHIVE = re.compile(r".+\.zip(?:\.age|\.p7m)?", re.IGNORECASE)
_NAME = re.compile(r"PA\d{8}T\d{6}\.ZIP(?:\.age|\.p7m)?")
# All that the standard library raises on a hostile or damaged ZIP.
_DAMAGED = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError,
            OverflowError, ValueError)  # fmt: skip


class Held(NamedTuple):
    """What an archive holds: the SHA-256 of its dossiers by its manifest, its patients (digests of their identifiers, so that memory
    holds none), rows and cells of their data; -1 where these cannot be counted; whether it is signed, and the certificate that its
    SIGN.XML presents, None when it has none that can be read."""

    dossiers: tuple[str, ...]
    patients: tuple[bytes, ...]
    rows: int
    cells: int
    signed: bool
    signer: Any | None


class SetFound(NamedTuple):
    """A set in a folder: its manifest, the listed archives that are there unchanged, and what is already wrong."""

    manifest: SetManifest
    present: list[tuple[Listed, Path]]
    findings: list[Found]


def manifest_of(path: Path) -> Path | None:
    """The set manifest of a folder: of several, the one that knows the most deliveries, then the last made; None without any."""
    best: tuple[int, str, Path] | None = None
    for one in sorted(path.glob(f"PA*{SUFFIX}")):
        try:
            rank = (read(one).delivery, one.name, one)
        except SetUnreadable:
            rank = (0, one.name, one)
        best = rank if best is None else max(best, rank)
    return best[2] if best else None


def survey(path: Path) -> SetFound:
    """Compare the set manifest `path` with the files of its folder. SetUnreadable when it is none."""
    manifest = read(path)
    findings: list[Found] = []
    present: list[tuple[Listed, Path]] = []
    listed = {one.file: one for one in manifest.archives}
    if len(listed) != len(manifest.archives):
        findings.append(found("ARC-SET-LISTED-TWICE"))
    for file, one in listed.items():
        place = path.parent / file
        if not place.is_file():
            findings.append(found("ARC-SET-MISSING", name=file))
        elif place.stat().st_size != one.size or _digest(place) != one.file_sha256:
            findings.append(found("ARC-SET-CHANGED", name=file))
        else:
            present.append((one, place))
    known = {one.file_sha256 for one in manifest.archives}
    for other in sorted(path.parent.iterdir()):
        if other.is_file() and other.name not in listed and _ARCHIVE.fullmatch(other.name):
            # A name of the folder may be anything: shown only in the form that an archive has.
            shown = other.name if _NAME.fullmatch(other.name) else "?"
            findings.append(found("ARC-SET-REPEATED" if _digest(other) in known else "ARC-SET-FOREIGN", name=shown))
    findings += _totals(manifest)
    if manifest.rest_due:
        findings.append(
            found("ARC-SET-REST", delivery=manifest.delivery, of=manifest.deliveries, day=manifest.rest_due[:10])
        )
    return SetFound(manifest, present, findings)


def _totals(manifest: SetManifest) -> Iterator[Found]:
    """The manifest against itself: totals, counts, a dossier listed twice."""
    counted = {"archives": len(manifest.archives)}
    for name in ("patients", "documents", "rows", "cells"):
        counted[name] = sum(getattr(one, name) for one in manifest.archives)
    if counted != manifest.totals or any(one.patients != len(one.dossiers) for one in manifest.archives):
        yield found("ARC-SET-TOTALS")
    dossiers = [dossier for one in manifest.archives for dossier in one.dossiers]
    if repeated := len(dossiers) - len(set(dossiers)):
        yield found("ARC-SET-TWICE", count=repeated)


def contents(file: BinaryIO) -> Held | None:
    """What an archive in clear holds; None when it cannot be read, which `archive.verify` tells."""
    file.seek(0)
    dossiers: list[str] = []
    patients: list[bytes] = []
    rows = cells = 0
    signer = None
    try:
        with zipfile.ZipFile(file) as outer:
            info = outer.getinfo("MANIFEST.XML")
            if info.file_size > MAX_BYTES:
                return None
            with outer.open(info) as manifest:
                lines = read_manifest(manifest)[1]  # type: ignore[arg-type]
            for line in lines:
                if line.type != "PATIENT":
                    continue
                dossiers.append(line.sha256)
                patients.append(hashlib.sha256(line.patient_id.encode()).digest())
                if rows >= 0:
                    counted = _counted(window(file, outer.getinfo(line.name)))
                    rows, cells = (rows + counted[0], cells + counted[1]) if counted else (-1, -1)
            signed = "SIGN.XML" in outer.namelist()
            if signed and outer.getinfo("SIGN.XML").file_size <= MAX_BYTES:
                signer = seal.signer(outer.read("SIGN.XML"))
    except (ManifestUnreadable, OSError, KeyError, *_DAMAGED):
        return None
    return Held(tuple(dossiers), tuple(patients), rows, cells, signed, signer)


def _counted(file: BinaryIO) -> tuple[int, int] | None:
    """Rows, and cells that are not empty, of DONNEES.JSON; None when it is absent, too large or of another shape."""
    try:
        with zipfile.ZipFile(file) as archive:
            info = archive.getinfo("DONNEES.JSON")
            if info.file_size > MAX_DATA_BYTES:
                return None
            content = orjson.loads(archive.read(info))
        rows = [content["patient"], *(row for table in content["tables"].values() for row in table)]
        return len(rows), sum(value is not None for row in rows for value in row.values())
    except (KeyError, AttributeError, TypeError, orjson.JSONDecodeError):
        return None


def compared(manifest: SetManifest, held: list[tuple[Listed, Held | None]], closed: int) -> Iterator[Found]:
    """The set manifest against what the archives hold; `closed` are the encrypted ones that nobody opened."""
    seen: set[bytes] = set()
    twice = 0
    for one, inside in held:
        if inside is None:
            continue
        if inside.dossiers != one.dossiers:
            yield found("ARC-SET-DOSSIERS", name=one.file)
        if inside.rows >= 0 and (inside.rows, inside.cells) != (one.rows, one.cells):
            yield found("ARC-SET-COUNTS", name=one.file)
        for patient in inside.patients:
            twice += patient in seen
            seen.add(patient)
    if twice:
        yield found("ARC-SET-PATIENT-TWICE", count=twice)
    if closed:
        yield found("ARC-SET-CLOSED", count=closed)


def signature(
    path: Path, manifest: SetManifest, held: list[tuple[Listed, Held | None]], trusted: Sequence[Any] | None
) -> Iterator[Found]:
    """The signature beside the set manifest `path`, and whether who signed it signed the archives that were opened. An unsigned set is
    only told, unless its archives are signed or authorities are given (`trusted`, as for `archive.verify`): then it may have been
    taken away with an archive."""
    beside = path.with_suffix(".SIGN.XML")
    opened = [(one, inside) for one, inside in held if inside is not None]
    try:
        with beside.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        missing = trusted is not None or any(inside.signed for _, inside in opened)
        yield found("ARC-SET-SIGN-MISSING" if missing else "ARC-SET-NOT-SIGNED")
        return
    except OSError:
        yield found("ARC-SET-SIGN-INVALID", reason="damaged")
        return
    if len(data) > MAX_BYTES:
        yield found("ARC-SET-SIGN-INVALID", reason="large")
        return
    head = Head(manifest.set_id, "", "", 0, 0, author_id=_issuer(path))
    certificate = yield from seal.check_set(data, _digest(path), head, trusted)
    if certificate is None:
        return
    for one, inside in opened:
        if inside.signer is None or inside.signer == certificate:
            continue
        # The rest of a phased request may leave after the certificate was renewed, for the same holder.
        if one.delivery == manifest.delivery or inside.signer.subject != certificate.subject:
            yield found("ARC-SET-SIGN-SIGNER", name=one.file)


def _issuer(path: Path) -> str:
    """The Struct_IdNat that the set manifest gives as its issuer's; empty without one."""
    told = orjson.loads(path.read_bytes()).get("issuer_id")
    return told if isinstance(told, str) else ""


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

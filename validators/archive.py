"""Verifying a portability archive: recomputes every digest, opens every inner XDM, compares with the manifest, and says what it
could not check. Streaming; refuses any container form but ours, so that with the whole-file digest any changed byte is found.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from transvase.formats import xdm
from transvase.formats.portability_manifest import ArchiveLine, Head, ManifestUnreadable, read
from transvase.formats.safe_xml import MAX_BYTES
from transvase.validators import seal

_NAME = re.compile(r"PA\d{8}T\d{6}\.ZIP")
_PATIENT = re.compile(r"PAT\d{5}\.ZIP")
_TOP = re.compile(r"README\.TXT|MANIFEST\.XML|SIGN\.XML|DOCUMENTATION/.+|TRANSVERSE\.ZIP|PAT\d{5}\.ZIP|VIEWER/.+")
_TRANSVERSE = re.compile(r"README\.TXT|TRANSVERSE/.+")
_CHUNK = 1 << 20
# A text that shrinks more than this, and is not small, was made to fill a disk: same figure as for an XDM archive.
_RATIO_FROM_BYTES = 1_000_000
# All that the standard library raises on a hostile or damaged ZIP.
_DAMAGED = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError,
            OverflowError, ValueError)  # fmt: skip

Progress = Callable[[int, int], None]


class Report(NamedTuple):
    """What was found: one sentence per problem, what was checked, what could not be."""

    problems: list[str]
    checked: dict[str, int]
    unchecked: list[str]


def verify(path: Path, progress: Progress = lambda done, total: None, trusted: Sequence[Any] | None = None) -> Report:
    """Verify an archive file and the digest beside it. Problems name members, never values.

    `trusted` (see `seal.authorities`) are the authorities that the signature must come from: with them, an unsigned archive is a
    problem; without them (None), it is said not to be verified."""
    found: list[str] = []
    unchecked: list[str] = []
    checked = {"bytes": 0, "patient archives": 0}
    if not _NAME.fullmatch(path.name):
        found.append(f"The archive's name is not of the form PAaaaammjjThhmmss.ZIP: {path.name}.")
    beside = path.with_name(path.name + ".sha256")
    try:
        expected = beside.read_text(encoding="ascii").split()[0]
    except (OSError, UnicodeDecodeError, IndexError):
        expected = ""
    if not re.fullmatch(r"[0-9a-f]{64}", expected):
        unchecked.append(
            "No digest of the whole file stands beside the archive: a change outside the inner archives may go unseen."
        )
        expected = ""
    try:
        with path.open("rb") as file:
            checked["bytes"] = file.seek(0, io.SEEK_END)
            file.seek(0)
            if expected and _digest(file) != expected:
                found.append("The file's SHA-256 differs from the one delivered beside it.")
            file.seek(0)
            with zipfile.ZipFile(file) as outer:
                found += _tail(file)
                found += list(_members(outer, checked, unchecked, progress, trusted))
    except _DAMAGED:
        found.append("The archive is not a readable ZIP file.")
    except OSError as error:
        found.append(f"The archive cannot be read ({type(error).__name__}).")
    unchecked.append("PDF/A-1 conformity of the readable copies.")
    return Report(found, checked, unchecked)


def _digest(file: io.BufferedReader) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _members(
    outer: zipfile.ZipFile,
    checked: dict[str, int],
    unchecked: list[str],
    progress: Progress,
    trusted: Sequence[Any] | None,
) -> Iterator[str]:
    infos = outer.infolist()
    names = [i.filename for i in infos]
    if len(set(names)) != len(names):
        yield "The archive holds the same name twice."
    for name in names:
        if not _TOP.fullmatch(name) or ".." in name or "\\" in name:
            yield f"Member {names.index(name) + 1} has a name that the layout does not know."
    for needed in ("README.TXT", "MANIFEST.XML", "TRANSVERSE.ZIP"):
        if needed not in names:
            yield f"{needed} is missing."
    if not any(n.startswith("DOCUMENTATION/") for n in names):
        yield "DOCUMENTATION is missing."
    yield from _form(outer, infos)
    unsafe = list(_unsafe(infos))
    yield from unsafe
    if unsafe:
        yield "The members were not opened."
        return
    for rank, info in enumerate(infos, 1):
        if not info.filename.endswith(".ZIP") and not _intact(outer, info):
            yield f"Member {rank} is damaged."
    if "MANIFEST.XML" not in names:
        return
    try:
        with outer.open("MANIFEST.XML") as file:
            head, lines = read(file)  # type: ignore[arg-type]
    except (ManifestUnreadable, OSError, *_DAMAGED) as error:
        yield f"MANIFEST.XML cannot be read ({type(error).__name__})."
        return
    patients = [line for line in lines if line.type == "PATIENT"]
    if head.patients != len(patients) or head.transverse != len(lines) - len(patients):
        yield "MANIFEST.XML announces other counts than it lists."
    yield from _signature(outer, head, lines, trusted, unchecked)
    listed = {line.name for line in lines}
    present = {n for n in names if _PATIENT.fullmatch(n) or n == "TRANSVERSE.ZIP"}
    for name in sorted(present - listed):
        yield f"{name} is present but not in MANIFEST.XML."
    for done, line in enumerate(lines, 1):
        if line.type == "PATIENT" and not line.patient_id:
            yield f"{line.name}: MANIFEST.XML gives no patientId (PORT-60)."
        if line.type == "TRANSVERSE" and line.patient_id:
            yield f"{line.name}: MANIFEST.XML gives a patientId to a transverse archive (PORT-60)."
        if line.name not in present:
            yield f"{line.name} is in MANIFEST.XML but not in the archive."
            continue
        yield from _inner(outer, line.name, line.size, line.sha256, line.type == "PATIENT")
        checked["patient archives"] += line.type == "PATIENT"
        progress(done, len(lines))


def _signature(
    outer: zipfile.ZipFile, head: Head, lines: list[ArchiveLine], trusted: Sequence[Any] | None, unchecked: list[str]
) -> Iterator[str]:
    """SIGN.XML when there is one; that the archives are those of MANIFEST.XML is checked with each of them."""
    if "SIGN.XML" not in outer.namelist():
        if trusted is not None:
            yield "SIGN.XML is missing: the archive is not signed, and an authority was given."
        unchecked.append("The archive is not signed (no SIGN.XML): the issuer is not proved.")
        return
    if outer.getinfo("SIGN.XML").file_size > MAX_BYTES:
        yield f"SIGN.XML is larger than {MAX_BYTES} bytes."
        return
    try:
        with outer.open("MANIFEST.XML") as file:
            described = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        data = outer.read("SIGN.XML")
    except (OSError, *_DAMAGED):
        yield "SIGN.XML is damaged."
        return
    present = {"MANIFEST.XML": described} | {line.name: line.sha256 for line in lines}
    yield from seal.check(data, present, head, trusted, unchecked)


def _form(outer: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> Iterator[str]:
    """Only our container form: members back to back from the first byte to the directory, no comment."""
    if outer.comment:
        yield "The ZIP carries a comment."
    at = 0
    for rank, info in enumerate(sorted(infos, key=lambda i: i.header_offset), 1):
        if info.header_offset != at:
            yield f"Bytes stand between the members before member {rank}."
            return
        wide = info.file_size >= 0xFFFFFFFF or info.compress_size >= 0xFFFFFFFF
        at += 30 + len(info.filename.encode()) + (20 if wide else 0) + info.compress_size
    if at != outer.start_dir:
        yield "Bytes stand between the last member and the directory."


def _tail(file: BinaryIO) -> Iterator[str]:
    """The end record of the directory must be the end of the file: the standard library looks for it further up."""
    file.seek(-22, io.SEEK_END)
    if file.read(4) != b"PK\x05\x06":
        yield "Bytes stand after the directory."


def _unsafe(infos: list[zipfile.ZipInfo]) -> Iterator[str]:
    """What is not opened: encryption, methods that are not ours, texts made to fill a disk; an inner archive is always stored."""
    for rank, info in enumerate(infos, 1):
        if info.flag_bits & 0x2041:
            yield f"Member {rank} is encrypted."
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield f"Member {rank} uses another compression method than stored or deflate."
        if info.filename.endswith(".ZIP") and info.compress_type != zipfile.ZIP_STORED:
            yield f"Member {rank} is an archive and is compressed; it must be stored."
        if info.file_size > _RATIO_FROM_BYTES and info.file_size > xdm.MAX_RATIO * max(info.compress_size, 1):
            yield f"Member {rank} is compressed more than {xdm.MAX_RATIO} times."


def _intact(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    """Read to its end, where the CRC is compared."""
    try:
        with archive.open(info) as file:
            while file.read(_CHUNK):
                pass
    except _DAMAGED:
        return False
    return True


def _inner(outer: zipfile.ZipFile, name: str, size: int, sha256: str, patient: bool) -> Iterator[str]:
    try:
        with outer.open(name) as file:
            digest, length = hashlib.sha256(), 0
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                length += len(chunk)
        if length != size:
            yield f"{name}: its size differs from MANIFEST.XML."
        if digest.hexdigest() != sha256:
            yield f"{name}: its SHA-256 differs from MANIFEST.XML."
        with outer.open(name) as file:
            if patient:
                for problem in xdm.problems(file):  # type: ignore[arg-type]
                    yield f"{name}: {problem}"
            else:
                with zipfile.ZipFile(file) as inner:
                    yield from (f"{name}: {problem}" for problem in _transverse(inner))
    except _DAMAGED:
        yield f"{name} is damaged."


def _transverse(inner: zipfile.ZipFile) -> Iterator[str]:
    infos = inner.infolist()
    names = [i.filename for i in infos]
    if "README.TXT" not in names:
        yield "README.TXT is missing."
    if len(set(names)) != len(names):
        yield "The archive holds the same name twice."
    for rank, name in enumerate(names, 1):
        if not _TRANSVERSE.fullmatch(name) or ".." in name or "\\" in name:
            yield f"Member {rank} has a name that the layout does not know."
    unsafe = list(_unsafe(infos))
    yield from unsafe
    if not unsafe:
        yield from (f"Member {rank} is damaged." for rank, info in enumerate(infos, 1) if not _intact(inner, info))

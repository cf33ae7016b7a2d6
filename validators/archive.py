"""Verifying an archive, of portability or plain IHE XDM: recomputes every digest, opens every inner XDM, compares with the manifest, and
says what it could not check. Read-only and streaming. From Transvase's own archives it takes no container form but theirs, so that with
the whole-file digest any changed byte is found; an archive of others may have any. What one patient's archive holds is examined by
`archive_patient`.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from isal import isal_zlib

from transvase.formats import xdm, zip_stream
from transvase.formats.encryption import plain_name
from transvase.formats.portability_manifest import NAMESPACE, ArchiveLine, Head, ManifestUnreadable, read
from transvase.formats.safe_xml import MAX_BYTES
from transvase.formats.zip_window import window
from transvase.validators import archive_patient, seal
from transvase.validators.archive_findings import Found, found, of_refusal
from transvase.validators.archive_patient import How, Tally

_NAME = re.compile(r"PA\d{8}T\d{6}\.ZIP")
_INNER = re.compile(r"PAT\d{5}\.ZIP|TRANSVERSE\.ZIP")
_TOP = re.compile(
    r"README\.TXT|MANIFEST\.XML|SIGN\.XML|DOCUMENTATION/.*|TRANSVERSE\.ZIP|PAT\d{5}\.ZIP|(?:VIEWER|PARQUET|FHIR)/.+"
)
# Folders that may be taken away.
_OPTIONAL = ("VIEWER", "PARQUET", "FHIR")
_TRANSVERSE = re.compile(r"README\.TXT|TRANSVERSE/.*")
_CHUNK = 1 << 20
# A text that shrinks more than this, and is not small, was made to fill a disk: same figure as for an XDM archive.
_RATIO_FROM_BYTES = 1_000_000
# All that the standard library raises on a hostile or damaged ZIP.
_DAMAGED = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError,
            OverflowError, ValueError)  # fmt: skip
# A manifest lists at most 99,999 patients (PORT-46) and the transverse archive, of twelve tags each.
_MAX_LINES = 100_000
_MAX_TAGS = 2_000_000
# From so many patients on, compiling the schema costs less than it saves.
_MANY = 2000

Progress = Callable[[int, int], None]
Kind = Literal["portability", "xdm", "unknown"]


class Report(NamedTuple):
    """What was found. `findings` are those that block and those that warn; `arrived` counts what came, `elsewhere` says what did not and
    where it went, `not_checked` what nobody looked at and why, `checked` counts what was compared (and bytes)."""

    kind: Kind
    findings: list[Found]
    arrived: dict[str, int]
    elsewhere: list[Found]
    not_checked: list[Found]
    checked: dict[str, int]

    @property
    def problems(self) -> list[str]:
        """Sentences of the findings that block, in English."""
        return [f.sentence("en") for f in self.findings if f.severity == "block"]

    @property
    def unchecked(self) -> list[str]:
        """Sentences of what was not checked, in English."""
        return [f.sentence("en") for f in self.not_checked]


def verify(
    path: Path,
    progress: Progress = lambda done, total: None,
    trusted: Sequence[Any] | None = None,
    schema: Path | None = None,
    content: BinaryIO | None = None,
) -> Report:
    """Verify an archive file and the digest beside it. Findings name members, never values.

    `trusted` (see `seal.authorities`) are the authorities that the signature must come from: with them, an unsigned archive is a
    problem; without them (None), it is said not to be verified. `schema` is CDA_extended.xsd, against which every CDA is checked;
    `archive_patient.SchemaUnreadable` when it is no schema. `content` is the plain archive when `path` is encrypted: the file beside
    then gives the digest of both."""
    return _Verification(progress, trusted, schema).report(path, content)


class _Verification:
    """One archive while it is verified."""

    def __init__(self, progress: Progress, trusted: Sequence[Any] | None, schema: Path | None) -> None:
        self.progress, self.trusted, self.schema = progress, trusted, schema
        self.tally = Tally()
        self.findings: list[Found] = []
        self.unchecked: list[Found] = []
        self.kind: Kind = "unknown"
        # Before the archive is opened: a schema that is none is the caller's mistake.
        self.valid = archive_patient.schema(schema, many=False) if schema else None

    def report(self, path: Path, content: BinaryIO | None = None) -> Report:
        size = 0
        try:
            with path.open("rb") as file:
                size = file.seek(0, io.SEEK_END)
                expected = _beside(path)
                file.seek(0)
                if expected and _digest(file)[0] != expected:
                    self.findings.append(found("ARC-DIGEST"))
                elif content is not None and (inside := _beside(path, plain_name(path))):
                    content.seek(0)
                    if _digest(content)[0] != inside:
                        self.findings.append(found("ARC-DIGEST"))
                self.contents(content or file, plain_name(path) if content else path.name)
                if not expected and self.kind != "xdm":
                    self.unchecked.insert(0, found("ARC-NOT-DIGEST"))
        except OSError as error:
            self.findings.append(found("ARC-READ", error=type(error).__name__))
        if self.schema is None:
            self.unchecked.append(found("ARC-NOT-SCHEMA"))
        self.unchecked.append(found("ARC-NOT-MODELS"))
        self.unchecked += [found(which, count=n) for which, n in self.tally.unchecked.items()]
        elsewhere = [found(which, count=n) for which, n in sorted(self.tally.gone.items())]
        checked = {"bytes": size, "patient archives": self.tally.arrived["patients"], **self.tally.checked}
        return Report(self.kind, self.findings, dict(self.tally.arrived), elsewhere, self.unchecked, checked)

    def contents(self, file: BinaryIO, name: str) -> None:
        try:
            file.seek(0)
            with zipfile.ZipFile(file) as outer:
                names = outer.namelist()
                if "MANIFEST.XML" not in names and any(n.upper().startswith("IHE_XDM/") for n in names):
                    self.kind = "xdm"
                    if min(info.header_offset for info in outer.infolist()):
                        # It may be an archive inside another one, whose own end was lost.
                        self.findings.append(found("ARC-GAP", entry=1))
                elif "MANIFEST.XML" in names or any(_INNER.fullmatch(n) for n in names):
                    self.kind = "portability"
                    self.findings += _Container(self, file, outer, name).findings()
                else:
                    self.findings.append(found("ARC-KIND"))
        except _DAMAGED:
            self.findings.append(of_refusal(xdm.XdmRefused("unreadable")))
        if self.kind == "xdm":
            self.alone(file)

    def alone(self, file: BinaryIO) -> None:
        """An IHE XDM archive by itself, as a mail of MSSanté brings it."""
        file.seek(0)
        self.tally.arrived["patients"] = 1
        self.findings += archive_patient.examine(file, "", "", How(False, False, self.valid), self.tally)
        self.tally.gone["ARC-GONE-NOT-STATED"] = 1
        if self.trusted is not None:
            self.findings.append(found("ARC-SIGN-MISSING"))
        self.unchecked.append(found("ARC-NOT-ISSUER"))


class _Container:
    """The outer ZIP of a portability archive."""

    def __init__(self, run: _Verification, file: BinaryIO, outer: zipfile.ZipFile, name: str) -> None:
        self.run, self.file, self.outer, self.name = run, file, outer, name
        self.infos = outer.infolist()
        self.names = [i.filename for i in self.infos]
        self.own = self._own()

    def _own(self) -> bool:
        """Whether Transvase made it, by the namespace of its manifest; one without a readable manifest is held to our form."""
        try:
            with self.outer.open("MANIFEST.XML") as manifest:
                head = manifest.read(4096)
        except (KeyError, OSError, *_DAMAGED):
            return True
        return NAMESPACE.encode() in head or not head.strip()

    def findings(self) -> Iterator[Found]:
        run = self.run
        if not _NAME.fullmatch(self.name):
            yield found("ARC-NAME")
        if len(set(self.names)) != len(self.names):
            yield found("ARC-TWICE")
        yield from _layout(self.names, _TOP, "ARC-LAYOUT" if self.own else "ARC-LAYOUT-OTHER")
        for needed in ("README.TXT", "MANIFEST.XML", "TRANSVERSE.ZIP"):
            if needed not in self.names:
                yield found("ARC-MISSING", name=needed)
        if not any(n.startswith("DOCUMENTATION/") for n in self.names):
            yield found("ARC-MISSING", name="DOCUMENTATION")
        if self.own:
            yield from self.form()
        else:
            run.unchecked.append(found("ARC-FORM-OTHER"))
        unsafe = [*_unsafe(self.infos, ""), *self.compressed()]
        yield from unsafe
        if unsafe:
            return
        for rank, info in enumerate(self.infos, 1):
            if not _INNER.fullmatch(info.filename):
                damage = list(_small(self.outer, info, rank, ""))
                if not damage and self.own and not self.whole(info):
                    damage = [found("ARC-DAMAGED", entry=rank)]
                yield from damage
        if "MANIFEST.XML" in self.names:
            yield from self.listed()
        run.unchecked += [found("ARC-NOT-PDFA"), found("ARC-NOT-TRANSVERSE")]

    def listed(self) -> Iterator[Found]:
        """MANIFEST.XML, SIGN.XML, and each archive that the manifest lists."""
        try:
            info = self.outer.getinfo("MANIFEST.XML")
            if info.file_size > MAX_BYTES or sum(c.count(b"<") for c in _chunks(self.outer, info)) > _MAX_TAGS:
                raise ManifestUnreadable
            with self.outer.open(info) as file:
                head, lines = read(file)  # type: ignore[arg-type]
            if len(lines) > _MAX_LINES:
                raise ManifestUnreadable
        except (ManifestUnreadable, OSError, *_DAMAGED) as error:
            yield found("ARC-MANIFEST", error=type(error).__name__)
            return
        patients = sum(line.type == "PATIENT" for line in lines)
        if head.patients != patients or head.transverse != len(lines) - patients:
            yield found("ARC-MANIFEST-COUNTS")
        yield from self.signature(head, lines)
        if self.own:
            yield from self.optional(head)
        present = {n for n in self.names if _INNER.fullmatch(n)}
        for name in sorted(present - {line.name for line in lines}):
            yield found("ARC-UNLISTED", name=name)
        valid = self.run.valid
        if self.run.schema and patients >= _MANY:
            valid = archive_patient.schema(self.run.schema, many=True)
        how = How(self.own, True, valid)
        done: set[str] = set()
        for line in lines:
            # A name of the manifest may be anything: shown only when the layout prescribes it.
            shown = line.name if _INNER.fullmatch(line.name) else ""
            if line.type == "PATIENT" and not line.patient_id:
                yield found("ARC-NO-PATIENT-ID", shown)
            if line.type == "TRANSVERSE" and line.patient_id:
                yield found("ARC-TRANSVERSE-PATIENT-ID", shown)
            if line.name in done:
                yield found("ARC-MANIFEST-TWICE", shown)
            elif line.name in present:
                yield from self.inner(line, how)
                self.run.progress(len(done) + 1, len(lines))
            else:
                yield found("ARC-LISTED-ABSENT", name=shown or "?")
            done.add(line.name)

    def optional(self, head: Head) -> Iterator[Found]:
        """Each optional folder holds what MANIFEST.XML says of it, by its list of digests; one that was taken away is told."""
        declared = head.optional
        held: dict[str, list[zipfile.ZipInfo]] = {}
        for info in self.infos:
            folder, slash, rest = info.filename.partition("/")
            if slash and rest and folder in _OPTIONAL:
                held.setdefault(folder, []).append(info)
        if away := len(declared.keys() - held.keys()):
            self.run.tally.gone["ARC-GONE-OPTIONAL"] = away
        for folder, infos in held.items():
            try:
                same = self.summed(folder, infos, declared.get(folder, ""))
            except (KeyError, UnicodeDecodeError, OSError, *_DAMAGED):
                same = False
            if same:
                self.run.tally.checked["optional files"] += len(infos)
            else:
                yield found("ARC-OPTIONAL", name=folder)

    def summed(self, folder: str, infos: list[zipfile.ZipInfo], expected: str) -> bool:
        """Whether the members of a folder are those of its list of digests, and that list the one expected."""
        sums = self.outer.getinfo(f"{folder}/SHA256.TXT")
        if sums.file_size > MAX_BYTES:
            return False
        text = self.outer.read(sums)
        if hashlib.sha256(text).hexdigest() != expected:
            return False
        lines: dict[str, str] = {}
        for line in text.decode().split("\n"):
            if line:
                digest, _, name = line.partition("  ")
                lines[name] = digest
        others = [info for info in infos if info is not sums]
        return (
            len(lines) == len(others)
            and all(lines.get(info.filename) == _sha256(self.outer, info) for info in others)
            and all(map(self.exact, infos))
        )

    def whole(self, info: zipfile.ZipInfo) -> bool:
        """`exact`, for a member that may be damaged."""
        try:
            return self.exact(info)
        except (OSError, *_DAMAGED):
            return False

    def exact(self, info: zipfile.ZipInfo) -> bool:
        """Whether the last byte of a deflated member is the one we write: after its last code no reader looks at the bits, which are
        clear in ours."""
        if info.compress_type == zipfile.ZIP_STORED:
            return True
        self.file.seek(info.header_offset + 26)
        name, extra = struct.unpack("<2H", self.file.read(4))
        self.file.seek(name + extra, io.SEEK_CUR)
        inflate, left = zlib.decompressobj(-15), info.compress_size - 1
        while left > 0 and (held := self.file.read(min(left, _CHUNK))):
            left -= len(held)
            while held:
                inflate.decompress(held, _CHUNK)
                held = inflate.unconsumed_tail
        last = self.file.read(1)

        def ends(byte: int) -> bytes | None:
            one = inflate.copy()
            out = one.decompress(bytes([byte]))
            return out if one.eof else None

        expected = ends(last[0]) if last else None
        if expected is None:
            return False
        spare = 0x80
        while spare and ends(last[0] ^ spare) == expected:
            if last[0] & spare:
                return False
            spare >>= 1
        return spare != 0

    def signature(self, head: Head, lines: list[ArchiveLine]) -> Iterator[Found]:
        """SIGN.XML when there is one; that the archives are those of MANIFEST.XML is checked with each of them."""
        if "SIGN.XML" not in self.names:
            if self.run.trusted is not None:
                yield found("ARC-SIGN-MISSING")
            self.run.unchecked.append(found("ARC-NOT-SIGNED"))
            return
        if self.outer.getinfo("SIGN.XML").file_size > MAX_BYTES:
            yield found("ARC-SIGN-LARGE")
            return
        try:
            with self.outer.open("MANIFEST.XML") as file:
                described = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
            data = self.outer.read("SIGN.XML")
        except (OSError, *_DAMAGED):
            yield found("ARC-SIGN-DAMAGED")
            return
        present = {"MANIFEST.XML": described} | {line.name: line.sha256 for line in lines}
        yield from seal.check(data, present, head, self.run.trusted, self.run.unchecked)

    def form(self) -> Iterator[Found]:
        """Only our container form: members back to back from the first byte to the directory, which ends the file, no comment."""
        if self.outer.comment:
            yield found("ARC-COMMENT")
        self.file.seek(-22, io.SEEK_END)
        # The standard library looks for the end record further up.
        if self.file.read(4) != b"PK\x05\x06":
            yield found("ARC-TAIL")
        at = 0
        for rank, info in enumerate(sorted(self.infos, key=lambda i: i.header_offset), 1):
            if info.header_offset != at:
                yield found("ARC-GAP", entry=rank)
                return
            wide = info.file_size >= 0xFFFFFFFF or info.compress_size >= 0xFFFFFFFF
            at += 30 + len(info.filename.encode()) + (20 if wide else 0) + info.compress_size
        if at != self.outer.start_dir:
            yield found("ARC-GAP-END")
            return
        yield from self.records()

    def records(self) -> Iterator[Found]:
        """Only our container form: each record is the one that we write for such a member, with one time for all. So no byte of a record
        may differ, whether or not a program reads it."""
        at = self.outer.start_dir
        self.file.seek(at + 12)
        time, date = struct.unpack("<2H", self.file.read(4).ljust(4, b"\0"))
        self.file.seek(at)
        for rank, info in enumerate(self.infos, 1):
            expected = zip_stream.directory_entry(_member(info), (time, date))
            if self.file.read(len(expected)) != expected:
                yield found("ARC-RECORD", entry=rank)
                return
        last = zip_stream.end_records(self.file.tell() - at, len(self.infos), at)
        if self.file.read(len(last) + 1) != last:
            yield found("ARC-TAIL")
            return
        for rank, info in enumerate(self.infos, 1):
            expected = zip_stream.local_header(_member(info), (time, date))
            self.file.seek(info.header_offset)
            if self.file.read(len(expected)) != expected:
                yield found("ARC-RECORD", entry=rank)
                return

    def compressed(self) -> Iterator[Found]:
        """In our form an inner archive is always stored."""
        for rank, info in enumerate(self.infos, 1):
            if self.own and _INNER.fullmatch(info.filename) and info.compress_type != zipfile.ZIP_STORED:
                yield found("ARC-COMPRESSED", entry=rank)

    def inner(self, line: ArchiveLine, how: How) -> Iterator[Found]:
        """An inner archive against its line of the manifest, then by itself."""
        tally = self.run.tally
        patient = line.type == "PATIENT"
        tally.arrived["patients" if patient else "transverse archives"] += 1
        info = self.outer.getinfo(line.name)
        try:
            with closing(self.opened(info)) as file:
                digest, length, crc = _digest(file)
                if length != line.size:
                    yield found("ARC-SIZE", line.name)
                if digest != line.sha256:
                    yield found("ARC-HASH", line.name)
                if crc != info.CRC:
                    yield found("ARC-DAMAGED", line.name)
                file.seek(0)
                if patient:
                    yield from archive_patient.examine(file, line.name, line.patient_id, how, tally)
                else:
                    with zipfile.ZipFile(file) as inside:
                        yield from _transverse(inside, line.name, how.own, tally)
        except _DAMAGED:
            yield found("ARC-DAMAGED", line.name)

    def opened(self, info: zipfile.ZipInfo) -> BinaryIO:
        """An inner archive as a file: in place when it is stored, else expanded beside, without a name."""
        # Compares the member's own header with the directory.
        with self.outer.open(info) as member:
            if info.compress_type == zipfile.ZIP_STORED:
                return window(self.file, info)
            expanded = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
            while chunk := member.read(_CHUNK):
                expanded.write(chunk)
            expanded.seek(0)
            return expanded


def _member(info: zipfile.ZipInfo) -> zip_stream.Member:
    return zip_stream.Member(
        info.filename, info.compress_type, info.CRC, info.compress_size, info.file_size, info.header_offset
    )


def _beside(path: Path, name: str = "") -> str:
    """The SHA-256 that the file beside the archive gives first, or under a name; empty when there is none."""
    try:
        with path.with_name(path.name + ".sha256").open(encoding="ascii") as file:
            lines = [line.split() for line in file.read(1000).splitlines()]
        expected = next(words for words in lines if not name or words[1:] == [name])[0]
    except StopIteration:
        return ""
    except (OSError, UnicodeDecodeError, IndexError):
        return ""
    return expected if re.fullmatch(r"[0-9a-f]{64}", expected) else ""


def _digest(file: BinaryIO) -> tuple[str, int, int]:
    """SHA-256, length and CRC-32 of what is left of a file."""
    digest, length, crc = hashlib.sha256(), 0, 0
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        crc = isal_zlib.crc32(chunk, crc)
        length += len(chunk)
    return digest.hexdigest(), length, crc


def _layout(names: list[str], known: re.Pattern[str], which: str, archive: str = "") -> Iterator[Found]:
    for rank, name in enumerate(names, 1):
        if ".." in name or "\\" in name:
            yield found("ARC-LAYOUT", archive, entry=rank)
        elif not known.fullmatch(name):
            yield found(which, archive, entry=rank)


def _unsafe(infos: list[zipfile.ZipInfo], archive: str) -> Iterator[Found]:
    """What is not opened: encryption, methods that are not ours, texts made to fill a disk."""
    for rank, info in enumerate(infos, 1):
        if info.flag_bits & 0x2041:
            yield found("ARC-ZIP-ENCRYPTED", archive, entry=rank)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield found("ARC-ZIP-METHOD", archive, entry=rank)
        if info.file_size > _RATIO_FROM_BYTES and info.file_size > xdm.MAX_RATIO * max(info.compress_size, 1):
            yield found("ARC-ZIP-RATIO", archive, entry=rank, most=xdm.MAX_RATIO)


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _sha256(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(archive, info):
        digest.update(chunk)
    return digest.hexdigest()


def _small(archive: zipfile.ZipFile, info: zipfile.ZipInfo, rank: int, where: str) -> Iterator[Found]:
    """A member read to its end, where its CRC is compared."""
    try:
        if info.filename != "README.TXT":
            for _ in _chunks(archive, info):
                pass
        elif not archive_patient.plain_text(_chunks(archive, info)):
            yield found("ARC-README", where)
    except _DAMAGED:
        yield found("ARC-DAMAGED", where, entry=rank)


def _transverse(inner: zipfile.ZipFile, archive: str, own: bool, tally: Tally) -> Iterator[Found]:
    infos = inner.infolist()
    names = [i.filename for i in infos]
    if "README.TXT" not in names:
        yield found("ARC-MISSING", archive, name="README.TXT")
    if len(set(names)) != len(names):
        yield found("ARC-TWICE", archive)
    yield from _layout(names, _TRANSVERSE, "ARC-LAYOUT" if own else "ARC-LAYOUT-OTHER", archive)
    unsafe = list(_unsafe(infos, archive))
    yield from unsafe
    if unsafe:
        return
    for rank, info in enumerate(infos, 1):
        if info.filename.startswith("TRANSVERSE/") and not info.is_dir():
            tally.arrived["transverse files"] += 1
        if not info.filename.startswith("TRANSVERSE/ORPHELIN/"):
            yield from _small(inner, info, rank, archive)
            continue
        try:
            lines = sum(chunk.count(b"\n") for chunk in _chunks(inner, info))
        except _DAMAGED:
            yield found("ARC-DAMAGED", archive, entry=rank)
            continue
        rows = info.filename.endswith(".JSONL")
        tally.gone["ARC-GONE-ORPHAN-ROWS" if rows else "ARC-GONE-ORPHAN-BODIES"] += lines if rows else 1

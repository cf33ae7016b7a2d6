"""Reading an IHE XDM archive (one patient: documents and their METADATA.XML) without trusting it, and saying what is wrong in it.

Nothing is extracted to disk. Writing archives belongs to `exporters/xdm`; the wire form of the metadata to `xds_xml`.
Layout: sheet `xdm-mssante.md`, 1 and 2. A file name may hold a patient's name, so messages give the rank of an entry instead,
except for the names that the layout itself prescribes.
"""

from __future__ import annotations

import hashlib
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

from transvase.formats.xds import HAS_MEMBER, DocumentEntry, SubmissionSet
from transvase.formats.xds_xml import Metadata, MetadataUnreadable, read_metadata

# A long record is some thousands of documents, twice in a portability archive (IHE_XDM and PDF).
MAX_ENTRIES = 50_000
MAX_ENTRY_BYTES = 500_000_000
MAX_TOTAL_BYTES = 8_000_000_000
# Deflate cannot exceed 1032; XML of our documents stays under 30, padded PDFs under 100. Small entries are not worth refusing.
MAX_RATIO = 200
# An element takes some hundred bytes of memory, its tag as few as four in the file. The longest record has a tenth of this.
MAX_TAGS = 4_000_000
_RATIO_FROM_BYTES = 1_000_000

_CHUNK = 1 << 20
_AT_ROOT = ("INDEX.HTM", "README.TXT")
_NAME_8_3 = re.compile(r"[A-Z0-9_]{1,8}(?:\.[A-Z0-9_]{1,3})?")
_PRESCRIBED = re.compile(
    r"(?:IHE_XDM/(?:SUBSET\d\d/(?:DOC\d{4,5}\.[A-Z]{3}|METADATA\.XML)?)?|INDEX\.HTM|README\.TXT)", re.IGNORECASE
)
_SUBSET = re.compile(r"IHE_XDM/([^/]+)/.+", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")


# Why an archive is not opened.
REFUSALS = {
    "unreadable": "the file is not a readable ZIP archive",
    "entries": "it holds more than {most} entries",
    "total": "it expands to more than {most} bytes",
    "ratio-all": "it is compressed more than {most} times",
    "character": "entry {entry} has a forbidden character in its path",
    "path": "entry {entry} has a path that is absolute, empty or leaves the archive",
    "twice": "entry {entry} has the name of an earlier entry",
    "encrypted": "entry {entry} is encrypted",
    "method": "entry {entry} uses another compression method than stored or deflate",
    "link": "entry {entry} is a symbolic link",
    "large": "entry {entry} expands to more than {most} bytes",
    "ratio": "entry {entry} is compressed more than {most} times",
}

# Why an entry of an open archive is not read.
UNREAD = {
    "absent": "the archive does not hold the entry asked for",
    "longer": "{where} is larger than the archive says",
    "shorter": "{where} is shorter than the archive says",
    "damaged": "{where} is damaged",
    "tags": "{where} holds more than {most} tags, or too many documents",
}

# What breaks the layout, the metadata or the digests of an archive.
DEFECTS = {
    "root-file": "{name} is missing at the root; an XDM archive needs it.",
    "no-subset": "IHE_XDM holds no submission folder; SUBSET01 is expected.",
    "name": "its name is not in the 8.3 form of ISO 9660 level 1 (A-Z, 0-9, underscore).",
    "direct": "a file stands directly in IHE_XDM; it belongs in a submission folder.",
    "subset-name": "A submission folder is not named SUBSETnn.",
    "no-metadata": "METADATA.XML is missing.",
    "metadata": "METADATA.XML is refused: {reason}.",
    "no-document": "the metadata describe no document.",
    "set-id": "the submission set has no uniqueId.",
    "document-id": "it has no uniqueId.",
    "same-id": "its uniqueId is the one of an earlier document.",
    "member": "no HasMember association ties it to the submission set.",
    "patient": "its patientId is absent or differs from the one of the submission set.",
    "uri": "its URI names no file of the folder.",
    "same-file": "its URI names METADATA.XML or the file of an earlier document.",
    "unread": "its file is damaged, or not of the length that the archive says.",
    "size": "its size differs from the file's.",
    "hash": "its SHA-1 hash differs from the file's.",
    "undescribed": "this file of a submission folder is not described by the metadata.",
}


class XdmRefused(ValueError):
    """This archive is not opened, or an entry of it not read: it is no ZIP, or not a safe one. `kind` is a key of `REFUSALS` or of
    `UNREAD`."""

    def __init__(self, kind: str, **facts: int | str) -> None:
        super().__init__((REFUSALS | UNREAD)[kind].format(**facts))
        self.kind = kind
        self.facts = facts


class Defect(NamedTuple):
    """Something wrong in an archive: a key of `DEFECTS`, and where: the submission folder (empty when its name is not of the layout),
    the rank of a document of its metadata or of an entry of the ZIP, from 1 (0: neither)."""

    kind: str
    subset: str = ""
    document: int = 0
    entry: int = 0
    facts: Mapping[str, int | str] = MappingProxyType({})


class Examined(NamedTuple):
    """A document of an archive with its bytes: its folder, its rank in the metadata from 1, and their words about it."""

    subset: str
    rank: int
    entry: DocumentEntry
    body: bytes


class Document(NamedTuple):
    """A document of an archive with its submission set. `body` is what the archive holds, unchecked."""

    submission: SubmissionSet
    entry: DocumentEntry
    body: bytes


class XdmArchive:
    """An XDM archive open for reading, from any seekable binary file (a ZIP inside a ZIP too). Names are found whatever their case.

    `XdmRefused` for what is not a ZIP, and before anything is decompressed: too many entries, too large, compressed beyond
    reason, encrypted, another method than stored or deflate, a link, the same name twice, a path that is absolute, goes up, or
    holds a backslash or a control character."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, ValueError, EOFError, NotImplementedError):
            raise XdmRefused("unreadable") from None
        self._infos = self._zip.infolist()
        _refuse_unsafe(self._infos, file.seek(0, 2))
        self._by_name = {info.filename.upper(): info for info in self._infos}
        self._ranks = {name: rank for rank, name in enumerate(self._by_name, 1)}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all entries as written, in archive order; folders end with `/`."""
        return tuple(info.filename for info in self._infos)

    @property
    def subsets(self) -> tuple[str, ...]:
        """Folders `IHE_XDM/<name>` that hold something, upper case, in order of name."""
        found = {f"IHE_XDM/{m[1].upper()}" for n in self._by_name if (m := _SUBSET.fullmatch(n))}
        return tuple(sorted(found))

    def __contains__(self, name: str) -> bool:
        return name.upper() in self._by_name

    def read(self, name: str) -> bytes:
        """Bytes of an entry. `XdmRefused` when it is absent, damaged, or larger than it says."""
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """The same as it comes, so that a large entry never stands whole in memory; its length and CRC hold once it has ended."""
        info = self._by_name.get(name.upper())
        if info is None:
            raise XdmRefused("absent")
        size = 0
        try:
            with self._zip.open(info) as stream:
                while chunk := stream.read(_CHUNK):
                    size += len(chunk)
                    if size > info.file_size:
                        raise XdmRefused("longer", where=self.label(info.filename))
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError):
            raise XdmRefused("damaged", where=self.label(info.filename)) from None
        if size != info.file_size:
            raise XdmRefused("shorter", where=self.label(info.filename))

    def size(self, name: str) -> int:
        """Bytes of an entry, by the directory; -1 when it is absent."""
        info = self._by_name.get(name.upper())
        return -1 if info is None else info.file_size

    def crc(self, name: str) -> int:
        """CRC-32 of an entry, by the directory, which reading it compares; -1 when it is absent."""
        info = self._by_name.get(name.upper())
        return -1 if info is None else info.CRC

    def label(self, name: str) -> str:
        """How a message names an entry: by its name when the layout prescribes it, else by its rank from 1."""
        if _PRESCRIBED.fullmatch(name):
            return name
        return f"entry {self._ranks.get(name.upper(), 0)} of the archive"

    def metadata(self, subset: str) -> Metadata:
        """Metadata of a folder given by `subsets`. `XdmRefused` without METADATA.XML, `MetadataUnreadable` when it is not XDS."""
        path = f"{subset}/METADATA.XML"
        data = self.read(path)
        # Twice for each document, and as values a document weighs far more than its tag.
        if data.count(b"<") > MAX_TAGS or data.count(b"ExtrinsicObject") > 4 * MAX_ENTRIES:
            raise XdmRefused("tags", where=self.label(path), most=MAX_TAGS)
        return read_metadata(data)

    def documents(self) -> Iterator[Document]:
        """Every document with its metadata, one body in memory at a time; same errors as `metadata` and `read`."""
        for subset in self.subsets:
            found = self.metadata(subset)
            for entry in found.entries:
                yield Document(found.submission, entry, self.read(f"{subset}/{entry.uri}"))

    def close(self) -> None:
        """Release the directory; the file given stays open."""
        self._zip.close()

    def __enter__(self) -> XdmArchive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def problems(file: BinaryIO) -> list[str]:
    """What breaks the layout, the metadata or the digests of an archive, one sentence each; empty when nothing does."""
    try:
        with XdmArchive(file) as archive:
            return [_sentence(found) for found in examine(archive) if isinstance(found, Defect)]
    except XdmRefused as refusal:
        return [f"The archive is refused: {refusal}."]


def _sentence(found: Defect) -> str:
    where = found.subset
    if found.document:
        where = f"{where or 'A submission folder'}, document {found.document}"
    elif found.entry:
        where = f"Entry {found.entry}"
    text = DEFECTS[found.kind].format(**found.facts)
    return f"{where}: {text}" if where else text[:1].upper() + text[1:]


def examine(archive: XdmArchive) -> Iterator[Defect | Examined]:
    """What breaks the layout, the metadata or the digests of an open archive, and each document that can be read, one body in memory
    at a time, so that one reading serves further checks."""
    yield from _layout(archive)
    for subset in archive.subsets:
        yield from _subset(archive, subset)


def _refuse_unsafe(infos: list[zipfile.ZipInfo], archive_size: int) -> None:
    if len(infos) > MAX_ENTRIES:
        raise XdmRefused("entries", most=MAX_ENTRIES)
    total = sum(info.file_size for info in infos)
    if total > MAX_TOTAL_BYTES:
        raise XdmRefused("total", most=MAX_TOTAL_BYTES)
    # Against the real size of the file, since entries of a bomb may share the same compressed bytes.
    if total > _RATIO_FROM_BYTES and total > MAX_RATIO * archive_size:
        raise XdmRefused("ratio-all", most=MAX_RATIO)
    seen: set[str] = set()
    for rank, info in enumerate(infos, 1):
        # Not `filename`, which zipfile cuts at a NUL and, on Windows, rewrites from backslashes.
        name = info.orig_filename
        steps = name.removesuffix("/").split("/")
        if "\\" in name or any(ord(c) < 32 or ord(c) == 127 for c in name) or _DRIVE.match(name):
            raise XdmRefused("character", entry=rank)
        if any(step in ("", ".", "..") for step in steps):
            raise XdmRefused("path", entry=rank)
        if name.upper().rstrip("/") in seen:
            raise XdmRefused("twice", entry=rank)
        seen.add(name.upper().rstrip("/"))
        # Bits 0, 6 and 13: traditional and strong encryption, encrypted directory.
        if info.flag_bits & 0x2041:
            raise XdmRefused("encrypted", entry=rank)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise XdmRefused("method", entry=rank)
        if stat.S_ISLNK(info.external_attr >> 16):
            raise XdmRefused("link", entry=rank)
        if info.file_size > MAX_ENTRY_BYTES:
            raise XdmRefused("large", entry=rank, most=MAX_ENTRY_BYTES)
        if info.file_size > _RATIO_FROM_BYTES and info.file_size > MAX_RATIO * max(info.compress_size, 1):
            raise XdmRefused("ratio", entry=rank, most=MAX_RATIO)


def _layout(archive: XdmArchive) -> Iterator[Defect]:
    for name in _AT_ROOT:
        if name not in archive:
            yield Defect("root-file", facts={"name": name})
    if not archive.subsets:
        yield Defect("no-subset")
    for rank, name in enumerate(archive.names, 1):
        steps = name.removesuffix("/").split("/")
        in_xdm = steps[0].upper() == "IHE_XDM"
        # Beside these, a portability archive may add what it likes under free names (PORT-48).
        if (in_xdm or name.upper() in _AT_ROOT) and not all(_NAME_8_3.fullmatch(step) for step in steps):
            yield Defect("name", entry=rank)
        if in_xdm and len(steps) == 2 and not name.endswith("/"):
            yield Defect("direct", entry=rank)


def _subset(archive: XdmArchive, subset: str) -> Iterator[Defect | Examined]:
    # A folder's own name may be anything in a foreign archive: like files, it is shown only when prescribed.
    where = subset if re.fullmatch(r"IHE_XDM/SUBSET\d\d", subset) else ""
    if not where:
        yield Defect("subset-name")
    if f"{subset}/METADATA.XML" not in archive:
        yield Defect("no-metadata", where)
        return
    try:
        submission, entries, associations = archive.metadata(subset)
    except (XdmRefused, MetadataUnreadable) as refusal:
        yield Defect("metadata", where, facts={"reason": str(refusal)})
        return
    if not entries:
        yield Defect("no-document", where)
    if not submission.unique_id:
        yield Defect("set-id", where)
    members = {a.target for a in associations if a.kind == HAS_MEMBER and a.source == submission.entry_uuid}
    described = {f"{subset}/METADATA.XML"}
    known: set[str] = set()
    for rank, entry in enumerate(entries, 1):
        if not entry.unique_id:
            yield Defect("document-id", where, rank)
        elif entry.unique_id in known:
            yield Defect("same-id", where, rank)
        known.add(entry.unique_id)
        if entry.entry_uuid not in members:
            yield Defect("member", where, rank)
        if entry.patient_id != submission.patient_id or not entry.patient_id:
            yield Defect("patient", where, rank)
        path = f"{subset}/{entry.uri}".upper()
        if not entry.uri or "/" in entry.uri or path not in archive:
            yield Defect("uri", where, rank)
            continue
        if path in described:
            # Not read again: thousands of entries may name one large file.
            yield Defect("same-file", where, rank)
            continue
        described.add(path)
        try:
            body = archive.read(path)
        except XdmRefused:
            yield Defect("unread", where, rank)
            continue
        if entry.size != len(body):
            yield Defect("size", where, rank)
        if entry.sha1 != hashlib.sha1(body, usedforsecurity=False).hexdigest().upper():
            yield Defect("hash", where, rank)
        yield Examined(where, rank, entry, body)
    for rank, name in enumerate(archive.names, 1):
        if name.upper().startswith(f"{subset}/") and not name.endswith("/") and name.upper() not in described:
            yield Defect("undescribed", where, entry=rank)

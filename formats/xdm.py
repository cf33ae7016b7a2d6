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
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from transvase.formats.xds import HAS_MEMBER, DocumentEntry, SubmissionSet
from transvase.formats.xds_xml import Metadata, MetadataUnreadable, read_metadata

# A long record is some thousands of documents, twice in a portability archive (IHE_XDM and PDF).
MAX_ENTRIES = 50_000
MAX_ENTRY_BYTES = 500_000_000
MAX_TOTAL_BYTES = 8_000_000_000
# Deflate cannot exceed 1032; XML of our documents stays under 30, padded PDFs under 100. Small entries are not worth refusing.
MAX_RATIO = 200
_RATIO_FROM_BYTES = 1_000_000

_CHUNK = 1 << 20
_AT_ROOT = ("INDEX.HTM", "README.TXT")
_NAME_8_3 = re.compile(r"[A-Z0-9_]{1,8}(?:\.[A-Z0-9_]{1,3})?")
_PRESCRIBED = re.compile(
    r"(?:IHE_XDM/(?:SUBSET\d\d/(?:DOC\d{4,5}\.[A-Z]{3}|METADATA\.XML)?)?|INDEX\.HTM|README\.TXT)", re.IGNORECASE
)
_SUBSET = re.compile(r"IHE_XDM/([^/]+)/.+", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")


class XdmRefused(ValueError):
    """This archive is not opened, or an entry of it not read: it is no ZIP, or not a safe one."""


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
            raise XdmRefused("the file is not a readable ZIP archive") from None
        self._infos = self._zip.infolist()
        _refuse_unsafe(self._infos, file.seek(0, 2))
        self._by_name = {info.filename.upper(): info for info in self._infos}

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
        info = self._by_name.get(name.upper())
        if info is None:
            raise XdmRefused("the archive does not hold the entry asked for")
        where = self.label(info.filename)
        chunks = []
        size = 0
        try:
            with self._zip.open(info) as stream:
                while chunk := stream.read(_CHUNK):
                    size += len(chunk)
                    if size > info.file_size:
                        raise XdmRefused(f"{where} is larger than the archive says")
                    chunks.append(chunk)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError):
            raise XdmRefused(f"{where} is damaged") from None
        if size != info.file_size:
            raise XdmRefused(f"{where} is shorter than the archive says")
        return b"".join(chunks)

    def label(self, name: str) -> str:
        """How a message names an entry: by its name when the layout prescribes it, else by its rank from 1."""
        if _PRESCRIBED.fullmatch(name):
            return name
        rank = next((k for k, info in enumerate(self._infos, 1) if info.filename.upper() == name.upper()), 0)
        return f"entry {rank} of the archive"

    def metadata(self, subset: str) -> Metadata:
        """Metadata of a folder given by `subsets`. `XdmRefused` without METADATA.XML, `MetadataUnreadable` when it is not XDS."""
        return read_metadata(self.read(f"{subset}/METADATA.XML"))

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
        archive = XdmArchive(file)
    except XdmRefused as refusal:
        return [f"The archive is refused: {refusal}."]
    with archive:
        found = list(_layout(archive))
        for subset in archive.subsets:
            found.extend(_subset(archive, subset))
    return found


def _refuse_unsafe(infos: list[zipfile.ZipInfo], archive_size: int) -> None:
    if len(infos) > MAX_ENTRIES:
        raise XdmRefused(f"it holds more than {MAX_ENTRIES} entries")
    total = sum(info.file_size for info in infos)
    if total > MAX_TOTAL_BYTES:
        raise XdmRefused(f"it expands to more than {MAX_TOTAL_BYTES} bytes")
    # Against the real size of the file, since entries of a bomb may share the same compressed bytes.
    if total > _RATIO_FROM_BYTES and total > MAX_RATIO * archive_size:
        raise XdmRefused(f"it is compressed more than {MAX_RATIO} times")
    seen: set[str] = set()
    for rank, info in enumerate(infos, 1):
        # Not `filename`, which zipfile cuts at a NUL and, on Windows, rewrites from backslashes.
        name = info.orig_filename
        where = f"entry {rank}"
        steps = name.removesuffix("/").split("/")
        if "\\" in name or any(ord(c) < 32 or ord(c) == 127 for c in name) or _DRIVE.match(name):
            raise XdmRefused(f"{where} has a forbidden character in its path")
        if any(step in ("", ".", "..") for step in steps):
            raise XdmRefused(f"{where} has a path that is absolute, empty or leaves the archive")
        if name.upper().rstrip("/") in seen:
            raise XdmRefused(f"{where} has the name of an earlier entry")
        seen.add(name.upper().rstrip("/"))
        # Bits 0, 6 and 13: traditional and strong encryption, encrypted directory.
        if info.flag_bits & 0x2041:
            raise XdmRefused(f"{where} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise XdmRefused(f"{where} uses another compression method than stored or deflate")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise XdmRefused(f"{where} is a symbolic link")
        if info.file_size > MAX_ENTRY_BYTES:
            raise XdmRefused(f"{where} expands to more than {MAX_ENTRY_BYTES} bytes")
        if info.file_size > _RATIO_FROM_BYTES and info.file_size > MAX_RATIO * max(info.compress_size, 1):
            raise XdmRefused(f"{where} is compressed more than {MAX_RATIO} times")


def _layout(archive: XdmArchive) -> Iterator[str]:
    for name in _AT_ROOT:
        if name not in archive:
            yield f"{name} is missing at the root; an XDM archive needs it."
    if not archive.subsets:
        yield "IHE_XDM holds no submission folder; SUBSET01 is expected."
    for rank, name in enumerate(archive.names, 1):
        steps = name.removesuffix("/").split("/")
        in_xdm = steps[0].upper() == "IHE_XDM"
        # Beside these, a portability archive may add what it likes under free names (PORT-48).
        if (in_xdm or name.upper() in _AT_ROOT) and not all(_NAME_8_3.fullmatch(step) for step in steps):
            yield f"Entry {rank}: its name is not in the 8.3 form of ISO 9660 level 1 (A-Z, 0-9, underscore)."
        if in_xdm and len(steps) == 2 and not name.endswith("/"):
            yield f"Entry {rank}: a file stands directly in IHE_XDM; it belongs in a submission folder."


def _subset(archive: XdmArchive, subset: str) -> Iterator[str]:
    # A folder's own name may be anything in a foreign archive: like files, it is shown only when prescribed.
    where = subset if re.fullmatch(r"IHE_XDM/SUBSET\d\d", subset) else "A submission folder"
    if where != subset:
        yield "A submission folder is not named SUBSETnn."
    if f"{subset}/METADATA.XML" not in archive:
        yield f"{where}: METADATA.XML is missing."
        return
    try:
        submission, entries, associations = archive.metadata(subset)
    except (XdmRefused, MetadataUnreadable) as refusal:
        yield f"{where}: METADATA.XML is refused: {refusal}."
        return
    if not entries:
        yield f"{where}: the metadata describe no document."
    if not submission.unique_id:
        yield f"{where}: the submission set has no uniqueId."
    members = {a.target for a in associations if a.kind == HAS_MEMBER and a.source == submission.entry_uuid}
    described = {f"{subset}/METADATA.XML"}
    known: set[str] = set()
    for rank, entry in enumerate(entries, 1):
        label = f"{where}, document {rank}"
        if not entry.unique_id:
            yield f"{label}: it has no uniqueId."
        elif entry.unique_id in known:
            yield f"{label}: its uniqueId is the one of an earlier document."
        known.add(entry.unique_id)
        if entry.entry_uuid not in members:
            yield f"{label}: no HasMember association ties it to the submission set."
        if entry.patient_id != submission.patient_id or not entry.patient_id:
            yield f"{label}: its patientId is absent or differs from the one of the submission set."
        path = f"{subset}/{entry.uri}".upper()
        if not entry.uri or "/" in entry.uri or path not in archive:
            yield f"{label}: its URI names no file of the folder."
            continue
        if path in described:
            yield f"{label}: its URI names METADATA.XML or the file of an earlier document."
        described.add(path)
        try:
            body = archive.read(path)
        except XdmRefused as refusal:
            yield f"{label}: {refusal}."
            continue
        if entry.size != len(body):
            yield f"{label}: its size differs from the file's."
        if entry.sha1 != hashlib.sha1(body, usedforsecurity=False).hexdigest().upper():
            yield f"{label}: its SHA-1 hash differs from the file's."
    for rank, name in enumerate(archive.names, 1):
        if name.upper().startswith(f"{subset}/") and not name.endswith("/") and name.upper() not in described:
            yield f"Entry {rank}: this file of {where} is not described by the metadata."

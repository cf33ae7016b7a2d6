"""Writing ZIP files the one way we write them: given time stamp, no host attributes, STORE or DEFLATE, ZIP64 only where sizes ask.

The same calls give the same bytes. Members may come whole, as chunks, or already framed by another writer (`frame`), so that
worker processes prepare them and one process assembles. Reading untrusted ZIP files belongs to `xdm`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import BinaryIO, NamedTuple

from isal import isal_zlib

_LIMIT = 0xFFFFFFFF
# Level 1 of ISA-L: about ten times the speed of zlib's default for a few percent more bytes on base64 and XML.
LEVEL = 1
_PIECE = 1 << 16
STORED, DEFLATED = 0, 8
# "Made by" Unix, and the rights of a file and of a folder there.
_UNIX, _FILE, _FOLDER = 3 << 8, 0o100644 << 16, 0o40755 << 16 | 0x10


class Member(NamedTuple):
    """What the central directory needs of a member; `offset` is from the start of the ZIP."""

    name: str
    method: int
    crc: int
    compressed: int
    size: int
    offset: int


def dos_time(moment: datetime) -> tuple[int, int]:
    """DOS time and date of the local clock; even seconds, years from 1980."""
    return (
        moment.hour << 11 | moment.minute << 5 | moment.second // 2,
        (max(moment.year, 1980) - 1980) << 9 | moment.month << 5 | moment.day,
    )


def deflate(data: bytes) -> bytes:
    """Raw DEFLATE."""
    compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -15)
    return bytes(compressor.compress(data) + compressor.flush())


def crc(data: bytes, start: int = 0) -> int:
    """CRC-32 of ZIP."""
    return int(isal_zlib.crc32(data, start))


def _flags(name: bytes) -> int:
    # Bit 11 says UTF-8; XDM names are ASCII and carry no flag, as in the official archives.
    return 0 if name.isascii() else 0x800


def local_header(member: Member, stamp: tuple[int, int]) -> bytes:
    """The record that stands before a member's data."""
    name = member.name.encode()
    big = member.size >= _LIMIT or member.compressed >= _LIMIT
    extra = struct.pack("<HHQQ", 1, 16, member.size, member.compressed) if big else b""
    return (
        struct.pack(
            "<4s5H3I2H",
            b"PK\x03\x04",
            45 if big else 20,
            _flags(name),
            member.method,
            *stamp,
            member.crc,
            _LIMIT if big else member.compressed,
            _LIMIT if big else member.size,
            len(name),
            len(extra),
        )
        + name
        + extra
    )


def directory_entry(member: Member, stamp: tuple[int, int]) -> bytes:
    """The record of a member in the central directory."""
    name = member.name.encode()
    wide = [v for v in (member.size, member.compressed) if member.size >= _LIMIT or member.compressed >= _LIMIT]
    if member.offset >= _LIMIT:
        wide.append(member.offset)
    extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    big = member.size >= _LIMIT or member.compressed >= _LIMIT
    # unzip 6 takes a name of MS-DOS for CP850 whatever bit 11 says; one of Unix for what it is, and then reads the rights.
    made, attributes = (0, 0) if name.isascii() else (_UNIX, _FOLDER if member.name.endswith("/") else _FILE)
    return (
        struct.pack(
            "<4s6H3I5H2I",
            b"PK\x01\x02",
            made | (45 if wide else 20),
            45 if wide else 20,
            _flags(name),
            member.method,
            *stamp,
            member.crc,
            _LIMIT if big else member.compressed,
            _LIMIT if big else member.size,
            len(name),
            len(extra),
            0,
            0,
            0,
            attributes,
            min(member.offset, _LIMIT),
        )
        + name
        + extra
    )


def end_records(length: int, members: int, offset: int) -> bytes:
    """What ends a ZIP of so many members, whose data end at `offset` and whose directory has so many bytes."""
    tail = b""
    if members >= 0xFFFF or offset >= _LIMIT or length >= _LIMIT:
        n = members
        tail = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, n, n, length, offset)
        tail += struct.pack("<4sIQI", b"PK\x06\x07", 0, offset + length, 1)
    n = min(members, 0xFFFF)
    return tail + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, n, n, min(length, _LIMIT), min(offset, _LIMIT), 0)


def build(entries: Iterable[tuple[str, bytes, bool | bytes]], moment: datetime) -> bytes:
    """A whole small ZIP in memory: (name, data, deflate) in order, `deflate` the raw DEFLATE of the data where another made it; a name
    ending with `/` is a folder."""
    stamp = dos_time(moment)
    parts: list[bytes] = []
    members: list[Member] = []
    offset = 0
    for name, data, squeeze in entries:
        if isinstance(squeeze, bytes):
            packed = squeeze
        else:
            packed = deflate(data) if squeeze and data else data
        member = Member(name, DEFLATED if squeeze and data else STORED, crc(data), len(packed), len(data), offset)
        head = local_header(member, stamp)
        parts += (head, packed)
        offset += len(head) + len(packed)
        members.append(member)
    directory = b"".join(directory_entry(m, stamp) for m in members)
    return b"".join((*parts, directory, end_records(len(directory), len(members), offset)))


class ZipStream:
    """A ZIP written to a seekable binary file, member after member; `finish` closes the directory, not the file."""

    def __init__(self, file: BinaryIO, moment: datetime) -> None:
        self._file = file
        self._stamp = dos_time(moment)
        self._offset = 0
        # As the bytes that it will be: members as objects would take four times as much.
        self._directory = bytearray()
        self._members = 0

    def add(self, name: str, data: bytes, squeeze: bool = True) -> None:
        """A member in one piece."""
        packed = deflate(data) if squeeze and data else data
        member = Member(name, DEFLATED if squeeze and data else STORED, crc(data), len(packed), len(data), self._offset)
        self._put(local_header(member, self._stamp), packed)
        self._list(member)

    def add_text(self, name: str, chunks: Iterable[bytes]) -> None:
        """A member made in chunks and held deflated only, for a file that does not go back."""
        compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -15)
        packed: list[bytes] = []
        size = check = 0
        for chunk in chunks:
            size += len(chunk)
            check = crc(chunk, check)
            packed.append(bytes(compressor.compress(chunk)))
        packed.append(bytes(compressor.flush()))
        member = Member(name, DEFLATED, check, sum(map(len, packed)), size, self._offset)
        self._put(local_header(member, self._stamp), *packed)
        self._list(member)

    def add_chunks(self, name: str, chunks: Iterable[bytes]) -> int:
        """A deflated member of unknown length; its header is written again once the sizes are known. The size in bytes.

        The header always has room for ZIP64 sizes, whatever the length turns out to be, so it never has to move."""
        start = self._offset
        holder = Member(name, DEFLATED, 0, _LIMIT, _LIMIT, start)
        self._put(local_header(holder, self._stamp))
        compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -15)
        size = packed = check = 0
        for chunk in _regrouped(chunks):
            size += len(chunk)
            check = crc(chunk, check)
            out = compressor.compress(chunk)
            packed += len(out)
            self._put(out)
        out = compressor.flush()
        packed += len(out)
        self._put(out)
        self._file.seek(start)
        encoded = name.encode()
        self._file.write(
            struct.pack(
                "<4s5H3I2H",
                b"PK\x03\x04",
                45,
                _flags(encoded),
                DEFLATED,
                *self._stamp,
                check,
                _LIMIT,
                _LIMIT,
                len(encoded),
                20,
            )
            + encoded
            + struct.pack("<HHQQ", 1, 16, size, packed)
        )
        self._file.seek(self._offset)
        self._list(Member(name, DEFLATED, check, packed, size, start))
        return size

    def add_framed(self, members: Iterable[Member], length: int, chunks: Iterable[bytes]) -> None:
        """Members already framed one after the other (`local_header` then data), with offsets from the first; `length` bytes in all."""
        for member in members:
            self._list(member._replace(offset=member.offset + self._offset))
        start = self._offset
        for chunk in chunks:
            self._put(chunk)
        if self._offset - start != length:
            raise ValueError("framed members: the length differs from the announced one")

    def finish(self) -> None:
        """Write the directory."""
        offset = self._offset
        self._put(bytes(self._directory), end_records(len(self._directory), self._members, offset))

    def _list(self, member: Member) -> None:
        self._directory += directory_entry(member, self._stamp)
        self._members += 1

    def _put(self, *parts: bytes) -> None:
        for part in parts:
            self._file.write(part)
            self._offset += len(part)


def deflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Raw DEFLATE of chunks, however they are cut."""
    compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -15)
    for chunk in _regrouped(chunks):
        yield bytes(compressor.compress(chunk))
    yield bytes(compressor.flush())


def _regrouped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of one size: what DEFLATE makes of them depends on the pieces it is given."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= _PIECE:
            yield bytes(held[:_PIECE])
            del held[:_PIECE]
    if held:
        yield bytes(held)

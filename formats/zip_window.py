"""A stored member of a ZIP as a file of its own, so that an archive inside an archive is read in place.

The standard library reads such a member again from its start at each step back, and a directory stands at the end.
"""

from __future__ import annotations

import io
import struct
import zipfile
from typing import BinaryIO


class _Window(io.RawIOBase):
    """`length` bytes of a file from `start`, read only."""

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        self._file, self._start, self._length = file, start, length
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        if base + offset < 0:
            raise ValueError("negative seek position")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = max(0, min(len(buffer), self._length - self._at))
        self._file.seek(self._start + self._at)
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def window(file: BinaryIO, info: zipfile.ZipInfo) -> BinaryIO:
    """A stored member of the ZIP in `file`, whose position it moves. Its CRC is not compared.

    zipfile.BadZipFile when the member is compressed, encrypted, or not where the directory says."""
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x2041 or info.compress_size != info.file_size:
        raise zipfile.BadZipFile("the member is not stored")
    file.seek(info.header_offset)
    head = file.read(30)
    if len(head) != 30 or head[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile("the member is not where the directory says")
    name, extra = struct.unpack_from("<2H", head, 26)
    start = info.header_offset + 30 + name + extra
    if start + info.file_size > file.seek(0, io.SEEK_END):
        raise zipfile.BadZipFile("the member goes beyond the end")
    return io.BufferedReader(_Window(file, start, info.file_size))

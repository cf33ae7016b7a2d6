"""Optional folders of the archive (VIEWER/, PARQUET/, FHIR/), beside what the law asks: each holds SHA256.TXT with the digest of its
other files, and MANIFEST.XML says in its comment which folders may be taken away and what the digest of that list is. So any change
inside is found, and an archive without the folder is whole. Streamed: what a lot of patients adds is framed by its worker in a file of
its own, and a member that spans lots waits in one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from transvase.formats import files, zip_stream
from transvase.formats.zip_stream import Member, ZipStream

_CHUNK = 1 << 20
SUMS = "SHA256.TXT"


class Framed:
    """Members framed one after the other in a file, with the digest of each."""

    def __init__(self, file: BinaryIO, stamp: tuple[int, int]) -> None:
        self._file, self._stamp, self.length = file, stamp, 0
        self.members: list[Member] = []
        self.digests: list[str] = []

    def add(self, name: str, data: bytes, squeeze: bool = True) -> None:
        """One member; its name starts with that of the folder."""
        packed = zip_stream.deflate(data) if squeeze and data else data
        method = zip_stream.DEFLATED if squeeze and data else zip_stream.STORED
        member = Member(name, method, zip_stream.crc(data), len(packed), len(data), self.length)
        head = zip_stream.local_header(member, self._stamp)
        self._file.write(head)
        self._file.write(packed)
        self.length += len(head) + len(packed)
        self.members.append(member)
        self.digests.append(hashlib.sha256(data).hexdigest())

    def index(self) -> dict[str, Any]:
        """What `Piece` needs, for JSON."""
        return {"length": self.length, "members": [list(m) for m in self.members], "digests": self.digests}


class Piece(NamedTuple):
    """Members `start` to `stop` (not included) of a framed file. Its index is read again each time it serves, so that memory does not
    follow the practice."""

    file: Path
    lookup: Callable[[], Any]
    start: int
    stop: int

    def sums(self) -> Iterator[bytes]:
        """Lines of SHA256.TXT."""
        index = self.lookup()
        for member, digest in zip(
            index["members"][self.start : self.stop], index["digests"][self.start : self.stop], strict=True
        ):
            yield f"{digest}  {member[0]}\n".encode()

    def write(self, archive: ZipStream) -> None:
        """The members as they are framed."""
        index = self.lookup()
        offsets = [m[-1] for m in index["members"]] + [index["length"]]
        begin, end = offsets[self.start], offsets[self.stop]
        members = (Member(*m)._replace(offset=m[-1] - begin) for m in index["members"][self.start : self.stop])
        archive.add_framed(members, end - begin, _chunks(self.file, begin, end))


class Made(NamedTuple):
    """A file that is made when it is asked for, twice the same."""

    name: str
    data: Callable[[], bytes]

    def sums(self) -> Iterator[bytes]:
        """Its line of SHA256.TXT."""
        yield f"{hashlib.sha256(self.data()).hexdigest()}  {self.name}\n".encode()

    def write(self, archive: ZipStream) -> None:
        """The file."""
        archive.add(self.name, self.data())


class Kept(NamedTuple):
    """A member whose data wait in a file of their own, as the archive will hold them; `digest` is that of what they say."""

    file: Path
    member: Member
    digest: str
    stamp: tuple[int, int]

    def sums(self) -> Iterator[bytes]:
        """Its line of SHA256.TXT."""
        yield f"{self.digest}  {self.member.name}\n".encode()

    def write(self, archive: ZipStream) -> None:
        """The member."""
        head = zip_stream.local_header(self.member, self.stamp)
        data = _chunks(self.file, 0, self.member.compressed)
        archive.add_framed([self.member], len(head) + self.member.compressed, chain((head,), data))


def deflated(path: Path, name: str, chunks: Iterable[bytes], stamp: tuple[int, int]) -> Kept:
    """A member of any length, deflated into `path`; how the chunks are cut does not show in the bytes."""
    tally = _Tally()
    with files.replacing(path) as file:
        packed = 0
        for piece in zip_stream.deflated(tally.over(chunks)):
            packed += file.write(piece)
    return tally.kept(path, name, zip_stream.DEFLATED, packed, stamp)


def stored(path: Path, name: str, stamp: tuple[int, int]) -> Kept:
    """A member whose data stand in `path` already, as they are to leave."""
    tally = _Tally()
    for _ in tally.over(_chunks(path, 0, path.stat().st_size)):
        pass
    return tally.kept(path, name, zip_stream.STORED, tally.size, stamp)


class _Tally:
    """Digest, CRC and length of what passes."""

    def __init__(self) -> None:
        self.digest, self.crc, self.size = hashlib.sha256(), 0, 0

    def over(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.digest.update(chunk)
            self.crc = zip_stream.crc(chunk, self.crc)
            self.size += len(chunk)
            yield chunk

    def kept(self, path: Path, name: str, method: int, packed: int, stamp: tuple[int, int]) -> Kept:
        return Kept(path, Member(name, method, self.crc, packed, self.size, 0), self.digest.hexdigest(), stamp)


class Folder(NamedTuple):
    """An optional folder: what stands in it, in order."""

    name: str
    holds: tuple[Piece | Made | Kept, ...]

    def sums(self) -> Iterator[bytes]:
        """SHA256.TXT, in the order of the archive, as `sha256sum --check` reads it."""
        for one in self.holds:
            yield b"".join(one.sums())

    def digest(self) -> str:
        """SHA-256 of SHA256.TXT."""
        digest = hashlib.sha256()
        for chunk in self.sums():
            digest.update(chunk)
        return digest.hexdigest()

    def write(self, archive: ZipStream) -> None:
        """Write the folder."""
        for one in self.holds:
            one.write(archive)
        archive.add_text(f"{self.name}/{SUMS}", self.sums())


def _chunks(path: Path, begin: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(begin)
        while begin < end and (chunk := file.read(min(_CHUNK, end - begin))):
            begin += len(chunk)
            yield chunk


def comment(folders: Iterable[Folder]) -> str:
    """What MANIFEST.XML says of the optional folders; empty without any. `formats.portability_manifest.optional` reads it."""
    told = [f"{folder.name}/ (SHA-256 de {folder.name}/{SUMS} : {folder.digest()})" for folder in folders]
    return f"Parties facultatives, qui peuvent être retirées : {' ; '.join(told)}." if told else ""

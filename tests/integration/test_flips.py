"""Every single-byte change of an archive is found: given the digest beside it, and without it too, since its container form is fixed and
MANIFEST.XML, the directory or a list holds a digest of every member. Deflate writes one content in many ways: without the outer digest,
a change of the coding alone, which leaves every member the same to the byte, may pass (about thirty bytes of a small archive).

2,000 seeded changes by default; `TRANSVASE_FLIPS=100000` asks for as many by hand, `TRANSVASE_FLIPS=all` for each byte of the archive.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from transvase.validators.archive import verify

from .conftest import Exported

ASKED = os.environ.get("TRANSVASE_FLIPS", "2000")
MASKS = (0x01, 0x02, 0x10, 0x80, 0xFF)
SEED = 20261123


class Area(NamedTuple):
    """Bytes `start` to `end` (not included) of the archive, and what they are."""

    start: int
    end: int
    what: str


def areas(data: bytes) -> list[Area]:
    """The archive in order: each record, each content, the directory with the end records."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = []
        for info in archive.infolist():
            body = info.header_offset + 30 + len(info.filename)
            found.append(Area(info.header_offset, body, "record"))
            found.append(Area(body, body + info.compress_size, "content"))
        return [*found, Area(archive.start_dir, len(data), "directory")]


def places(data: bytes) -> Iterator[tuple[int, int]]:
    """Where to change what: each byte once, or seeded draws of which one in four falls outside the contents."""
    chance = random.Random(SEED)
    if ASKED == "all":
        yield from ((at, chance.choice(MASKS)) for at in range(len(data)))
        return
    frame = [at for area in areas(data) if area.what != "content" for at in range(area.start, area.end)]
    for rank in range(int(ASKED)):
        yield chance.choice(frame) if rank % 4 == 0 else chance.randrange(len(data)), chance.choice(MASKS)


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def deflated(data: bytes) -> set[int]:
    """Bytes of contents that deflate coded."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        bodies = [(i, i.header_offset + 30 + len(i.filename)) for i in archive.infolist() if i.compress_type]
    return {at for info, start in bodies for at in range(start, start + info.compress_size)}


def test_the_areas_are_the_whole_archive(small: Exported) -> None:
    """A check of the tools of this page."""
    data = small.path.read_bytes()
    found = areas(data)
    assert [a.start for a in found] == [0, *(a.end for a in found[:-1])] and found[-1].end == len(data)


def test_every_change_is_found_without_the_digest_of_the_file(small: Exported, tmp_path: Path) -> None:
    data = small.path.read_bytes()
    copy = tmp_path / small.path.name
    copy.write_bytes(data)
    assert verify(copy).problems == []
    expected, coded = contents(copy), deflated(data)
    missed = []
    with copy.open("r+b", buffering=0) as file:
        for at, mask in places(data):
            file.seek(at)
            file.write(bytes((data[at] ^ mask,)))
            if not verify(copy).problems and not (at in coded and contents(copy) == expected):
                missed.append((at, mask))
            file.seek(at)
            file.write(data[at : at + 1])
    assert missed == []
    assert verify(copy).problems == []


def test_every_change_is_found_given_the_digest(small: Exported, tmp_path: Path) -> None:
    """One finding is enough, whatever else is read: the digest of the file."""
    data = small.path.read_bytes()
    copy = tmp_path / small.path.name
    (tmp_path / f"{copy.name}.sha256").write_text(
        f"{hashlib.sha256(data).hexdigest()}  {copy.name}\n", encoding="ascii"
    )
    for area in areas(data):
        for at in {area.start, (area.start + area.end) // 2, area.end - 1}:
            copy.write_bytes(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :])
            assert any(f.id == "ARC-DIGEST" for f in verify(copy).findings), (area, at)


@pytest.mark.parametrize("cut", [1, 4, 22, 100])
def test_an_archive_without_its_end_is_no_archive_inside_it(small: Exported, tmp_path: Path, cut: int) -> None:
    """The end record of an inner archive, stored as it is, is the last that a reader finds."""
    copy = tmp_path / small.path.name
    copy.write_bytes(small.path.read_bytes()[:-cut])
    assert verify(copy).problems

"""Our ZIP writer, read back by the standard library: any content, any order, three ways in, and ZIP64 forced by sizes."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from transvase.formats import zip_stream
from transvase.formats.zip_stream import Member, ZipStream

CLOCK = datetime(2026, 9, 15, 10, 15, 30)
names = st.text("ABCdé_0/", min_size=1, max_size=12).filter(lambda n: not n.endswith("/"))
contents = st.dictionaries(names, st.binary(max_size=400), max_size=6)


def read(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {i.filename: archive.read(i) for i in archive.infolist()}


@given(contents, st.booleans())
def test_whole_members_are_read_back(files: dict[str, bytes], squeeze: bool) -> None:
    assert read(zip_stream.build([(n, d, squeeze) for n, d in files.items()], CLOCK)) == files


@given(contents, st.integers(1, 50))
def test_chunked_members_are_read_back(files: dict[str, bytes], step: int) -> None:
    out = io.BytesIO()
    stream = ZipStream(out, CLOCK)
    for name, data in files.items():
        assert stream.add_chunks(name, (data[i : i + step] for i in range(0, len(data), step))) == len(data)
    stream.finish()
    assert read(out.getvalue()) == files


def test_framed_members_keep_their_place() -> None:
    stamp = zip_stream.dos_time(CLOCK)
    framed, members = b"", []
    for name, data in (("A", b"one"), ("B", b"two!")):
        member = Member(name, zip_stream.STORED, zip_stream.crc(data), len(data), len(data), len(framed))
        framed += zip_stream.local_header(member, stamp) + data
        members.append(member)
    out = io.BytesIO()
    stream = ZipStream(out, CLOCK)
    stream.add("README.TXT", b"hello")
    stream.add_framed(members, len(framed), iter([framed]))
    stream.finish()
    assert read(out.getvalue()) == {"README.TXT": b"hello", "A": b"one", "B": b"two!"}


def test_the_same_calls_give_the_same_bytes() -> None:
    entries = [("A.TXT", b"x" * 5000, True), ("B.TXT", b"", False)]
    assert zip_stream.build(entries, CLOCK) == zip_stream.build(entries, CLOCK)


def test_more_members_than_zip_counts_are_read_back() -> None:
    files = {f"F{i}": b"" for i in range(70_000)}
    assert read(zip_stream.build([(n, d, False) for n, d in files.items()], CLOCK)) == files


def test_a_streamed_member_has_the_same_bytes_whatever_the_pieces_it_came_in():
    """Rows come from the tables in batches whose size is the engine's affair; the archive's bytes are not."""
    text = b"".join(b"%d;ligne;%d\n" % (n, n * n % 9973) for n in range(30_000))
    made = set()
    for size in (1 << 20, 65_536, 65_537, 10_007, 97):
        file = io.BytesIO()
        stream = zip_stream.ZipStream(file, datetime(2026, 11, 23, 20))
        stream.add_chunks("LIGNES", (text[at : at + size] for at in range(0, len(text), size)))
        stream.finish()
        made.add(file.getvalue())
    assert len(made) == 1

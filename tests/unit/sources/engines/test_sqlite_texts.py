"""Texts of a SQLite file that are not UTF-8, wherever they stand: each row comes once, in order, and as Windows-1252 where it must."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transvase.errors import SourceUnreadable
from transvase.sources.engines.sqlite import opened


def written(path: Path, texts: list[bytes]) -> None:
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE t (a TEXT)")
        base.executemany("INSERT INTO t VALUES (CAST(? AS TEXT))", [(text,) for text in texts])
    base.close()


def expected(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return "".join(bytes([b]).decode("cp1252") if b not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else chr(b) for b in text)


BAD = b"Fi\xe8vre"


@pytest.mark.parametrize("at", [0, 1, 15, 16, 17, 255, 256, 300, 999])
@pytest.mark.parametrize("size", [1, 16, 2048])
def test_one_bad_text_among_a_thousand(tmp_path: Path, at: int, size: int) -> None:
    texts = [f"{i} é".encode() for i in range(1000)]
    texts[at] = BAD
    written(tmp_path / "t.sqlite3", texts)
    with opened(tmp_path / "t.sqlite3") as view:
        asked = [r for b in view.query("SELECT a FROM t", size).batches for r in b]
        walked = [r for b in view.rows("t", ["a"], size).batches for r in b]
    assert [a for (a,) in asked] == [a for _, a in walked] == [expected(t) for t in texts]
    assert [key for key, _ in walked] == [str(i) for i in range(1, 1001)]


@given(texts=st.lists(st.one_of(st.text(max_size=8).map(str.encode), st.binary(max_size=8)), max_size=60))
@settings(max_examples=40, deadline=None)
def test_any_texts(tmp_path_factory: pytest.TempPathFactory, texts: list[bytes]) -> None:
    # A NUL ends a text for some functions of SQLite.
    texts = [text.replace(b"\0", b"") for text in texts]
    path = tmp_path_factory.mktemp("any") / "t.sqlite3"
    written(path, texts)
    with opened(path) as view:
        assert [a for b in view.query("SELECT a FROM t", 7).batches for (a,) in b] == [expected(t) for t in texts]


def test_two_readings_in_turns(tmp_path: Path) -> None:
    texts = [f"{i}".encode() for i in range(100)]
    texts[50] = BAD
    written(tmp_path / "t.sqlite3", texts)
    with opened(tmp_path / "t.sqlite3") as view:
        one, other = view.query("SELECT a FROM t", 9).batches, view.query("SELECT a FROM t", 9).batches
        pairs = [(a, b) for first, second in zip(one, other, strict=True) for a, b in zip(first, second, strict=True)]
    assert len(pairs) == 100 and all(a == b for a, b in pairs)
    assert pairs[50][0] == ("Fièvre",)


def test_a_catalogue_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "t.sqlite3", [b"x"])
    with sqlite3.connect(tmp_path / "t.sqlite3") as base:
        base.execute("PRAGMA writable_schema = ON")
        base.execute("UPDATE sqlite_master SET name = CAST(x'e974e9' AS TEXT), tbl_name = CAST(x'e974e9' AS TEXT)")
    base.close()
    with pytest.raises(SourceUnreadable, match="SQLITE_CORRUPT"), opened(tmp_path / "t.sqlite3"):
        pass

"""SQLite files as a view: what the engine lets through that others do not."""

from __future__ import annotations

import sqlite3

import pytest

from transvase.errors import SourceLocked, SourceMissing, SourceUnreadable
from transvase.sources.engines import sqlite


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "cabinet.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    yield path, connection
    connection.close()


def test_a_value_keeps_the_class_it_was_stored_in_whatever_the_column_says(base):
    path, connection = base
    connection.execute("CREATE TABLE t (v DATETIME, w)")
    values = [1, 1.5, "x", b"\0", None, float("inf"), "012"]
    connection.executemany("INSERT INTO t (w) VALUES (?)", [(v,) for v in values])
    connection.execute("INSERT INTO t (w) VALUES (CAST(x'6ee965' AS TEXT))")
    with sqlite.opened(path) as view:
        assert [(c.name, c.type) for c in view.tables()["t"]] == [("v", "DATETIME"), ("w", "")]
        read = [r for batch in view.rows("t", ["w"], 3).batches for r in batch]
        assert read == [(str(i), v) for i, v in enumerate([*values, "née"], 1)]


def test_a_file_another_program_holds_is_locked(base):
    path, connection = base
    connection.execute("CREATE TABLE t (v)")
    connection.execute("BEGIN EXCLUSIVE")
    with pytest.raises(SourceLocked), sqlite.opened(path):
        pass


def test_a_page_damaged_under_the_reading_is_told(base):
    path, connection = base
    connection.execute("CREATE TABLE t (v)")
    connection.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 2000)
    connection.close()
    data = bytearray(path.read_bytes())
    data[4096 * 20 : 4096 * 25] = b"\xff" * (4096 * 5)
    path.write_bytes(data)
    with sqlite.opened(path) as view, pytest.raises(SourceUnreadable):
        list(view.rows("t", ["v"], 10).batches)
    with sqlite.opened(path) as view, pytest.raises(SourceUnreadable):
        list(view.query("SELECT v FROM t", 10).batches)


def test_an_absent_file_is_missing(tmp_path):
    with pytest.raises(SourceMissing), sqlite.opened(tmp_path / "x"):
        pass

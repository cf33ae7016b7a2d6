"""DuckDB's types, schemas and locks, as the view gives them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from transvase.errors import SourceLocked, SourceMissing, SourceUnreadable
from transvase.sources.engines import duckdb_file
from transvase.sources.view import QueryFault

CASES = [
    ("BOOLEAN", "true", True),
    ("TINYINT", "-128", -128),
    ("UINTEGER", "4294967295", 4294967295),
    ("BIGINT", "-9223372036854775808", -(2**63)),
    ("UBIGINT", "18446744073709551615", "18446744073709551615"),
    ("HUGEINT", "-170141183460469231731687303715884105728", "-170141183460469231731687303715884105728"),
    ("FLOAT", "0.1", 0.1),
    ("DOUBLE", "'inf'", float("inf")),
    ("DECIMAL(38,10)", "1234567890123456789012345678.1", "1234567890123456789012345678.1000000000"),
    ("VARCHAR", "'é\n'", "é\n"),
    ("BLOB", "'\\x00\\xFF'::BLOB", b"\x00\xff"),
    ("DATE", "'-infinity'", "-infinity"),
    ("DATE", "'0044-03-15 (BC)'", "0044-03-15 (BC)"),
    ("TIME", "'23:59:59.123456'", "23:59:59.123456"),
    ("TIMESTAMP", "'2024-07-01 12:00:00.000001'", "2024-07-01 12:00:00.000001"),
    ("TIMESTAMP_NS", "'2024-07-01 12:00:00.000000001'", "2024-07-01 12:00:00.000000001"),
    ("TIMESTAMPTZ", "'2024-07-01 12:00:00+02'", "2024-07-01 10:00:00+00"),
    ("INTERVAL", "INTERVAL '1 year 3 days'", "1 year 3 days"),
    ("UUID", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("JSON", "'{\"b\": 1.10}'", '{"b": 1.10}'),
    ("BIT", "'0101'", "0101"),
    ("ENUM('a', 'é')", "'é'", "é"),
    ("INTEGER[]", "[1, NULL]", "[1, NULL]"),
    ("STRUCT(a INTEGER, b VARCHAR)", "{'a': 1, 'b': 'x'}", "{'a': 1, 'b': x}"),
    ("MAP(VARCHAR, INTEGER)", "MAP {'k': 1}", "{k=1}"),
]


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "cabinet.duckdb"
    with duckdb.connect(str(path)) as connection:
        yield path, connection


def test_each_type_comes_exact_from_tables_and_from_queries(base):
    path, connection = base
    connection.execute(f"CREATE TABLE t ({', '.join(f'c{i} {kind}' for i, (kind, _, _) in enumerate(CASES))})")
    connection.execute(f"INSERT INTO t VALUES ({', '.join(value for _, value, _ in CASES)})")
    connection.execute("INSERT INTO t (c0) VALUES (NULL)")
    connection.close()
    expected = tuple(value for _, _, value in CASES)
    with duckdb_file.opened(path, path.parent) as view:
        ((full, empty),) = view.rows("t", [c.name for c in view.tables()["t"]], 5).batches
        assert dict(zip(CASES, full[1:], strict=True)) == dict(zip(CASES, expected, strict=True))
        assert [type(v) for v in full[1:]] == [type(v) for v in expected]
        assert full[0] == "0" and set(empty[1:]) == {None}
        assert list(view.query("SELECT * FROM t WHERE c0", 5).batches) == [[expected]]


def test_tables_of_every_schema_are_seen_and_a_column_may_hide_the_row_number(base):
    path, connection = base
    connection.execute(
        "CREATE SCHEMA s; CREATE TABLE s.t (v INT); CREATE TABLE t (rowid INT); INSERT INTO t VALUES (7), (7)"
    )
    connection.close()
    with duckdb_file.opened(path, path.parent) as view:
        assert list(view.tables()) == ["s.t", "t"] and view.count("s.t") == 0
        assert list(view.rows("t", ["rowid"], 5).batches) == [[("1", 7), ("2", 7)]]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM '/etc/passwd'", "COPY t TO 'x.csv'", "t", "ATTACH 'x.duckdb'",
        "SET memory_limit = '9GB'", "SELECT * FROM read_text('/etc/hostname')", "INSTALL sqlite", "PRAGMA version",
    ],
)  # fmt: skip
def test_a_query_reads_the_database_and_nothing_else(base, query):
    path, connection = base
    connection.execute("CREATE TABLE t (v INT)")
    connection.close()
    with duckdb_file.opened(path, path.parent) as view, pytest.raises(QueryFault):
        list(view.query(query, 5).batches)


OTHER = "import duckdb, sys\nc = duckdb.connect(sys.argv[1])\nprint('open', flush=True)\nsys.stdin.readline()"


def test_a_file_another_program_writes_is_locked(base):
    path, connection = base
    connection.close()
    command = [sys.executable, "-c", OTHER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(SourceLocked), duckdb_file.opened(path, path.parent):
            pass
        other.communicate("\n", timeout=20)


def test_a_file_opened_by_the_same_program_is_locked(base):
    path, _ = base
    with pytest.raises(SourceLocked), duckdb_file.opened(path, path.parent):
        pass


def test_no_program_writes_a_file_we_read(base):
    path, connection = base
    connection.close()
    with duckdb_file.opened(path, path.parent):
        done = subprocess.run(
            [sys.executable, "-c", OTHER, str(path)], input="\n", capture_output=True, text=True, timeout=20
        )
    assert done.returncode != 0 and "lock" in done.stderr


@pytest.mark.parametrize(
    "content", [b"", b"SQLite format 3\0" * 100, b"\0" * 20000], ids=["empty", "another engine", "zeros"]
)
def test_a_file_that_is_no_database_is_unreadable(tmp_path, content):
    path = tmp_path / "x.duckdb"
    path.write_bytes(content)
    with pytest.raises(SourceUnreadable), duckdb_file.opened(path, tmp_path):
        pass


def test_a_cut_file_is_unreadable(base):
    path, connection = base
    connection.execute("CREATE TABLE t AS SELECT repeat(i::VARCHAR, 50) AS v FROM range(100000) r(i)")
    connection.close()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceUnreadable), duckdb_file.opened(path, path.parent) as view:
        list(view.rows("t", ["v"], 1000).batches)


def test_an_absent_file_is_missing(tmp_path):
    with pytest.raises(SourceMissing), duckdb_file.opened(tmp_path / "x.duckdb", tmp_path):
        pass


def test_nothing_is_left_beside_the_file(base, tmp_path):
    path, connection = base
    connection.execute("CREATE TABLE t AS SELECT i FROM range(1000) r(i)")
    connection.close()
    before = path.read_bytes()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with duckdb_file.opened(path, scratch) as view:
        list(view.query("SELECT i FROM t ORDER BY i DESC", 10).batches)
    assert path.read_bytes() == before and sorted(p.name for p in tmp_path.iterdir()) == ["cabinet.duckdb", "scratch"]


@pytest.mark.parametrize("order", ["", " ORDER BY n DESC, i"])
def test_rows_are_whole_though_the_cache_is_emptied_between(tmp_path: Path, order: str) -> None:
    """More rows than are read before DuckDB is made to forget, with a sort that holds memory meanwhile and without."""
    count = 2 * 250_000 + 17
    with duckdb.connect(str(tmp_path / "large.duckdb")) as base:
        base.execute(
            f"CREATE TABLE t AS SELECT i, i % 7 AS n, repeat('x', (i % 90)::INT) AS s FROM range({count}) AS r(i)"
        )
    with duckdb_file.opened(tmp_path / "large.duckdb", tmp_path) as view:
        found = [i for b in view.query(f"SELECT i, n, s FROM t{order}", 4096).batches for i, _, _ in b]
        walked = sum(len(b) for b in view.rows("t", ["s"], 4096).batches)
    assert found == sorted(range(count), key=lambda i: (-(i % 7), i) if order else i) and walked == count

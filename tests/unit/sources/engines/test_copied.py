"""Whole tables made a View, on the plainest cursor there is: the standard library's own."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from transvase.errors import SourceUnreadable
from transvase.sources.engines.copied import copied
from transvase.sources.engines.cursor import CursorTables, Form, Table, plain
from transvase.sources.view import QueryFault, SourceColumn

TYPES = {"integer": int, "text": str, "blob": bytes, "real": float, "boolean": bool}


def source(
    connection: sqlite3.Connection,
    keys: dict[str, tuple[str, ...]] | None = None,
    forms: dict[str, list[Form]] | None = None,
) -> CursorTables:
    """The tables of a SQLite base, each column read as its declared type."""
    found = {}
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = tuple(SourceColumn(c[1], c[2].lower()) for c in connection.execute(f'PRAGMA table_info("{table}")'))
        found[table] = Table(f'"{table}"', columns, (keys or {}).get(table, ()))

    def read(name: str, table: Table) -> list[Form]:
        return (forms or {}).get(name) or [
            Form(f'"{c.name}"', TYPES[c.type], bool if c.type == "boolean" else None) for c in table.columns
        ]

    return CursorTables(
        "cabinet", "Essai", found, connection.cursor, read, (sqlite3.Error,),
        lambda error: SourceUnreadable(path="cabinet", kind="Essai", reason=type(error).__name__),
    )  # fmt: skip


@pytest.fixture
def base():
    with sqlite3.connect(":memory:") as connection:
        yield connection


def rows_of(view, table):
    return [r for b in view.rows(table, [c.name for c in view.tables()[table]], 3).batches for r in b]


def answer(view, sql):
    return [r for b in view.query(sql, 3).batches for r in b]


def test_each_type_comes_as_read(base, tmp_path):
    base.execute("CREATE TABLE t (i integer, v text, b blob, r real, y boolean)")
    rows = [(2**63 - 1, "é\n", b"\0\xff", 0.1 + 0.2, True), (None,) * 5, (-(2**63), "", b"", -1e308, False)]
    base.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows)
    with copied(source(base), tmp_path) as view:
        assert view.name == "cabinet" and view.count("t") == 3
        assert rows_of(view, "t") == [("1", *rows[0]), ("2", *rows[1]), ("3", *rows[2])]
        assert answer(view, "SELECT * EXCLUDE (rowid) FROM t") == rows
        assert [type(v) for v in answer(view, "SELECT i, v, b, r, y FROM t")[0]] == [int, str, bytes, float, bool]
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_row_bears_its_key_and_queries_read_it_as_rowid(base, tmp_path):
    base.execute("CREATE TABLE t (a integer, b text, c blob, y boolean)")
    base.execute("INSERT INTO t VALUES (1, 'é', x'00ff', 1), (2, NULL, NULL, 0)")
    with copied(source(base, {"t": ("b", "a", "c", "y")}), tmp_path) as view:
        assert [r[0] for r in rows_of(view, "t")] == ["é|1|00FF|1", "|2||0"]
        assert answer(view, "SELECT rowid FROM t ORDER BY a") == [("é|1|00FF|1",), ("|2||0",)]


def test_a_column_may_bear_the_name_of_the_row(base, tmp_path):
    base.execute("CREATE TABLE t (rowid integer, oid text)")
    base.execute("INSERT INTO t VALUES (7, 'x')")
    with copied(source(base), tmp_path) as view:
        assert rows_of(view, "t") == [("1", 7, "x")]
        assert answer(view, "SELECT rowid, oid, _rowid_ FROM t") == [(7, "x", "1")]


def test_only_the_tables_a_query_names_are_copied(base, tmp_path):
    for name in ("lu", "autre", "select"):
        base.execute(f'CREATE TABLE "{name}" (v integer)')
        base.execute(f'INSERT INTO "{name}" VALUES (1)')
    asked = []
    base.set_trace_callback(asked.append)
    with copied(source(base), tmp_path) as view:
        view.codes({"x": [("1", "a", "")]})
        text = 'WITH c AS (SELECT v FROM LU) SELECT m.code FROM c JOIN map_x m ON m.local = CAST(c.v AS TEXT), "select"'
        assert answer(view, text) == [("a",)]
        assert answer(view, text) == [("a",)]
        assert [t for t in asked if t.startswith("SELECT")].count('SELECT "v" FROM "lu"') == 1
        assert not [t for t in asked if "autre" in t and t.startswith("SELECT")]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT",
        "SELECT nope FROM t",
        "SELECT * FROM absent",
        "DELETE FROM t",
        "SELECT 1; SELECT 2",
        "",
        "ATTACH 'x.db'",
    ],
)
def test_a_query_that_is_wrong_is_refused(base, tmp_path, sql):
    base.execute("CREATE TABLE t (v integer)")
    with copied(source(base), tmp_path) as view:
        with pytest.raises(QueryFault):
            answer(view, sql)
        assert answer(view, "SELECT * FROM t") == []


def test_a_query_reads_nothing_of_the_machine(base, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("a\nb\n", encoding="utf-8")
    work = tmp_path / "work"
    work.mkdir()
    with copied(source(base), work) as view, pytest.raises((QueryFault, SourceUnreadable)):
        answer(view, f"SELECT * FROM read_csv('{secret}')")


def test_a_table_written_meanwhile_is_told(base, tmp_path):
    base.execute("CREATE TABLE t (v integer)")
    base.execute("INSERT INTO t VALUES (1)")
    with copied(source(base), tmp_path) as view:
        assert len(rows_of(view, "t")) == 1
        base.execute("INSERT INTO t VALUES (2)")
        with pytest.raises(SourceUnreadable, match="t was written while it was read"):
            view.count("t")


@pytest.mark.parametrize(
    "value, made, kind",
    [
        pytest.param("MARTIN", None, int, id="a word in a number"),
        pytest.param(str(2**63), int, int, id="beyond 64 bits"),
        pytest.param("MARTIN", None, float, id="a word in a float"),
        pytest.param("MARTIN", None, bool, id="a word in a boolean"),
        pytest.param("1", int, str, id="a number in a text"),
    ],
)
def test_a_value_of_another_type_is_told_without_it(base, tmp_path, value, made, kind):
    base.execute("CREATE TABLE t (v text)")
    base.execute("INSERT INTO t VALUES (?)", (value,))
    with copied(source(base, forms={"t": [Form('"v"', kind, made)]}), tmp_path) as view:
        with pytest.raises(SourceUnreadable) as error:
            rows_of(view, "t")
        assert "column v" in str(error.value) and value not in str(error.value).replace("t, column v", "")
        assert error.value.__cause__ is None and error.value.__suppress_context__


def test_names_that_differ_by_their_case_only_are_refused(base, tmp_path):
    both = {name: Table(f'"{name}"', (SourceColumn("v", "integer"),), ()) for name in ("été", "ÉTÉ")}
    tables = CursorTables("cabinet", "Essai", both, base.cursor, lambda name, table: [], (), lambda error: None)
    with pytest.raises(SourceUnreadable, match="case"), copied(tables, tmp_path):
        pass


def test_a_driver_that_fails_midway_is_told_in_our_words(base, tmp_path):
    base.execute("CREATE TABLE t (v text)")
    base.execute("INSERT INTO t VALUES ('MARTIN')")
    tables = source(base)
    base.execute("DROP TABLE t")
    with copied(tables, tmp_path) as view:
        for ask in (lambda: view.count("t"), lambda: rows_of(view, "t"), lambda: answer(view, "SELECT * FROM t")):
            with pytest.raises(SourceUnreadable, match="OperationalError") as error:
                ask()
            assert error.value.__cause__ is None and error.value.__suppress_context__


def test_many_heavy_rows_pass_in_groups(base, tmp_path):
    base.execute("CREATE TABLE t (v blob)")
    base.executemany("INSERT INTO t VALUES (?)", [(bytes(1 << 20),)] * 40 + [(None,)] * 20_000)
    with copied(source(base), tmp_path) as view:
        assert answer(view, "SELECT count(*), sum(octet_length(v))::BIGINT FROM t") == [(20_040, 40 << 20)]
        assert view.count("t") == 20_040


@pytest.mark.parametrize(
    "number, text",
    [("1.10", "1.10"), ("-0.0001", "-0.0001"), ("1E+3", "1000"), ("1E-30", "0." + "0" * 29 + "1"), ("0.00", "0.00")],
)
def test_a_decimal_keeps_its_digits_and_has_no_exponent(number, text):
    assert plain(Decimal(number)) == text


def test_the_modules_folder_is_private(base, tmp_path: Path):
    base.execute("CREATE TABLE t (v text)")
    with copied(source(base), tmp_path) as view:
        rows_of(view, "t")
        (held,) = tmp_path.iterdir()
        assert held.stat().st_mode & 0o077 == 0

"""What every engine's view promises, on the same cases."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from transvase.errors import SourceUnreadable
from transvase.sources.view import QueryFault

from .conftest import answer_of, rows_of

NAMES = ["a b", 'dit "le petit"', "l'été", "select", "Œuvre%s", "a`b", "Ordre", "1er", "{x}"]


def made(practice, table, columns, rows, extra=""):
    declared = ", ".join(f"{practice.quoted(n)} {practice.types.get(t, t)}" for n, t in columns.items())
    practice.write(f"CREATE TABLE {practice.quoted(table)} ({declared}{extra})")
    if rows:
        practice.insert(table, rows)


# -- values ----------------------------------------------------------------------------------------------------------------


def test_null_empty_and_blank_stay_apart(practice):
    made(
        practice,
        "t",
        {"id": "int", "v": "text", "b": "blob"},
        [(1, None, None), (2, "", b""), (3, " ", b"\0")],
        ", PRIMARY KEY (id)",
    )
    with practice.opened() as view:
        assert sorted(rows_of(view, "t")) == [("1", 1, None, None), ("2", 2, "", b""), ("3", 3, " ", b"\0")]
        assert sorted(answer_of(view, "SELECT id, v, b FROM t")) == [(1, None, None), (2, "", b""), (3, " ", b"\0")]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Éloïse l’Œuvre", id="accents"),
        pytest.param("a\tb\r\nc\\d'e\"f;g,h", id="control and quotes"),
        pytest.param("👩🏽‍⚕️", id="beyond the first plane"),
        pytest.param("012345678901234", id="digits with their zero"),
        pytest.param("  x  ", id="blanks around"),
        pytest.param("NULL", id="the word NULL"),
        pytest.param("\\N", id="the mark of a null in a dump"),
    ],
)
def test_a_text_comes_as_written(practice, text):
    made(practice, "t", {"id": "int", "v": "text"}, [(1, text)])
    with practice.opened() as view:
        assert [r[2] for r in rows_of(view, "t")] == [text]
        assert answer_of(view, "SELECT v FROM t") == [(text,)]


@pytest.mark.parametrize("value", [0.1, -1.5, 1e308, 5e-324, 0.1 + 0.2, 1 / 3, 123456789.123456789])
def test_a_float_comes_with_every_digit(practice, value):
    made(practice, "t", {"v": "real"}, [(value,)])
    with practice.opened() as view:
        assert [repr(r[1]) for r in rows_of(view, "t")] == [repr(value)]


@pytest.mark.parametrize("value", [0, -1, 2**31 - 1, 2**63 - 1, -(2**63)])
def test_a_whole_number_comes_whole(practice, value):
    made(practice, "t", {"v": "bigint"}, [(value,)])
    with practice.opened() as view:
        assert [r[1] for r in rows_of(view, "t")] == [value]


def test_a_body_of_many_megabytes_comes_whole(practice):
    body = bytes(range(256)) * (20 * 4096)
    made(practice, "t", {"id": "int", "v": "blob"}, [(1, body), (2, b"x")], ", PRIMARY KEY (id)")
    with practice.opened() as view:
        assert sorted(rows_of(view, "t")) == [("1", 1, body), ("2", 2, b"x")]
        assert sorted(answer_of(view, "SELECT id, v FROM t")) == [(1, body), (2, b"x")]


# -- tables, keys ----------------------------------------------------------------------------------------------------------


def test_tables_come_in_order_of_name_with_their_columns_and_no_view(practice):
    made(practice, "b", {"z": "int", "a": "text"}, [])
    made(practice, "a", {"id": "int"}, [])
    practice.write("CREATE VIEW c AS SELECT * FROM a")
    with practice.opened() as view:
        assert {t: [c.name for c in columns] for t, columns in view.tables().items()} == {"a": ["id"], "b": ["z", "a"]}
        assert list(view.tables()) == ["a", "b"]
        assert all(c.type for c in view.tables()["b"])
        assert view.count("a") == 0 and rows_of(view, "a") == []


def test_a_row_is_named_by_its_primary_key_in_the_order_of_the_key(practice):
    columns = {"v": "text", "a": "int", "b": "int"}
    made(practice, "t", columns, [("x", 1, 2), ("y", 1, 3)], ", PRIMARY KEY (b, a)")
    # MariaDB's ODBC driver numbers the columns of a key in the table's order.
    expected = ["1|2", "1|3"] if practice.kind == "odbc" else ["2|1", "3|1"]
    with practice.opened() as view:
        assert sorted(r[0] for r in rows_of(view, "t")) == expected


def test_rows_without_primary_key_have_names_that_do_not_repeat(practice):
    made(practice, "t", {"v": "text"}, [("x",), ("x",), (None,), ("y",)])
    with practice.opened() as view:
        first = rows_of(view, "t")
        assert len({r[0] for r in first}) == 4 and all(type(r[0]) is str for r in first)
        assert sorted(map(str, first)) == sorted(map(str, rows_of(view, "t", size=100)))


@pytest.mark.parametrize("name", NAMES)
def test_names_of_tables_and_columns_may_hold_anything(practice, name):
    made(
        practice,
        name,
        {name: "text", "id": "int"},
        [("v", 7)],
        f", PRIMARY KEY ({practice.quoted(name) if practice.kind != 'mariadb' else 'id'})",
    )
    with practice.opened() as view:
        assert [c.name for c in view.tables()[name]] == [name, "id"]
        assert view.count(name) == 1
        assert [r[1:] for r in rows_of(view, name)] == [("v", 7)]
        answer = view.query(f"SELECT {practice.quoted(name)} FROM {practice.quoted(name)}", 5)
        assert answer.names == (name,) and list(answer.batches) == [[("v",)]]


# -- codes -----------------------------------------------------------------------------------------------------------------

CODES = [("l'\"a\\`", "1", "parce que; --"), ("", "2", ""), ("é", "3", "%s"), ("E", "4", ""), ("e", "5", "")]


def test_codes_can_be_joined_exactly(practice):
    made(practice, "t", {"v": "text"}, [(local,) for local, _, _ in CODES])
    with practice.opened() as view:
        view.codes({"x": CODES, "vide": []})
        joined = answer_of(view, "SELECT m.local, m.code, m.reason FROM t JOIN map_x m ON m.local = t.v")
        assert sorted(joined) == sorted(CODES)
        assert answer_of(view, "SELECT * FROM map_vide") == []


def test_a_code_that_stands_twice_is_refused(practice):
    with practice.opened() as view, pytest.raises(ValueError, match="x"):
        view.codes({"x": [("a", "1", ""), ("a", "2", "")]})


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("SELECT code FROM map_x", id="plain"),
        pytest.param("\n -- why\n/* and */ SELECT code FROM map_x", id="after comments"),
        pytest.param("SELECT code FROM map_x -- done", id="before a comment"),
        pytest.param("SELECT code FROM map_x;\n", id="with its semicolon"),
        pytest.param("WITH y AS (SELECT code FROM map_x) SELECT code FROM y", id="WITH"),
        pytest.param(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1) SELECT code FROM n, map_x",
            id="RECURSIVE",
        ),
        pytest.param("SELECT code FROM map_x UNION SELECT code FROM map_x ORDER BY 1 LIMIT 5", id="UNION"),
    ],
)
def test_codes_are_there_whatever_the_query_begins_with(practice, query):
    with practice.opened() as view:
        view.codes({"x": [("a", "1", "")]})
        assert answer_of(view, query) == [("1",)]


# -- faults ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("SELEC 1", id="syntax"),
        pytest.param("", id="empty"),
        pytest.param("-- nothing", id="only a comment"),
        pytest.param("SELECT nope FROM t", id="unknown column"),
        pytest.param("SELECT * FROM nope", id="unknown table"),
        pytest.param("SELECT nope(1)", id="unknown function"),
        pytest.param("SELECT 1; SELECT 2", id="two statements"),
        pytest.param("SELECT 1) q; DELETE FROM t; SELECT * FROM (SELECT 1", id="two statements in parentheses"),
        pytest.param("DELETE FROM t", id="delete"),
        pytest.param("INSERT INTO t VALUES (2)", id="insert"),
        pytest.param("UPDATE t SET id = 2", id="update"),
        pytest.param("DROP TABLE t", id="drop"),
        pytest.param("CREATE TABLE u (id int)", id="create"),
        pytest.param("COMMIT", id="end of the transaction"),
        pytest.param("INSERT INTO t VALUES (3) RETURNING id", id="insert that answers"),
    ],
)
def test_a_query_that_is_wrong_or_writes_is_refused_and_changes_nothing(practice, query):
    made(practice, "t", {"id": "int"}, [(1,)])
    with practice.opened() as view:
        with pytest.raises(QueryFault) as fault:
            answer_of(view, query)
        assert str(fault.value) and "\n" not in str(fault.value)
        # The view is as good as before.
        assert answer_of(view, "SELECT id FROM t") == [(1,)]
        assert list(view.tables()) == ["t"]
    with practice.opened() as view:
        assert answer_of(view, "SELECT id FROM t") == [(1,)] and list(view.tables()) == ["t"]


def test_a_value_that_refuses_its_conversion_is_not_shown(practice):
    if practice.kind in ("sqlite", "mariadb"):
        pytest.skip("this engine converts any text")
    made(practice, "t", {"v": "text"}, [("MARTIN",)])
    with practice.opened() as view:
        with pytest.raises(SourceUnreadable) as error:
            answer_of(view, "SELECT CAST(v AS INT) AS v FROM t")
        assert "MARTIN" not in str(error.value)
        assert error.value.__cause__ is None and error.value.__suppress_context__
        assert answer_of(view, "SELECT v FROM t") == [("MARTIN",)]


# -- the view holds still ----------------------------------------------------------------------------------------------------


def test_what_another_connection_commits_meanwhile_is_not_seen(practice):
    if practice.kind == "duckdb":
        pytest.skip("no other connection may write: see test_duckdb_file")
    made(practice, "t", {"id": "int"}, [(i,) for i in range(10)])
    made(practice, "u", {"id": "int"}, [])
    if practice.kind == "sqlite":
        practice.write("PRAGMA journal_mode = WAL")
    with practice.opened() as view:
        batches = view.query("SELECT id FROM t", 3).batches
        seen = len(next(batches))
        practice.write("INSERT INTO t VALUES (99)", "INSERT INTO u VALUES (1)")
        seen += sum(map(len, batches))
        assert seen == 10
        assert view.count("t") == 10 and view.count("u") == 0
        assert len(rows_of(view, "t")) == 10 and rows_of(view, "u") == []
    with practice.opened() as view:
        assert view.count("t") == 11


def test_a_reading_that_another_follows_never_ends_short(practice):
    made(practice, "t", {"id": "int"}, [(i,) for i in range(50)])
    with practice.opened() as view:
        first = view.query("SELECT id FROM t", 3).batches
        seen = len(next(first))
        assert len(rows_of(view, "t")) == 50
        try:
            seen += sum(map(len, first))
        except RuntimeError:
            return
        assert seen == 50


def test_an_answer_left_halfway_does_not_hold_the_view(practice):
    made(practice, "t", {"id": "int"}, [(i,) for i in range(50)])
    with practice.opened() as view:
        next(view.query("SELECT id FROM t", 3).batches)
        view.query("SELECT id FROM t", 3)
        assert view.count("t") == 50
        next(view.rows("t", ["id"], 3).batches)
    practice.write("DROP TABLE t")


# -- whatever the rows -------------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
CELLS = {
    "int": st.integers(-(2**31), 2**31 - 1),
    "text": TEXTS,
    "real": st.floats(allow_nan=False, allow_infinity=False),
    "blob": st.binary(max_size=40),
}


@st.composite
def tables(draw):
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=5))
    cells = [st.none() | CELLS[k] for k in kinds]
    return kinds, draw(st.lists(st.tuples(*cells), max_size=12))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(table=(["blob", "text"], [(None, "Ø0")]), size=1)
@given(table=tables(), size=st.integers(1, 8))
def test_any_rows_are_read_back_equal(practice, table, size):
    kinds, rows = table
    practice.write("DROP TABLE IF EXISTS t")
    made(practice, "t", {f"c{i}": k for i, k in enumerate(kinds)}, rows)
    with practice.opened() as view:
        columns = [f"c{i}" for i in range(len(kinds))]
        read = rows_of(view, "t", size)
        assert sorted(repr(r[1:]) for r in read) == sorted(map(repr, rows))
        assert len({r[0] for r in read}) == len(rows) == view.count("t")
        asked = answer_of(view, f"SELECT {', '.join(columns)} FROM t", size)
        assert sorted(map(repr, asked)) == sorted(map(repr, rows))

"""MariaDB's types, character sets and engines, as the view gives them."""

from __future__ import annotations

import struct

import pytest

from transvase.errors import SourceLocked, SourceUnreadable
from transvase.sources.engines import mariadb
from transvase.sources.engines.mariadb import shortest
from transvase.sources.view import QueryFault

from .conftest import PASSWORD, USER, answer_of, mariadb_writer, rows_of

CASES = [
    ("tinyint", "-128", -128),
    ("boolean", "true", 1),
    ("smallint unsigned", "65535", 65535),
    ("mediumint", "-8388608", -8388608),
    ("int", "-2147483648", -2147483648),
    ("bigint", "-9223372036854775808", -(2**63)),
    ("bigint unsigned", "18446744073709551615", 2**64 - 1),
    ("decimal(65,30)", "'-12345678901234567890123456789012345.123456789012345678901234567890'",
     "-12345678901234567890123456789012345.123456789012345678901234567890"),
    ("decimal(5,2)", "1.1", "1.10"),
    ("float", "0.1", 0.1),
    ("float", "16777215", 16777215.0),
    ("float", "3.402823466e38", 3.4028235e38),
    ("float", "1.17549435e-38", 1.1754944e-38),
    ("double", "0.1 + 0.2e0", 0.1 + 0.2),
    ("double", "1.7976931348623157e308", 1.7976931348623157e308),
    ("date", "'0000-00-00'", "0000-00-00"),
    ("date", "'2024-02-00'", "2024-02-00"),
    ("date", "'9999-12-31'", "9999-12-31"),
    ("datetime", "'0000-00-00 00:00:00'", "0000-00-00 00:00:00"),
    ("datetime(6)", "'1000-01-01 00:00:00.000001'", "1000-01-01 00:00:00.000001"),
    ("timestamp null", "'2024-07-01 12:00:00'", "2024-07-01 12:00:00"),
    ("time", "'-838:59:59'", "-838:59:59"),
    ("time(3)", "'25:00:00.5'", "25:00:00.500"),
    ("year", "'0000'", "0000"),
    ("year", "2155", "2155"),
    ("bit(1)", "b'1'", 1),
    ("bit(64)", "18446744073709551615", 2**64 - 1),
    ("char(5)", "'x  '", "x"),
    ("varchar(5)", "'x  '", "x  "),
    ("varchar(20) character set latin1", "'é€œ'", "é€œ"),
    ("varchar(20) character set utf8mb3", "'éœ'", "éœ"),
    ("varchar(20) character set utf8mb4", "'é🩺'", "é🩺"),
    ("varchar(20) character set ucs2", "'é'", "é"),
    ("varchar(20) character set cp850", "'é'", "é"),
    ("enum('a','é','')", "'é'", "é"),
    ("set('a','b','c')", "'c,a'", "a,c"),
    ("json", "'{\"b\": 1.10,  \"a\":null}'", '{"b": 1.10,  "a":null}'),
    ("longtext", "repeat('é', 200000)", "é" * 200000),
    ("binary(4)", "'a'", b"a\0\0\0"),
    ("varbinary(4)", "x'00ff5c27'", b"\x00\xff\\'"),
    ("longblob", "x'00ff'", b"\x00\xff"),
    ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("inet6", "'::1'", "::1"),
    ("point", "ST_GeomFromText('POINT(1 2)')", bytes.fromhex("000000000101000000000000000000f03f0000000000000040")),
]  # fmt: skip


def put(practice):
    columns = ", ".join(f"c{i} {declared}" for i, (declared, _, _) in enumerate(CASES))
    practice.write(
        "SET sql_mode = ''",
        f"CREATE TABLE t (id int primary key, {columns})",
        f"INSERT INTO t VALUES (1, {', '.join(value for _, value, _ in CASES)})",
        "INSERT INTO t (id) VALUES (2)",
    )


def test_each_type_comes_exact_from_tables_and_from_queries(in_maria):
    put(in_maria)
    expected = [value for _, _, value in CASES]
    with in_maria.opened() as view:
        full, empty = rows_of(view, "t")
        assert dict(zip(CASES, full[2:], strict=True)) == dict(zip(CASES, expected, strict=True))
        assert [type(v) for v in full[2:]] == [type(v) for v in expected]
        assert set(empty[2:]) == {None}
        kept = ", ".join(f"c{i}" for i in range(len(CASES)))
        assert answer_of(view, f"SELECT {kept} FROM t WHERE id = 1") == [tuple(expected)]


def test_a_zero_filled_number_keeps_its_zeros(in_maria):
    in_maria.write("CREATE TABLE t (id int(5) zerofill primary key)", "INSERT INTO t VALUES (1000)")
    with in_maria.opened() as view:
        assert rows_of(view, "t") == [("01000", "01000")]


@pytest.mark.parametrize(
    "key, expected",
    [
        pytest.param("PRIMARY KEY (u)", "00FF", id="binary primary key"),
        pytest.param("UNIQUE KEY (n), UNIQUE KEY (v)", "é", id="unique index that admits no null"),
        pytest.param("UNIQUE KEY b (d, v), UNIQUE KEY c (n)", "2024-01-02|é", id="unique index of two columns"),
        pytest.param("PRIMARY KEY (f)", "0.10000000149011612", id="single-precision key"),
    ],
)
def test_a_row_is_named_by_its_unique_columns(in_maria, key, expected):
    in_maria.write(
        f"CREATE TABLE t (u varbinary(4) NOT NULL, v varchar(9) NOT NULL, n int, d date NOT NULL, f float NOT NULL, {key})",
        "INSERT INTO t VALUES (x'00ff', 'é', 7, '2024-01-02', 0.1)",
    )
    with in_maria.opened() as view:
        assert [r[0] for r in rows_of(view, "t")] == [expected]


def test_a_row_without_unique_columns_is_named_by_its_content_and_rank(in_maria):
    rows = "(1, NULL), (1, NULL), (1, ''), (NULL, '1'), (1, 'a,b'), (1, x'ff')"
    in_maria.write(
        "CREATE TABLE t (a int, b varbinary(9))",
        f"INSERT INTO t VALUES {rows}",
    )
    with in_maria.opened() as view:
        keys = [r[0] for r in rows_of(view, "t")]
    assert len(set(keys)) == 6
    assert sorted(k.partition("#")[2] for k in keys) == ["1"] * 5 + ["2"]
    assert len({k.partition("#")[0] for k in keys}) == 5


COLLATIONS = ["utf8mb4_general_ci", "utf8mb4_bin", "utf8mb4_unicode_520_ci", "utf8mb3_general_ci", "utf8mb3_bin", "latin1_swedish_ci",
              "latin1_bin", "cp850_general_ci", "ucs2_general_ci", "ascii_general_ci"]  # fmt: skip


@pytest.mark.parametrize("collation", COLLATIONS)
def test_codes_join_columns_of_any_collation(in_maria, collation):
    local = "a" if collation.startswith("ascii") else "é"
    in_maria.write(
        f"CREATE TABLE t (v varchar(20) CHARACTER SET {collation.partition('_')[0]} COLLATE {collation})",
        ("INSERT INTO t VALUES (%s)", [local]),
    )
    with in_maria.opened() as view:
        view.codes({"x": [("a", "1", ""), ("A", "2", ""), ("é", "3", ""), ("e", "4", "")]})
        expected = [("1" if local == "a" else "3",)]
        assert answer_of(view, "SELECT m.code FROM t JOIN map_x m ON m.local = t.v") == expected
        assert answer_of(view, "SELECT m.code FROM t LEFT JOIN map_x m ON t.v = m.local") == expected
        assert answer_of(view, "SELECT m.code FROM t, map_x m WHERE CONCAT(t.v, '') = m.local") == expected


@pytest.mark.parametrize(
    "mode", ["", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT", "STRICT_ALL_TABLES", "ORACLE"]
)
def test_codes_come_exact_whatever_the_mode_of_the_server(in_maria, mariadb_process, mode):
    with mariadb_writer(mariadb_process.port, None) as other, other.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.sql_mode")
        (before,) = cursor.fetchone()
        cursor.execute("SET GLOBAL sql_mode = %s", (mode,))
        try:
            with in_maria.opened() as view:
                view.codes({"x": [("a\\'\"b", "1", "%")]})
                assert answer_of(view, "SELECT local, code, reason FROM map_x") == [("a\\'\"b", "1", "%")]
        finally:
            cursor.execute("SET GLOBAL sql_mode = %s", (before,))


def test_a_table_without_transactions_is_not_written_while_it_is_read(in_maria):
    import pymysql

    in_maria.write("CREATE TABLE m (v int) ENGINE = MyISAM", "INSERT INTO m VALUES (1)", "CREATE TABLE i (v int)")
    with in_maria.opened() as view:
        with in_maria.connect() as other, other.cursor() as cursor:
            cursor.execute("SET lock_wait_timeout = 1")
            with pytest.raises(pymysql.err.OperationalError):
                cursor.execute("INSERT INTO m VALUES (2)")
            cursor.execute("INSERT INTO i VALUES (2)")
        assert view.count("m") == 1 and view.count("i") == 0
    in_maria.write("INSERT INTO m VALUES (2)")


def test_a_locked_table_is_told(in_maria):
    in_maria.write("CREATE TABLE t (v int)", "INSERT INTO t VALUES (1)")
    with in_maria.connect() as other, other.cursor() as cursor, in_maria.opened() as view:
        cursor.execute("LOCK TABLES t WRITE")
        with pytest.raises(SourceLocked):
            view.count("t")


def test_sequences_and_views_are_no_tables_but_versioned_tables_are(in_maria):
    in_maria.write(
        "CREATE TABLE t (v int) WITH SYSTEM VERSIONING", "INSERT INTO t VALUES (1)", "DELETE FROM t", "INSERT INTO t VALUES (2)",
        "CREATE SEQUENCE s", "CREATE VIEW w AS SELECT 1 AS v",
    )  # fmt: skip
    with in_maria.opened() as view:
        assert list(view.tables()) == ["t"] and [r[1] for r in rows_of(view, "t")] == [2] and view.count("t") == 1


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 INTO OUTFILE '/tmp/transvase-test-outfile'",
        "SELECT v, v FROM t",
        "SELECT NEXT VALUE FOR s",
        "CALL p()",
    ],
)
def test_a_query_that_leaves_the_reading_is_refused(in_maria, query):
    in_maria.write(
        "CREATE TABLE t (v int)", "CREATE SEQUENCE s", "CREATE PROCEDURE p() DELETE FROM t", "INSERT INTO t VALUES (1)"
    )
    with in_maria.opened() as view, pytest.raises((QueryFault, SourceUnreadable)):
        answer_of(view, query)


@pytest.mark.parametrize(
    "value",
    [
        0.1,
        1.0,
        16777215.0,
        3.4028234663852886e38,
        -1.1754943508222875e-38,
        1.401298464324817e-45,
        72.3499984741211,
        0.0,
    ],
)
def test_the_shortest_decimal_stands_for_the_same_single(value):
    short = shortest(value)
    assert struct.pack("f", short) == struct.pack("f", value) and len(repr(short)) <= len(repr(value))


def test_the_shortest_decimal_of_nothing():
    assert shortest(None) is None


def test_a_local_server_is_read_through_its_socket(in_maria):
    in_maria.write("CREATE TABLE t (v int)", "INSERT INTO t VALUES (1)")
    with in_maria.connect() as other, other.cursor() as cursor:
        cursor.execute("SELECT @@socket, DATABASE()")
        path, name = cursor.fetchone()
    with mariadb.opened(f"mariadb://{USER}@localhost/{name}?unix_socket={path}", PASSWORD) as view:
        assert view.name == f"{name}@localhost" and rows_of(view, "t")[0][1:] == (1,)

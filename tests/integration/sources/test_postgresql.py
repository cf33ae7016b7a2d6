"""PostgreSQL's types, settings and kinds of tables, as the view gives them."""

from __future__ import annotations

import pytest

from transvase.errors import SourceLocked, SourceUnreadable
from transvase.sources.engines import postgresql

from .conftest import PASSWORD, USER, answer_of, in_postgresql, postgresql_writer, rows_of

CASES = [
    ("bool", "true", True),
    ("int2", "-32768", -32768),
    ("int4", "2147483647", 2147483647),
    ("int8", "-9223372036854775808", -(2**63)),
    ("real", "0.1", 0.1),
    ("real", "16777217", 16777216.0),
    ("real", "'-infinity'", float("-inf")),
    ("float8", "0.1::float8 + 0.2::float8", 0.1 + 0.2),
    ("numeric", "1.10", "1.10"),
    ("numeric", "'NaN'", "NaN"),
    ("numeric", "'-123456789012345678901234567890.123456789012345678901234567890'", "-123456789012345678901234567890.123456789012345678901234567890"),
    ("numeric", "1e-30", "0." + "0" * 29 + "1"),
    ("numeric(10,3)", "1.5", "1.500"),
    ("money", "'1234.5'::numeric::money", "$1,234.50"),
    ("text", "'x'", "x"),
    ("varchar(5)", "'x '", "x "),
    ("char(5)", "'x'", "x"),
    ('"char"', "'x'", "x"),
    ("name", "'x'", "x"),
    ("bytea", "'\\x00ff5c27'", b"\x00\xff\\'"),
    ("date", "'2024-02-29'", "2024-02-29"),
    ("date", "'0044-03-15 BC'", "0044-03-15 BC"),
    ("date", "'infinity'", "infinity"),
    ("date", "'5874897-12-31'", "5874897-12-31"),
    ("time", "'24:00:00'", "24:00:00"),
    ("timetz", "'10:11:12.123456+05:30'", "10:11:12.123456+05:30"),
    ("timestamp", "'294276-12-31 23:59:59.999999'", "294276-12-31 23:59:59.999999"),
    ("timestamp", "'4713-01-01 00:00:00 BC'", "4713-01-01 00:00:00 BC"),
    ("timestamp", "'-infinity'", "-infinity"),
    ("timestamptz", "'2024-07-01 12:00:00+02'", "2024-07-01 10:00:00+00"),
    ("interval", "'1 year 2 mons -3 days 04:05:06.789'", "1 year 2 mons -3 days +04:05:06.789"),
    ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("json", "'{\"b\": 1.10,  \"a\":null}'", '{"b": 1.10,  "a":null}'),
    ("jsonb", "'{\"b\": 1.10,  \"a\":null}'", '{"a": null, "b": 1.10}'),
    ("jsonb", "'null'", "null"),
    ("int[]", "'{1,NULL,-3}'", "{1,NULL,-3}"),
    ("text[]", "ARRAY['a,b', 'c\"d', NULL, '']", '{"a,b","c\\"d",NULL,""}'),
    ("numeric[]", "'{{1.10,2},{3,4}}'", "{{1.10,2},{3,4}}"),
    ("inet", "'192.168.0.1/24'", "192.168.0.1/24"),
    ("cidr", "'10.0.0.0/8'", "10.0.0.0/8"),
    ("macaddr", "'08:00:2b:01:02:03'", "08:00:2b:01:02:03"),
    ("bit(4)", "B'0101'", "0101"),
    ("varbit", "B'01'", "01"),
    ("oid", "4294967295", "4294967295"),
    ("xml", "'<a>é</a>'", "<a>é</a>"),
    ("point", "'(1,2.5)'", "(1,2.5)"),
    ("int4range", "'[1,5)'", "[1,5)"),
    ("tsvector", "'a b'", "'a' 'b'"),
    ("regclass", "'pg_class'", "pg_class"),
    ("sexe", "'féminin'", "féminin"),
    ("dossier", "42", 42),
    ("montant", "42.50", "42.50"),
    ("adresse", "ROW('1 rue', 75001)", '("1 rue",75001)'),
]  # fmt: skip
TYPES = (
    "CREATE TYPE sexe AS ENUM ('masculin', 'féminin')",
    "CREATE DOMAIN dossier AS int CHECK (VALUE > 0)",
    "CREATE DOMAIN montant AS numeric(10,2)",
    "CREATE TYPE adresse AS (rue text, code int)",
)


def test_each_type_comes_exact_from_tables_and_from_queries(in_pg):
    columns = ", ".join(f"c{i} {declared}" for i, (declared, _, _) in enumerate(CASES))
    values = ", ".join(value for _, value, _ in CASES)
    expected = [value for _, _, value in CASES]
    in_pg.write(*TYPES, f"CREATE TABLE t ({columns})", f"INSERT INTO t VALUES ({values})", "INSERT INTO t SELECT")
    with in_pg.opened() as view:
        (full, empty) = rows_of(view, "t")
        assert dict(zip(CASES, full[1:], strict=True)) == dict(zip(CASES, expected, strict=True))
        assert [type(v) for v in full[1:]] == [type(v) for v in expected]
        assert set(empty[1:]) == {None}
        assert answer_of(view, "SELECT * FROM t WHERE c0") == [tuple(expected)]


def test_the_text_is_the_server_s_own(in_pg):
    """The table above against what the server answers to another driver."""
    columns = ", ".join(f"c{i} {declared}" for i, (declared, _, _) in enumerate(CASES))
    in_pg.write(*TYPES, f"CREATE TABLE t ({columns})", f"INSERT INTO t VALUES ({', '.join(v for _, v, _ in CASES)})")
    with in_pg.connect() as other:
        other.execute("SET intervalstyle = postgres")
        texts = other.execute(f"SELECT {', '.join(f'c{i}::text' for i in range(len(CASES)))} FROM t").fetchone()
    with in_pg.opened() as view:
        (row,) = rows_of(view, "t")
    for (declared, _, _), value, text in zip(CASES, row[1:], texts, strict=True):
        if isinstance(value, str):
            assert value == text, declared


@pytest.mark.parametrize(
    "setting",
    [
        "datestyle = 'SQL, DMY'", "intervalstyle = 'iso_8601'", "extra_float_digits = -10", "bytea_output = 'escape'",
        "standard_conforming_strings = off", "default_transaction_read_only = on", "statement_timeout = '200ms'", "row_security = on",
    ],
)  # fmt: skip
def test_settings_of_the_database_change_nothing(in_pg, setting):
    in_pg.write(
        "CREATE TABLE t (d date, i interval, f float8, b bytea)",
        "INSERT INTO t VALUES ('2024-03-01', '1 day 02:00', 1/3.0::float8, '\\x00')",
    )
    with in_pg.connect() as other:
        other.execute(f"ALTER DATABASE {other.info.dbname} SET {setting}")
    with in_pg.opened() as view:
        view.codes({"x": [("a\\'b", "1", "")]})
        assert answer_of(view, "SELECT * FROM t") == [("2024-03-01", "1 day 02:00:00", 1 / 3, b"\0")]
        assert answer_of(view, "SELECT local FROM map_x, (SELECT pg_sleep(0.3)) AS s") == [("a\\'b",)]


@pytest.mark.parametrize(
    "encoding, written, read", [("LATIN1", "é", "é"), ("WIN1252", "œ€", "œ€"), ("SQL_ASCII", "é", "é")]
)
def test_texts_come_right_from_a_database_in_another_encoding(postgresql_process, encoding, written, read):
    practice = in_postgresql(postgresql_process, encoding)
    practice.write("CREATE TABLE t (v text)", ("INSERT INTO t VALUES (%s)", [written]))
    with practice.opened() as view:
        assert answer_of(view, "SELECT v FROM t") == [(read,)]


def test_bytes_that_are_no_utf8_in_a_database_without_encoding_are_read_as_windows(postgresql_process):
    practice = in_postgresql(postgresql_process, "SQL_ASCII")
    practice.write(
        "CREATE TABLE t (v text)",
        "SET client_encoding = 'SQL_ASCII'",
        "INSERT INTO t VALUES (E'n\\xe9e'), (E'\\xc3\\xa9')",
    )
    with practice.opened() as view:
        assert sorted(answer_of(view, "SELECT v FROM t")) == [("née",), ("é",)]


def test_a_partitioned_table_counts_once_and_names_its_rows_apart(in_pg):
    in_pg.write(
        "CREATE TABLE t (k int, v text) PARTITION BY LIST (k)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)",
        "CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2)",
        "INSERT INTO t VALUES (1, 'a'), (2, 'b')",
    )
    with in_pg.opened() as view:
        assert list(view.tables()) == ["t"] and view.count("t") == 2
        read = rows_of(view, "t")
        assert [r[1:] for r in read] == [(1, "a"), (2, "b")] and len({r[0] for r in read}) == 2


def test_an_inherited_table_gives_its_own_rows_only(in_pg):
    in_pg.write(
        "CREATE TABLE p (v int)",
        "CREATE TABLE c () INHERITS (p)",
        "INSERT INTO p VALUES (1)",
        "INSERT INTO c VALUES (2)",
    )
    with in_pg.opened() as view:
        assert view.count("p") == 1 and [r[1] for r in rows_of(view, "p")] == [1]
        assert view.count("c") == 1 and [r[1] for r in rows_of(view, "c")] == [2]


def test_a_foreign_table_is_read_and_its_rows_named_by_content(in_pg):
    in_pg.write(
        "CREATE EXTENSION file_fdw",
        "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw",
        "CREATE FOREIGN TABLE f (v text) SERVER files OPTIONS (program 'printf \"a\\na\\nb\\n\"')",
        "CREATE MATERIALIZED VIEW m AS SELECT 1 AS v",
        "CREATE VIEW w AS SELECT 1 AS v",
    )
    with in_pg.opened() as view:
        assert list(view.tables()) == ["f"]
        read = rows_of(view, "f")
        assert sorted(r[1] for r in read) == ["a", "a", "b"] and len({r[0] for r in read}) == 3


def test_the_schema_is_the_first_of_the_search_path_or_the_one_asked_for(in_pg, postgresql_process):
    in_pg.write(
        'CREATE SCHEMA "Dossier"',
        'CREATE TABLE "Dossier".t (v int)',
        "CREATE TABLE u (v int)",
        'INSERT INTO "Dossier".t VALUES (1)',
    )
    with in_pg.opened() as view:
        assert list(view.tables()) == ["u"]
    url = f"postgresql://{USER}@127.0.0.1:{postgresql_process.port}/{view.name.partition('@')[0]}"
    with postgresql.opened(url + "?schema=Dossier", PASSWORD) as view:
        assert list(view.tables()) == ["t"] and answer_of(view, "SELECT v FROM t") == [(1,)]
    with pytest.raises(SourceUnreadable, match="schema"), postgresql.opened(url + "?schema=nope", PASSWORD):
        pass


def test_columns_that_were_dropped_and_tables_without_column(in_pg):
    in_pg.write(
        "CREATE TABLE t (a int, b int)",
        "ALTER TABLE t DROP COLUMN a",
        "CREATE TABLE e ()",
        "INSERT INTO e DEFAULT VALUES",
    )
    with in_pg.opened() as view:
        assert {t: [c.name for c in cs] for t, cs in view.tables().items()} == {"e": [], "t": ["b"]}
        assert view.count("e") == 1 and rows_of(view, "e") == [("(0,1)",)]


def test_a_function_that_writes_is_refused(in_pg):
    in_pg.write(
        "CREATE SEQUENCE s", "CREATE TABLE t (v int)", "INSERT INTO t VALUES (1)",
        "CREATE FUNCTION w() RETURNS int LANGUAGE sql AS 'DELETE FROM t RETURNING v'",
    )  # fmt: skip
    with in_pg.opened() as view:
        for query in ("SELECT nextval('s')", "SELECT w()", "SELECT set_config('transaction_read_only', 'off', false)"):
            with pytest.raises(SourceUnreadable):
                answer_of(view, query)
        assert view.count("t") == 1
    with in_pg.connect() as other:
        assert other.execute("SELECT is_called FROM s").fetchone() == (False,)
        assert other.execute("SELECT count(*) FROM t").fetchone() == (1,)


def test_no_one_empties_a_table_while_it_is_read(in_pg):
    import psycopg

    in_pg.write("CREATE TABLE t (v int)", "INSERT INTO t VALUES (1)")
    with in_pg.opened() as view:
        with in_pg.connect() as other, pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("SET lock_timeout = '100ms'")
            other.execute("TRUNCATE t")
        assert view.count("t") == 1


def test_a_locked_table_is_told(in_pg, monkeypatch):
    in_pg.write("CREATE TABLE t (v int)")
    with in_pg.connect() as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(SourceLocked), in_pg.opened():
            pass


def test_rows_hidden_by_policy_or_right_are_an_error_not_an_absence(in_pg, postgresql_process):
    name = in_pg.connect().info.dbname
    role = f"lecteur_{name}"
    in_pg.write(
        f"CREATE ROLE {role} LOGIN PASSWORD 'x'", "CREATE TABLE t (v int)", "INSERT INTO t VALUES (1), (2)",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY", "CREATE POLICY p ON t USING (v = 1)", f"GRANT SELECT ON t TO {role}",
    )  # fmt: skip
    url = f"postgresql://{role}@127.0.0.1:{postgresql_process.port}/{name}"
    with postgresql.opened(url, "x") as view, pytest.raises(SourceUnreadable, match="may not read"):
        view.count("t")
    in_pg.write(f"REVOKE ALL ON t FROM {role}")
    with pytest.raises(SourceUnreadable, match="may not read"), postgresql.opened(url, "x"):
        pass


def test_the_server_s_writer_is_not_ours(postgresql_process):
    """The reference of these tests is psycopg, the reading is ADBC: one cannot excuse the other."""
    assert type(postgresql_writer(postgresql_process.port, "postgres")).__module__.startswith("psycopg")

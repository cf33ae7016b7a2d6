"""ODBC drivers of Debian: MariaDB's on the cases of the native engine, SQLite's, and mdbtools' (Access), which is refused.

What a driver keeps differs from the native engine in few places, each named in `OTHERWISE`. HFSQL, 4D and Microsoft's Access driver do not
run here: what is tested is what any driver is asked.
"""

from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest

from transvase.errors import SourceMissing, SourceRefused, SourceUnreachable, SourceUnreadable
from transvase.model.tables import TABLES
from transvase.sources import mapping
from transvase.sources.connection import opened
from transvase.sources.engines import odbc
from transvase.sources.extract import extract

from .conftest import PASSWORD, USER, answer_of, free_port, rows_of
from .test_mariadb import CASES, put

# A year is a number to ODBC, a bit is a boolean, more bits are bytes; and what 64 bits do not hold is text.
OTHERWISE = {
    "year": {"0000": 0, "2155": 2155},
    "bit(1)": {1: True},
    "bit(64)": {2**64 - 1: b"\xff" * 8},
    "bigint unsigned": {2**64 - 1: str(2**64 - 1)},
}


def test_discover_drafts_a_mapping_of_what_a_driver_gives(tmp_path, capsys):
    """Through SQLite's driver: the tables are copied, so what is written is in DuckDB's SQL and reads."""
    from transvase.commands.main import main

    path = tmp_path / "cabinet.sqlite"
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE patients (id INTEGER PRIMARY KEY, nom TEXT, prenom TEXT, date_naissance TEXT)")
        base.executemany(
            "INSERT INTO patients VALUES (?, ?, ?, ?)",
            [(n, f"NOM{n}", f"Prénom{n}", f"19{50 + n % 50}-01-0{1 + n % 9}") for n in range(1, 40)],
        )
    base.close()
    where = f"odbc:Driver=SQLite3;Database={path}"
    assert main(["discover", where, str(tmp_path / "drafted")]) == 0
    drafted = mapping.load(str(tmp_path / "drafted"))
    assert drafted.kind == "odbc" and "patient" in drafted.queries
    assert ("patients", "nom") in drafted.columns
    assert "NOM7" not in capsys.readouterr().out
    work = tmp_path / "work"
    manifest = extract(drafted, where, work, clock=datetime(2026, 11, 23, 20, tzinfo=UTC))
    assert manifest["rows"]["patient"] == 39


def test_each_type_comes_exact_through_mariadbs_driver(in_any):
    put(in_any)
    expected = [OTHERWISE.get(declared, {}).get(value, value) for declared, _, value in CASES]
    with in_any.opened() as view:
        full, empty = rows_of(view, "t")
        assert dict(zip(CASES, full[2:], strict=True)) == dict(zip(CASES, expected, strict=True))
        assert [type(v) for v in full[2:]] == [type(v) for v in expected]
        assert set(empty[2:]) == {None}
        kept = ", ".join(f"c{i}" for i in range(len(CASES)))
        assert answer_of(view, f"SELECT {kept} FROM t WHERE id = 1") == [tuple(expected)]


def test_a_mapping_joins_whatever_the_product_speaks(in_any):
    in_any.write(
        "CREATE TABLE t (id int PRIMARY KEY, d date)",
        "SET sql_mode = ''",
        "INSERT INTO t VALUES (1, '2024-05-06'), (2, NULL)",
    )
    with in_any.opened() as view:
        view.codes({"x": [("1", "a", "")]})
        sql = "SELECT rowid, m.code, try_cast(d AS DATE) + 1 AS next FROM t LEFT JOIN map_x m ON m.local = t.id::VARCHAR ORDER BY id"
        assert answer_of(view, sql) == [("1", "a", "2024-05-07"), ("2", None, None)]


def test_the_tables_are_those_of_the_base_that_the_address_names(in_any):
    in_any.write("CREATE TABLE t (v int)", "CREATE TABLE tt (v int)", "CREATE TABLE t_ (w int)")
    with in_any.opened() as view:
        assert {t: [c.name for c in columns] for t, columns in view.tables().items()} == {
            "t": ["v"],
            "t_": ["w"],
            "tt": ["v"],
        }


# -- refusals -----------------------------------------------------------------------------------------------------------------


def refused(address, password=PASSWORD):
    with pytest.raises(Exception) as caught, odbc.opened(address, password):
        pass
    error = caught.value
    shown = "".join(traceback.format_exception(error)).replace(__file__, "") + error.sentence("fr") + repr(error.facts)
    assert USER not in shown and PASSWORD not in shown and "mauvais" not in shown
    assert error.__cause__ is None and (error.__suppress_context__ or error.__context__ is None)
    return error


def at(server, **parts):
    asked = {
        "Driver": "{MariaDB Unicode}",
        "Server": "127.0.0.1",
        "Port": server.port,
        "Database": "mysql",
        "UID": USER,
        **parts,
    }
    return "odbc:" + ";".join(f"{k}={v}" for k, v in asked.items())


def test_a_wrong_password_is_told_without_it(odbc_process):
    assert type(refused(at(odbc_process), "mauvais")) is SourceRefused
    assert type(refused(at(odbc_process, UID="mauvais"))) is SourceRefused


def test_an_unknown_database_is_missing(odbc_process):
    error = refused(at(odbc_process, Database="absente"))
    assert type(error) is SourceMissing and error.facts["path"] == "absente@127.0.0.1"


def test_a_server_that_is_not_there_does_not_answer(odbc_process):
    assert type(refused(at(odbc_process, Port=free_port()))) is SourceUnreachable


@pytest.mark.parametrize(
    "address, named", [("odbc:Driver={HFSQL};Server Name=x", "HFSQL"), ("odbc:DSN=cabinet-absent", "cabinet-absent")]
)
def test_a_driver_that_is_missing_is_named(odbc_process, address, named):
    error = refused(address)
    assert type(error) is SourceUnreadable and named in str(error) and "installed" in str(error)


# -- SQLite's driver ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def lite(tmp_path, odbc_process):
    path = tmp_path / "cabinet.db"
    return path, f"odbc:Driver={{SQLite3}};Database={path}"


def test_sqlites_driver_gives_dates_texts_and_bodies_as_stored(lite, tmp_path):
    path, address = lite
    rows = [
        (1, "2024-01-02", "2024-01-02 03:04:05.123", "Éà🩺\r\n", b"\0\xff", 2**63 - 1, 0.5),
        (2, "0000-00-00", "", "", b"", -1, -1.5),
        (3, "pas une date", " ", " x ", bytes(range(256)) * 4000, 0, 1e300),
        (4, None, None, None, None, None, None),
    ]
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE t (id integer PRIMARY KEY, d date, s timestamp, v text, b blob, n bigint, r double)")
        base.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    with opened("odbc", address, "", tmp_path) as view:
        assert view.name == "cabinet.db" and view.count("t") == 4
        assert [r[1:] for r in rows_of(view, "t")] == rows
        assert [r[0] for r in rows_of(view, "t")] == ["1", "2", "3", "4"]


def test_a_whole_extraction_through_a_driver_accounts_for_every_cell(lite, tmp_path):
    path, address = lite
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE pat (id integer PRIMARY KEY, nom varchar(40), ne date, note varchar(50))")
        base.executemany("INSERT INTO pat VALUES (?, ?, ?, ?)", [(i, f"NOM{i}", "1980-01-02", "x") for i in range(50)])
    made = tmp_path / "essai"
    (made / "sql").mkdir(parents=True)
    (made / "mapping.toml").write_text('product = "Essai"\nkind = "odbc"\n', encoding="utf-8")
    columns = "table,column,disposition\npat,id,mapped\npat,nom,mapped\npat,ne,mapped\npat,note,native\n"
    (made / "columns.csv").write_text(columns, encoding="utf-8")
    query = "SELECT rowid AS key, nom AS birth_family, ne AS birth_date, 'pat' AS source_table, rowid AS source_key FROM pat"
    (made / "sql" / "patient.sql").write_text(query, encoding="utf-8")
    others = [f"{table},essai" for table in TABLES if table not in ("patient", "native")]
    (made / "unserved.csv").write_text("\n".join(["table,reason", *others]), encoding="utf-8")
    clock = datetime(2026, 1, 1, tzinfo=UTC)
    manifest = extract(mapping.load(str(made)), address, tmp_path / "work", clock=clock)
    assert (manifest["rows"]["patient"], manifest["rows"]["native"]) == (50, 50)
    assert manifest["cells"] == [
        {"table": "pat", "rows": 50, "source": 200, "mapped": 150, "native": 50, "excluded": 0}
    ]


# -- Access -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def access(tmp_path, odbc_process) -> Path:
    path = tmp_path / "cabinet.mdb"
    path.write_bytes(gzip.decompress((Path(__file__).parent / "cabinet.mdb.gz").read_bytes()))
    return path


def test_mdbtools_driver_is_refused_and_the_way_out_named(access):
    error = refused(f"odbc:Driver={{MDBTools}};DBQ={access}", "")
    assert type(error) is SourceUnreadable and "mdb-export" in str(error) and error.facts["path"] == "cabinet.mdb"


def test_an_access_base_is_read_from_its_exported_tables(access, tmp_path, program):
    """The way the page for vendors gives, and what mdbtools keeps and loses on it."""
    folder = tmp_path / "export"
    folder.mkdir()
    # Without a locale of UTF-8 its accents become question marks.
    export = [program("mdb-export"), "-b", "hex", "-D", "%Y-%m-%d", "-T", "%Y-%m-%d %H:%M:%S", str(access)]
    for table in ("Odd values", "Patient"):
        with (folder / f"{table}.csv").open("wb") as out:
            subprocess.run([*export, table], check=True, stdout=out, env={**os.environ, "LC_ALL": "C.UTF-8"})
    scan = bytes(i * 7 % 256 for i in range(30_000)).hex().upper()
    with opened("tabular", folder, "", tmp_path) as view:
        assert len(rows_of(view, "Patient")) == 30
        first, second, third, old = (r[1:] for r in rows_of(view, "Odd values"))
    assert first[:12] == (
        "1", "1", "255", "-32768", "0.1", "0.3", "922337203685477.5807", "-123456789012345678901234.5678", "1899-12-30 09:30:15",
        "Éloïse l’Œuvre", "é" * 5000 + "\r\n\"fin\"", scan,
    )  # fmt: skip
    assert second[2:9] == ("0", "32767", "-1.5", "1e+308", "-0.0001", "1.1000", "2024-02-29 00:00:00")
    assert set(third[2:]) == {""}
    # Lost by mdbtools: a double beyond its fifteenth digit (0.30000000000000004 was written), days before 1899-12-30.
    assert old[8] != "1830-01-01 12:00:00"

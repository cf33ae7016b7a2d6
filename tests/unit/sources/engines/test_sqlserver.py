"""SQL Server without a server: none can run where these tests do.

Tested: addresses, identifiers, the texts of SQL, what is read of each type, tables made of the catalogue's answers, a port that refuses,
a server that hangs up, one that offers no TLS, errors by the driver's own sentences. Not tested against a server: that the SQL is
accepted, what the driver makes of each type, the snapshot and its refusal, a certificate, a wrong password, a killed server, rates.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Iterator

import pytest

from transvase.errors import SourceLocked, SourceMissing, SourceRefused, SourceUnreachable, SourceUnreadable
from transvase.sources.engines import sqlserver

SECRET = "s3cr\u00e9t};PWD=x"


@pytest.mark.parametrize(
    "url, password, name, asked",
    [
        (
            "sqlserver://lecteur@srv/cabinet", SECRET, "cabinet@srv",
            "Server={srv,1433};Database={cabinet};UID={lecteur};PWD={s3cr\u00e9t}};PWD=x};Encrypt={yes};TrustServerCertificate={no};"
            "ApplicationIntent={ReadOnly}",
        ),
        (
            "sqlserver://a%40b@srv:1500/m%C3%A9dical?sslmode=disable", "p", "m\u00e9dical@srv",
            "Server={srv,1500};Database={m\u00e9dical};UID={a@b};PWD={p};Encrypt={no};TrustServerCertificate={no};ApplicationIntent={ReadOnly}",
        ),
        (
            "sqlserver://srv/cabinet?instance=SQLEXPRESS", "", "cabinet@srv",
            "Server={srv\\SQLEXPRESS};Database={cabinet};Trusted_Connection={yes};Encrypt={yes};TrustServerCertificate={no};"
            "ApplicationIntent={ReadOnly}",
        ),
    ],
)  # fmt: skip
def test_an_address_becomes_the_drivers(url, password, name, asked):
    assert sqlserver.address(url, password) == (name, asked)


@pytest.mark.parametrize(
    "url", ["", "sqlserver://mauvais@srv", "sqlserver:///base", "http://mauvais@h/d", "sqlserver://[mauvais/d", "sqlserver://mauvais@h/d?sslmode=prefer"]
)  # fmt: skip
def test_an_address_that_is_none_is_refused_without_being_shown(url):
    with pytest.raises(SourceUnreadable) as error:
        sqlserver.address(url, SECRET)
    assert "URL" in str(error.value) and "mauvais" not in str(error.value) and SECRET not in str(error.value)


@pytest.mark.parametrize(
    "name, text", [("Patient", "[Patient]"), ("a]b", "[a]]b]"), ("l'\u00e9t\u00e9 [x", "[l'\u00e9t\u00e9 [x]")]
)
def test_an_identifier_is_quoted(name, text):
    assert sqlserver.quoted(name) == text


@pytest.mark.parametrize(
    "bare, sql, kind, given, value",
    [
        ("bit", "[c]", bool, 1, True),
        ("bigint", "[c]", int, 5, 5),
        ("float", "[c]", float, 0.1, 0.1),
        ("real", "[c]", float, 0.10000000149011612, 0.1),
        ("decimal", "CONVERT(varchar(50), [c])", str, "1.10", "1.10"),
        ("money", "CONVERT(varchar(50), [c], 2)", str, "1.1000", "1.1000"),
        ("date", "CONVERT(varchar(10), [c], 23)", str, "2024-01-02", "2024-01-02"),
        ("datetime2", "CONVERT(varchar(40), [c], 121)", str, "x", "x"),
        ("datetimeoffset", "CONVERT(varchar(40), [c], 121)", str, "x", "x"),
        ("char", "RTRIM([c])", str, "x", "x"),
        ("nvarchar", "[c]", str, "x", "x"),
        ("ntext", "CONVERT(nvarchar(max), [c])", str, "x", "x"),
        ("uniqueidentifier", "CONVERT(char(36), [c])", str, "x", "x"),
        ("image", "CONVERT(varbinary(max), [c])", bytes, bytearray(b"\0\xff"), b"\0\xff"),
        ("timestamp", "CONVERT(varbinary(max), [c])", bytes, b"x", b"x"),
        ("a type of tomorrow", "CONVERT(nvarchar(max), [c])", str, "x", "x"),
    ],
)
def test_each_type_is_read_with_every_digit(bare, sql, kind, given, value):
    form = sqlserver.form("c", bare)
    assert (form.sql, form.type) == (sql, kind)
    made = form.made(given) if form.made else given
    assert made == value and type(made) is kind


@pytest.mark.parametrize(
    "facts, text",
    [
        (("nvarchar", 80, 0, 0), "nvarchar(40)"),
        (("nvarchar", -1, 0, 0), "nvarchar(max)"),
        (("varbinary", 16, 0, 0), "varbinary(16)"),
        (("decimal", 9, 18, 4), "decimal(18,4)"),
        (("datetime2", 8, 27, 7), "datetime2(7)"),
        (("int", 4, 10, 0), "int"),
    ],
)
def test_a_type_is_named_as_a_script_would(facts, text):
    assert sqlserver.declared(*facts) == text


def test_the_catalogue_gives_tables_by_their_schema_and_keys_in_their_order():
    columns = [
        ("compta", "acte", "id", "int", 4, 10, 0, 0),
        ("dbo", "patient", "nom", "nvarchar", 80, 0, 0, 1),
        ("dbo", "patient", "b", "int", 4, 10, 0, 1),
        ("dbo", "patient", "a", "int", 4, 10, 0, 1),
    ]
    found, types = sqlserver.catalogue(columns, [("dbo", "patient", "a"), ("dbo", "patient", "b")])
    assert set(found) == {"patient", "compta.acte"}
    assert found["patient"].place == "[dbo].[patient]" and found["patient"].key == ("a", "b")
    assert [tuple(c) for c in found["patient"].columns] == [("nom", "nvarchar(40)"), ("b", "int"), ("a", "int")]
    assert found["compta.acte"].key == () and types["compta.acte", "id"] == "int"


def test_the_reading_is_one_snapshot_and_writes_nothing():
    assert sqlserver.SNAPSHOT == ("SET TRANSACTION ISOLATION LEVEL SNAPSHOT", "BEGIN TRANSACTION")
    for text in (sqlserver.STATE, sqlserver.COLUMNS, sqlserver.KEYS):
        assert text.strip().startswith("SELECT ") and ";" not in text
    assert all(text.startswith("SET ") for text in sqlserver.SESSION)


class Said(Exception):
    def __init__(self, driver_error: str, ddbc_error: str = "") -> None:
        super().__init__(f"{driver_error} {ddbc_error}")
        self.driver_error, self.ddbc_error = driver_error, ddbc_error


@pytest.mark.parametrize(
    "said, words, kind",
    [
        ("Invalid authorization specification", "Login failed for user 'MARTIN'.", SourceRefused),
        ("Invalid authorization specification", 'Cannot open database "MARTIN" requested by the login.', SourceMissing),
        ("Client unable to establish connection", "TCP Provider: MARTIN", SourceUnreachable),
        ("Client unable to establish connection", "SSL Provider: certificate verify failed MARTIN", SourceUnreadable),
        ("Communication link failure", "MARTIN", SourceUnreachable),
        ("Serialization failure", "MARTIN", SourceLocked),
        ("Syntax error or access violation", "near MARTIN", SourceUnreadable),
        ("", "MARTIN", SourceUnreadable),
    ],
)
def test_an_error_is_told_without_what_the_server_quotes(said, words, kind):
    error = sqlserver.translated(Said(said, words), "cabinet@srv")
    assert type(error) is kind and "MARTIN" not in str(error) + error.sentence("fr")


# -- the driver itself, which brings its own ODBC layer ----------------------------------------------------------------------


def refused(port: int) -> Exception:
    with (
        pytest.raises((SourceUnreachable, SourceUnreadable)) as caught,
        sqlserver.opened(f"sqlserver://lecteur@127.0.0.1:{port}/cabinet", SECRET),
    ):
        pass
    assert caught.value.__suppress_context__ and caught.value.__cause__ is None
    assert SECRET not in str(caught.value) and "lecteur" not in str(caught.value)
    return caught.value


@pytest.fixture
def fake() -> Iterator[list[bytes]]:
    """A port where the given answer is all that comes; its number is appended."""
    answers: list = []
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    answers.append(server.getsockname()[1])

    def serve() -> None:
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return
            with line:
                line.recv(4096)
                if len(answers) > 1:
                    line.sendall(answers[1])
                    line.recv(4096)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield answers
    server.close()


def test_a_server_that_offers_no_tls_is_refused_before_any_password(fake):
    pytest.importorskip("mssql_python")
    # PRELOGIN's answer: a version, and ENCRYPT_NOT_SUP.
    body = bytes([0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 255, 16, 0, 0, 0, 0, 0, 2])
    fake.append(struct.pack(">BBHHBB", 4, 1, 8 + len(body), 0, 1, 0) + body)
    error = refused(fake[0])
    assert type(error) is SourceUnreadable and "TLS failed" in str(error)


def test_a_server_that_hangs_up_does_not_answer(fake):
    pytest.importorskip("mssql_python")
    assert type(refused(fake[0])) is SourceUnreachable


@pytest.mark.slow
def test_a_port_that_refuses_does_not_answer():
    pytest.importorskip("mssql_python")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert type(refused(port)) is SourceUnreachable


def test_an_absent_driver_is_named_by_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mssql_python", None)
    with pytest.raises(SourceUnreadable, match=r"transvase\[sqlserver\]"), sqlserver.opened("sqlserver://u@h/d", "p"):
        pass

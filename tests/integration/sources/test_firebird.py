"""Firebird's types, character sets, keys and refusals, on a private server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from transvase.errors import SourceMissing, SourceRefused, SourceUnreachable, SourceUnreadable
from transvase.sources.connection import opened
from transvase.sources.engines import firebird

from .conftest import Server, answer_of, as_user, folder, free_port, rows_of

USER, PASSWORD = "SYSDBA", "s3cr\u00e9t'é"
ROOT = next(iter(sorted(Path("/usr/lib").glob("*/firebird/3.0"))), Path("/usr/lib/firebird/3.0"))

CASES = [
    ("smallint", "-32768", -32768),
    ("integer", "2147483647", 2147483647),
    ("bigint", "-9223372036854775808", -(2**63)),
    ("numeric(18,4)", "-12345678901234.5678", "-12345678901234.5678"),
    ("decimal(4,2)", "1.1", "1.10"),
    ("float", "0.1", 0.1),
    ("double precision", "0.1e0 + 0.2e0", 0.1 + 0.2),
    ("double precision", "1.7976931348623157e308", 1.7976931348623157e308),
    ("boolean", "true", True),
    ("date", "'0001-01-01'", "0001-01-01"),
    ("date", "'9999-12-31'", "9999-12-31"),
    ("time", "'23:59:59.1234'", "23:59:59.1234"),
    ("timestamp", "'2024-07-01 12:00:00.0001'", "2024-07-01 12:00:00.0001"),
    ("char(5)", "'xà'", "xà"),
    ("char(3)", "x'09'", "\t"),
    ("varchar(9)", "'x  '", "x  "),
    ("varchar(9)", "''", ""),
    ("varchar(20) character set win1252", "'é€œ'", "é€œ"),
    ("varchar(20) character set iso8859_1", "'é'", "é"),
    ("varchar(20) character set dos850", "'é'", "é"),
    ("varchar(20) character set utf8", "'é🩺'", "é🩺"),
    ("varchar(20) character set none", "x'E980'", "é€"),
    ("varchar(20) character set none", "x'C3A9'", "é"),
    ("char(4) character set octets", "x'00ff2020'", b"\0\xff  "),
    ("varchar(4) character set octets", "x'00ff'", b"\0\xff"),
    ("blob sub_type text character set win1252", "'é€'", "é€"),
    ("blob sub_type text", "'é'", "é"),
    ("blob sub_type text", "''", ""),
    ("blob", "x'00ff'", b"\0\xff"),
]


@pytest.fixture(scope="module")
def server(program) -> Iterator[Server]:
    import firebirdsql

    program("isql-fb")
    binary = shutil.which("firebird", path="/usr/sbin:/usr/bin") or program("firebird")
    home, port = folder("firebird"), free_port()
    for entry in ROOT.iterdir():
        if entry.name not in ("firebird.conf", "intl"):
            (home / entry.name).symlink_to(entry.resolve())
    # Its own list of users, and of character sets, by a path that is the library's own.
    shutil.copytree(ROOT / "intl", home / "intl")
    sets = home / "intl" / "fbintl.conf"
    text = sets.read_text(encoding="utf-8").replace("$(root)/intl/fbintl", str(ROOT / "intl" / "libfbintl"))
    sets.unlink()
    sets.write_text(text, encoding="utf-8")
    (home / "firebird.conf").write_text(
        f"RemoteServicePort = {port}\nRemoteBindAddress = 127.0.0.1\nSecurityDatabase = {home / 'security3.fdb'}\n"
        "AuthServer = Srp\nUserManager = Srp\nWireCrypt = Enabled\n",
        encoding="utf-8",
    )
    around = {**os.environ, "FIREBIRD": str(home), "FIREBIRD_LOCK": str(home)}
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "firebird:firebird", home], check=True)
    script = (
        f"create database '{home / 'security3.fdb'}'; commit; connect '{home / 'security3.fdb'}' user SYSDBA;\n"
        f"create user SYSDBA password '{PASSWORD.replace(chr(39), chr(39) * 2)}' using plugin Srp; commit;\n"
    )
    made = subprocess.run(
        [*as_user("firebird"), "isql-fb", "-q", "-user", USER, "-ch", "UTF8"], input=script, env=around,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    def start() -> subprocess.Popen[bytes]:
        with (home / "out").open("ab") as out:
            return subprocess.Popen([*as_user("firebird"), binary, "-p", str(port)], env=around, stdout=out, stderr=out)

    def ready() -> None:
        firebirdsql.connect(
            host="127.0.0.1",
            port=port,
            database=str(home / "security3.fdb"),
            user=USER,
            password=PASSWORD,
            charset="UTF8",
        ).close()

    running = Server(start, ready, port)
    running.home = home
    try:
        running.up()
        yield running
    except AssertionError:
        raise AssertionError(made.stdout + made.stderr + (home / "out").read_text(errors="replace")) from None
    finally:
        running.down()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def writing(server, name="cabinet.fdb", make=False):
    import firebirdsql

    where = {
        "host": "127.0.0.1",
        "port": server.port,
        "database": str(server.home / name),
        "user": USER,
        "password": PASSWORD,
        "charset": "UTF8",
    }
    connection = firebirdsql.create_database(**where) if make else firebirdsql.connect(**where)
    try:
        yield connection.cursor()
        connection.commit()
    finally:
        connection.close()


@pytest.fixture
def base(server, request):
    """An empty base: its server, its name."""
    name = f"base_{abs(hash(request.node.name))}.fdb"
    with writing(server, name, make=True):
        pass

    def write(*statements):
        for statement in statements:
            with writing(server, name) as cursor:
                cursor.execute(*((statement,) if isinstance(statement, str) else statement))

    @contextmanager
    def reading():
        url = f"firebird://{USER}@127.0.0.1:{server.port}/{server.home / name}"
        with tempfile.TemporaryDirectory() as scratch, opened("firebird", url, PASSWORD, Path(scratch)) as view:
            assert view.name == f"{name}@127.0.0.1"
            yield view

    return write, reading


def test_each_type_comes_exact(base):
    write, reading = base
    columns = ", ".join(f"c{i} {declared}" for i, (declared, _, _) in enumerate(CASES))
    write(
        f"CREATE TABLE t (id integer NOT NULL PRIMARY KEY, {columns})",
        f"INSERT INTO t VALUES (1, {', '.join(value for _, value, _ in CASES)})",
        "INSERT INTO t (id) VALUES (2)",
    )
    expected = [value for _, _, value in CASES]
    with reading() as view:
        full, empty = rows_of(view, "T")
        assert dict(zip(CASES, full[2:], strict=True)) == dict(zip(CASES, expected, strict=True))
        assert [type(v) for v in full[2:]] == [type(v) for v in expected]
        assert set(empty[2:]) == {None} and view.count("T") == 2
        assert answer_of(view, "SELECT c0, C3 FROM t WHERE id = 1") == [(-32768, "-12345678901234.5678")]


def test_rows_bear_their_key_and_names_may_hold_anything(base):
    write, reading = base
    write(
        'CREATE TABLE "Été d\'""or" ("É 1" integer NOT NULL, "b" varchar(9) NOT NULL, PRIMARY KEY ("b", "É 1"))',
        ('INSERT INTO "Été d\'""or" VALUES (?, ?)', (7, "é")),
        "CREATE TABLE u (v integer)",
        "INSERT INTO u VALUES (1)",
        "CREATE VIEW w AS SELECT v FROM u",
        "CREATE GLOBAL TEMPORARY TABLE g (v integer)",
    )
    with reading() as view:
        assert list(view.tables()) == ["U", "Été d'\"or"]
        assert rows_of(view, "Été d'\"or") == [("é|7", 7, "é")] and rows_of(view, "U") == [("1", 1)]


def test_a_body_of_some_megabytes_comes_whole(base):
    write, reading = base
    body = bytes(range(256)) * 4096 * 3
    write("CREATE TABLE t (b blob)", ("INSERT INTO t VALUES (?)", (body,)))
    with reading() as view:
        assert rows_of(view, "T") == [("1", body)]


def test_what_another_commits_meanwhile_is_not_seen_and_nothing_can_be_written(base):
    write, reading = base
    write("CREATE TABLE t (v integer)", "CREATE TABLE u (v integer)", "INSERT INTO t VALUES (1)")
    with reading() as view:
        assert view.count("T") == 1
        write("INSERT INTO t VALUES (2)", "INSERT INTO u VALUES (1)")
        assert rows_of(view, "T") == [("1", 1)] and view.count("U") == 0 and rows_of(view, "U") == []
        with pytest.raises(Exception, match="read-only transaction"):
            view._source._cursor().execute("DELETE FROM t")
    with reading() as view:
        assert view.count("T") == 2


def refused(url, password):
    with pytest.raises(Exception) as caught, firebird.opened(url, password):
        pass
    error = caught.value
    shown = "".join(traceback.format_exception(error)).replace(__file__, "") + error.sentence("fr") + repr(error.facts)
    assert PASSWORD not in shown and "mauvais" not in shown
    assert error.__cause__ is None and (error.__suppress_context__ or error.__context__ is None)
    return error


def test_refusals_are_told_without_a_secret(server):
    place = f"127.0.0.1:{server.port}/{server.home}"
    assert type(refused(f"firebird://{USER}@{place}/security3.fdb", "mauvais")) is SourceRefused
    assert type(refused(f"firebird://mauvais@{place}/security3.fdb", PASSWORD)) is SourceRefused
    missing = refused(f"firebird://{USER}@{place}/absente.fdb", PASSWORD)
    assert type(missing) is SourceMissing and missing.facts["path"] == "absente.fdb@127.0.0.1"


def test_a_server_that_is_not_there_does_not_answer():
    assert type(refused(f"firebird://{USER}@127.0.0.1:{free_port()}/x", PASSWORD)) is SourceUnreachable


@pytest.mark.parametrize("url", ["", "firebird://mauvais@h", "http://mauvais@h/d", "firebird://[mauvais/d"])
def test_a_url_that_names_no_database_is_refused_without_being_shown(url):
    error = refused(url, PASSWORD)
    assert type(error) is SourceUnreadable and "URL" in error.facts["reason"]


def test_an_absent_driver_is_named_by_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "firebirdsql", None)
    assert "transvase[firebird]" in refused("firebird://u@h/d", "p").facts["reason"]


@pytest.mark.parametrize(
    "own, ours, secrets",
    [("arc4.ARC4", "_Arc4", (20,)), ("chacha.ChaCha20", "_ChaCha", (32, 8)), ("chacha.ChaCha20", "_ChaCha", (32, 12))],
)
def test_the_line_is_ciphered_as_the_driver_does(own, ours, secrets):
    from importlib import import_module

    module, _, name = own.partition(".")
    given = [bytes(range(7, 7 + n)) for n in secrets]
    slow = getattr(import_module(f"firebirdsql.{module}"), name).new(*given)
    fast = getattr(firebird, ours).new(*given)
    for length in (1, 63, 64, 65, 300):
        data = bytes(length)
        assert fast.encrypt(data) == slow.encrypt(data)

"""A server that refuses, is not there, or dies: our errors, without a driver's words, a user or a password."""

from __future__ import annotations

import signal
import sys
import traceback
from urllib.parse import quote

import pytest

from transvase.errors import SourceMissing, SourceRefused, SourceUnreachable, TransvaseError
from transvase.sources.engines import mariadb, postgresql

from .conftest import PASSWORD, USER, Practice, free_port, mariadb_writer, postgresql_writer

OPENED = {"postgresql": postgresql.opened, "mariadb": mariadb.opened}


@pytest.fixture(params=[pytest.param(k, marks=pytest.mark.debian) for k in OPENED])
def server(request):
    """The kind of a server, and its port."""
    return request.param, request.getfixturevalue(f"{request.param}_process").port


def refused(kind, url, password):
    with pytest.raises(TransvaseError) as caught, OPENED[kind](url, password):
        pass
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + error.sentence("fr") + repr(error.facts)
    for secret in (USER, PASSWORD, "mauvais"):
        assert secret not in shown.replace(__file__, "")
    assert (error.__suppress_context__ or error.__context__ is None) and error.__cause__ is None
    return error


@pytest.mark.parametrize("password", ["mauvais", "", None])
def test_a_wrong_password_is_told_without_it(server, password):
    kind, port = server
    database = {"postgresql": "postgres", "mariadb": "mysql"}[kind]
    error = refused(kind, f"{kind}://{USER}@127.0.0.1:{port}/{database}", password)
    assert type(error) is SourceRefused
    assert error.facts["path"] == f"{database}@127.0.0.1"


def test_an_unknown_user_is_told_without_him(server):
    kind, port = server
    error = refused(
        kind, f"{kind}://mauvais@127.0.0.1:{port}/{'postgres' if kind == 'postgresql' else 'mysql'}", PASSWORD
    )
    assert type(error) is SourceRefused


def test_an_unknown_database_is_missing(server):
    kind, port = server
    error = refused(kind, f"{kind}://{USER}@127.0.0.1:{port}/absente", PASSWORD)
    assert type(error) is SourceMissing and error.facts["path"] == "absente@127.0.0.1"


@pytest.mark.parametrize("kind", OPENED)
@pytest.mark.parametrize("host", ["127.0.0.1", "nulle-part.invalid"])
def test_a_server_that_is_not_there_does_not_answer(kind, host):
    error = refused(kind, f"{kind}://{USER}@{host}:{free_port()}/cabinet", PASSWORD)
    assert type(error) is SourceUnreachable


@pytest.mark.parametrize("kind", OPENED)
@pytest.mark.parametrize(
    "url",
    [
        "",
        "cabinet",
        "http://mauvais:mauvais@h/d",
        "{kind}://mauvais@h",
        "{kind}://mauvais:mauvais@h/",
        "{kind}://[mauvais/d",
    ],
)
def test_a_url_that_names_no_database_is_refused_without_being_shown(kind, url):
    error = refused(kind, url.format(kind=kind), PASSWORD)
    assert "URL" in error.facts["reason"]


def test_a_password_in_the_url_is_used_and_not_shown(server):
    kind, port = server
    database = "postgres"
    if kind == "mariadb":
        with mariadb_writer(port, None) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE IF NOT EXISTS postgres")
    with OPENED[kind](f"{kind}://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/{database}", None) as view:
        assert view.name == f"{database}@127.0.0.1"


@pytest.mark.parametrize("fleeting", [pytest.param(k, marks=pytest.mark.debian) for k in OPENED], indirect=True)
def test_a_server_killed_in_the_middle_of_a_reading_is_told(fleeting):
    kind, server = fleeting
    rows, text = 400_000, "x" * 200
    if kind == "postgresql":
        practice = Practice(kind, lambda: postgresql_writer(server.port, "postgres"), lambda: None)
        practice.write(f"CREATE TABLE t AS SELECT i, '{text}' AS v FROM generate_series(1, {rows}) AS i")
        url = f"postgresql://{USER}@127.0.0.1:{server.port}/postgres"
    else:
        practice = Practice(kind, lambda: mariadb_writer(server.port, None), lambda: None)
        practice.write(
            "CREATE DATABASE d", f"CREATE TABLE d.t AS SELECT seq AS i, '{text}' AS v FROM d.seq_1_to_{rows}"
        )
        url = f"mariadb://{USER}@127.0.0.1:{server.port}/d"
    with OPENED[kind](url, PASSWORD) as view:
        batches = view.query("SELECT i, v FROM t", 1000).batches
        seen = len(next(batches))
        server.down(signal.SIGKILL if kind == "mariadb" else signal.SIGQUIT)
        with pytest.raises(SourceUnreachable) as caught:
            for batch in batches:
                seen += len(batch)
        assert seen < rows
        assert text not in "".join(traceback.format_exception(caught.value))
        with pytest.raises(SourceUnreachable):
            view.count("t")
        with pytest.raises(SourceUnreachable):
            view.query("SELECT 1 AS v", 5)
    # And the server gone, nothing more can be opened.
    assert type(refused(kind, url, PASSWORD)) is SourceUnreachable


@pytest.mark.parametrize("kind, module", [("postgresql", "adbc_driver_postgresql"), ("mariadb", "asyncmy")])
def test_an_absent_driver_is_named_by_the_extra_that_brings_it(kind, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    error = refused(kind, f"{kind}://u@h/d", None)
    assert error.facts["reason"] == f"driver missing: pip install 'transvase[{kind}]'"

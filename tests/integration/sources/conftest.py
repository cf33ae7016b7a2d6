"""Private servers, started once, stopped at the end; and databases in each engine, written by a driver that is not ours."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest

from transvase.sources.connection import opened as opened_by_kind
from transvase.sources.engines import duckdb_file, mariadb, postgresql, sqlite
from transvase.sources.view import View

ALL = os.environ.get("TRANSVASE_TEST_ALL") == "1"
PASSWORD = "s3cr\u00e9t'\\ &?#%"
USER = "lecteur"
WAIT = 30.0
NUMBERS = count()


def missing(what: str) -> None:
    """As in the common fixtures: a failure where everything must run."""
    if ALL:
        pytest.fail(f"{what} is missing: install it (make test-all does)")
    pytest.skip(f"needs {what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def as_user(name: str) -> list[str]:
    """A database server refuses to be root."""
    return ["setpriv", f"--reuid={name}", f"--regid={name}", "--clear-groups"] if os.geteuid() == 0 else []


@dataclass
class Server:
    """A server that tests may kill and start again; `password` is its user's."""

    start: Callable[[], subprocess.Popen[bytes]]
    ready: Callable[[], Any]
    port: int
    process: subprocess.Popen[bytes] | None = None

    def up(self) -> None:
        self.process = self.start()
        end = time.monotonic() + WAIT
        while True:
            try:
                return self.ready()
            except Exception:
                assert self.process.poll() is None, "the server ended at once"
                assert time.monotonic() < end, "the server does not answer"
                time.sleep(0.1)

    def down(self, how: int = signal.SIGTERM) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(WAIT)


def folder(owner: str) -> Path:
    # Not pytest's own temporary folder: another user must enter it.
    made = Path(tempfile.mkdtemp(prefix="transvase-test-"))
    if os.geteuid() == 0:
        shutil.chown(made, owner, owner)
    made.chmod(0o755)
    return made


def postgresql_server(psql: str) -> Iterator[Server]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    binaries = found[-1] if found else Path(psql).parent
    home, port = folder("postgres"), free_port()
    secret = home / "secret"
    secret.write_text(PASSWORD + "\n", encoding="utf-8")
    secret.chmod(0o644)
    made = [
        "-D",
        home / "data",
        "-U",
        USER,
        "-A",
        "scram-sha-256",
        f"--pwfile={secret}",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
    ]
    subprocess.run([*as_user("postgres"), binaries / "initdb", *made], check=True, capture_output=True, timeout=60)
    options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": home, "fsync": "off"}

    def start() -> subprocess.Popen[bytes]:
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (home / "log").open("ab") as log:
            command = [*as_user("postgres"), binaries / "postgres", "-D", home / "data", *settings]
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    server = Server(start, lambda: postgresql_writer(port, "postgres").close(), port)
    try:
        server.up()
        yield server
    finally:
        server.down(signal.SIGINT)
        shutil.rmtree(home, ignore_errors=True)


def mariadb_server(mariadbd: str, papers: Path | None = None) -> Iterator[Server]:
    """A server; with `papers`, a folder of a certificate and its key, one that offers TLS."""
    home, port = folder("mysql"), free_port()
    tls: list[str] = []
    if papers is not None:
        # Beside its data: the server is another user.
        for name in ("ours.pem", "server.pem", "server.key"):
            (home / name).write_bytes((papers / name).read_bytes())
        tls = [f"--ssl-ca={home}/ours.pem", f"--ssl-cert={home}/server.pem", f"--ssl-key={home}/server.key"]
    data = home / "data"
    made = ["--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db"]
    user = ["--user=mysql"] if os.geteuid() == 0 else []
    subprocess.run(["mariadb-install-db", *made, *user], check=True, capture_output=True, timeout=60)
    import pymysql

    def start() -> subprocess.Popen[bytes]:
        options = [f"--datadir={data}", f"--socket={home / 's'}", f"--port={port}", "--bind-address=127.0.0.1", *user]
        # Starting, a server deletes the temporary tables of another that shares its folder.
        more = [
            f"--tmpdir={home}",
            f"--pid-file={home / 'pid'}",
            "--innodb-flush-log-at-trx-commit=0",
            "--max-allowed-packet=64M",
        ]
        more += ["--innodb-fast-shutdown=2", "--innodb-buffer-pool-size=64M", "--skip-name-resolve"]
        with (home / "log").open("ab") as log:
            command = [mariadbd, "--no-defaults", *options, *more, *tls]
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def root() -> Any:
        return pymysql.connect(unix_socket=str(home / "s"), user="root", charset="utf8mb4")

    server = Server(start, lambda: root().close(), port)
    try:
        server.up()
        with root() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE USER %s@'%%' IDENTIFIED BY %s", (USER, PASSWORD))
            cursor.execute("GRANT ALL ON *.* TO %s@'%%'", (USER,))
        yield server
    finally:
        # Its data go with it: no need to wait for an orderly end.
        server.down(signal.SIGKILL)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_process(program) -> Iterator[Server]:
    yield from postgresql_server(program("psql"))


@pytest.fixture(scope="session")
def mariadb_process(program) -> Iterator[Server]:
    yield from mariadb_server(program("mariadbd"))


@pytest.fixture(scope="session")
def odbc_process(mariadb_process, program) -> Server:
    """The same server, reached by its ODBC driver."""
    drivers = subprocess.run([program("odbcinst"), "-q", "-d"], capture_output=True, text=True, check=False).stdout
    for driver in ("[MariaDB Unicode]", "[SQLite3]", "[MDBTools]"):
        if driver not in drivers:
            missing(f"the ODBC driver {driver}")
    return mariadb_process


@pytest.fixture
def fleeting(request, program) -> Iterator[tuple[str, Server]]:
    """A server of its own for a test that kills it."""
    kind = request.param
    starting = postgresql_server if kind == "postgresql" else mariadb_server
    for server in starting(program("psql" if kind == "postgresql" else "mariadbd")):
        yield kind, server


def postgresql_writer(port: int, database: str) -> Any:
    import psycopg

    return psycopg.connect(
        host="127.0.0.1",
        port=port,
        user=USER,
        password=PASSWORD,
        dbname=database,
        autocommit=True,
        client_encoding="UTF8",
    )


def mariadb_writer(port: int, database: str | None) -> Any:
    import pymysql

    asked = {
        "host": "127.0.0.1",
        "port": port,
        "user": USER,
        "password": PASSWORD.encode(),
        "charset": "utf8mb4",
        "autocommit": True,
    }
    return pymysql.connect(**asked, database=database)


@dataclass
class Practice:
    """A database of a test: `write` runs statements by the reference driver, `opened` is ours."""

    kind: str
    connect: Callable[[], Any]
    opened: Callable[[], AbstractContextManager[View]]
    mark: str = '"'
    types: dict[str, str] = field(default_factory=dict)

    def write(self, *statements: str | tuple[str, Sequence[Any]]) -> None:
        connection = self.connect()
        try:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(*((statement,) if isinstance(statement, str) else statement))
            with suppress(AttributeError, duckdb.TransactionException):
                connection.commit()
        finally:
            connection.close()

    def quoted(self, name: str) -> str:
        return self.mark + name.replace(self.mark, self.mark * 2) + self.mark

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        place = "?" if self.kind in ("sqlite", "duckdb") else "%s"
        text = f"INSERT INTO {self.quoted(table).replace('%', '%%')} VALUES ({', '.join([place] * len(rows[0]))})"
        self.write(*((text if place == "%s" else text.replace("%%", "%"), row) for row in rows))


def rows_of(view: View, table: str, size: int = 3) -> list[tuple[Any, ...]]:
    """All rows of a table with all its columns."""
    columns = [c.name for c in view.tables()[table]]
    answer = view.rows(table, columns, size)
    assert answer.names == ("key", *columns)
    batches = list(answer.batches)
    assert all(0 < len(b) <= size for b in batches)
    return [row for batch in batches for row in batch]


def answer_of(view: View, sql: str, size: int = 3) -> list[tuple[Any, ...]]:
    return [row for batch in view.query(sql, size).batches for row in batch]


def in_postgresql(server: Server, encoding: str = "UTF8") -> Practice:
    name = f"cabinet_{next(NUMBERS)}"
    with postgresql_writer(server.port, "postgres") as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    url = f"postgresql://{USER}@127.0.0.1:{server.port}/{name}"
    return Practice(
        "postgresql",
        lambda: postgresql_writer(server.port, name),
        lambda: postgresql.opened(url, PASSWORD),
        types={"blob": "bytea", "real": "double precision"},
    )


def in_mariadb(server: Server) -> Practice:
    name = f"cabinet_{next(NUMBERS)}"
    with mariadb_writer(server.port, None) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    url = f"mariadb://{USER}@127.0.0.1:{server.port}/{name}"
    return Practice(
        "mariadb",
        lambda: mariadb_writer(server.port, name),
        lambda: mariadb.opened(url, PASSWORD),
        mark="`",
        types={"text": "varchar(300)", "blob": "longblob", "real": "double"},
    )


def in_odbc(server: Server) -> Practice:
    name = f"cabinet_{next(NUMBERS)}"
    with mariadb_writer(server.port, None) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    address = f"odbc:Driver={{MariaDB Unicode}};Server=127.0.0.1;Port={server.port};Database={name};UID={USER}"

    def connect() -> Any:
        # Queries are DuckDB's here: names stand between the same marks for the one who writes.
        connection = mariadb_writer(server.port, name)
        connection.cursor().execute("SET sql_mode = 'ANSI_QUOTES'")
        return connection

    @contextmanager
    def opened() -> Iterator[View]:
        with (
            tempfile.TemporaryDirectory() as scratch,
            opened_by_kind("odbc", address, PASSWORD, Path(scratch)) as view,
        ):
            yield view

    return Practice("odbc", connect, opened, types={"text": "varchar(300)", "blob": "longblob", "real": "double"})


def in_duckdb(folder: Path) -> Practice:
    path = folder / "cabinet.duckdb"
    duckdb.connect(str(path)).close()
    return Practice(
        "duckdb", lambda: duckdb.connect(str(path)), lambda: duckdb_file.opened(path, folder), types={"real": "double"}
    )


def in_sqlite(folder: Path) -> Practice:
    path = folder / "cabinet.sqlite"
    sqlite3.connect(path).close()
    return Practice("sqlite", lambda: sqlite3.connect(path), lambda: sqlite.opened(path))


FILES = {"sqlite": in_sqlite, "duckdb": in_duckdb}
SERVERS = {"postgresql": in_postgresql, "mariadb": in_mariadb, "odbc": in_odbc}
# A test that asks for a server is marked as needing a Debian program.
ENGINES = [
    *(pytest.param(kind, id=kind) for kind in FILES),
    *(pytest.param(kind, id=kind, marks=pytest.mark.debian) for kind in SERVERS),
]


@pytest.fixture(params=ENGINES)
def practice(request, tmp_path) -> Practice:
    """An empty database in each engine."""
    if request.param in FILES:
        return FILES[request.param](tmp_path)
    return SERVERS[request.param](request.getfixturevalue(f"{request.param}_process"))


@pytest.fixture
def in_pg(postgresql_process) -> Practice:
    return in_postgresql(postgresql_process)


@pytest.fixture
def in_any(odbc_process) -> Practice:
    return in_odbc(odbc_process)


@pytest.fixture
def in_maria(mariadb_process) -> Practice:
    return in_mariadb(mariadb_process)

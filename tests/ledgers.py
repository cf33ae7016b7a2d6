"""Ledgers in both engines: a place for a new one, and the other hand that opens it without us."""

from __future__ import annotations

import re
import signal
import sqlite3
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from transvase.ledger.engines import Place, Server

from .integration.sources import conftest as servers

NUMBERS = count(1)
ENGINES = [pytest.param("sqlite", id="sqlite"), pytest.param("postgresql", id="postgresql", marks=pytest.mark.debian)]


@pytest.fixture(scope="session")
def ledger_server(program: Callable[[str], str]) -> Iterator[servers.Server]:
    """A PostgreSQL server for ledgers."""
    for server in servers.postgresql_server(program("psql")):
        yield server
        # Nothing of it is read again: no checkpoint at the end.
        server.down(signal.SIGQUIT)


def on(server: servers.Server, schema: str = "") -> Server:
    """A new schema of a server, or that one."""
    schema = schema or f"cabinet_{next(NUMBERS)}"
    return Server(f"postgresql://{servers.USER}@127.0.0.1:{server.port}/postgres?schema={schema}", servers.PASSWORD)


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a new ledger may stand."""
    if request.param == "sqlite":
        return tmp_path / "ledger.sqlite"
    return on(request.getfixturevalue("ledger_server"))


class Hand:
    """The ledger opened by another program; each statement stands at once."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._base: Any
        if isinstance(place, Path):
            self._base = sqlite3.connect(place, isolation_level=None)
        else:
            port = re.search(r":(\d+)/", place.url)
            assert port
            self._base = servers.postgresql_writer(int(port[1]), "postgres")
            self._base.execute(f"SET search_path = {place.schema}")

    def __enter__(self) -> Hand:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def execute(self, *statements: str) -> list[int]:
        """How many rows each one touched."""
        return [self._base.execute(s).rowcount for s in statements]

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        """The answer to a question."""
        return [tuple(row) for row in self._base.execute(question).fetchall()]

    def columns(self, table: str) -> set[str]:
        """Names of the columns of a table."""
        return {column[0] for column in self._base.execute(f"SELECT * FROM {table} LIMIT 0").description}

    def unguarded(self) -> None:
        """Take away what keeps the events and their order to the submissions."""
        if isinstance(self.place, Path):
            self.execute("PRAGMA foreign_keys = OFF", "DROP TRIGGER event_kept", "DROP TRIGGER event_stays")
        else:
            self.execute(*(f"ALTER TABLE {t} DISABLE TRIGGER ALL" for t in ("event", "submission")))
            # A number is moved out of the way, then another takes it.
            self.execute("ALTER TABLE event DROP CONSTRAINT event_pkey", "CREATE INDEX again ON event (number)")

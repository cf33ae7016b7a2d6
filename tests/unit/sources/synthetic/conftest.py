"""The practices under test, made once: the five journeys alone, and three hundred patients with bodies."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from transvase.sources import mapping
from transvase.sources.synthetic.practice import Census, generate

CLOCK = datetime(2026, 11, 23, 8, 0)


class Practice(NamedTuple):
    path: Path
    census: Census
    base: sqlite3.Connection

    def all(self, query: str, *values: object) -> list[tuple]:
        return self.base.execute(query, values).fetchall()

    def one(self, query: str, *values: object) -> object:
        return self.base.execute(query, values).fetchone()[0]

    def canonical(self, table: str) -> list[dict]:
        """The rows that the mapping delivers for a canonical table."""
        cursor = self.base.execute(mapping.load("synthetic").queries[table])
        names = [d[0] for d in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def opened(path: Path, census: Census) -> Practice:
    base = sqlite3.connect(path)
    for name, lines in mapping.load("synthetic").codes.items():
        base.execute(f"CREATE TEMP TABLE map_{name} (local TEXT PRIMARY KEY, code TEXT, reason TEXT)")
        base.executemany(f"INSERT INTO map_{name} VALUES (?, ?, ?)", lines)
    base.commit()
    return Practice(path, census, base)


def made(folder: Path, **wanted: object) -> Practice:
    path = folder / "cabinet.sqlite"
    return opened(path, generate(path, clock=CLOCK, **wanted))


@pytest.fixture(scope="session")
def journeys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    practice = made(tmp_path_factory.mktemp("journeys"))
    yield practice
    practice.base.close()


@pytest.fixture(scope="session")
def three_hundred(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    practice = made(tmp_path_factory.mktemp("three_hundred"), patients=300)
    yield practice
    practice.base.close()

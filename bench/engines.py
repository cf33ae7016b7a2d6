"""Reading a practice's database by `sources.engines`, against the leanest way out of the same engine, in the same run.

`python bench/engines.py [sqlite|postgresql|mariadb|odbc|duckdb|csv …] [--rows N] [--memory] [--documents]`. Servers are those that the
tests start (Debian's packages), or with `--url` (and `--password-file`) one that holds nothing else: the table `transvase_bench` is made
there and dropped. Without more, the time of reading every row of a table of six columns; `--memory` the peak of a process that reads
ten times as many rows, over the peak of one that reads them once; `--documents` bodies of 80 kB read, digested and stored, over their
reading alone. Results are appended to bench/results.csv.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent))
from run import keep

TABLE = "transvase_bench"
NAMES = ("id", "name", "birth", "amount", "note", "n")
SIZE, BODY_BATCH, BODY = 2048, 16, 80_000
MAKE = {
    "sqlite": "CREATE TABLE {t} AS WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < {n}) SELECT i AS id, "
    "'patient numéro ' || i AS name, date('1950-01-01', '+' || (i % 20000) || ' days') AS birth, round(i / 7.0, 2) AS amount, "
    "substr(printf('%100s', ''), 1, i % 100) AS note, i % 1000 AS n FROM g",
    "postgresql": "CREATE TABLE {t} AS SELECT g AS id, 'patient numéro ' || g AS name, date '1950-01-01' + (g % 20000)::int AS birth, "
    "(g / 7.0)::numeric(12,2) AS amount, repeat('n', (g % 100)::int) AS note, (g % 1000)::int AS n FROM generate_series(1::bigint, {n}) AS g",
    "mariadb": "CREATE TABLE {t} AS SELECT seq AS id, concat('patient numéro ', seq) AS name, date_add('1950-01-01', INTERVAL seq % 20000 DAY) "
    "AS birth, CAST(seq / 7 AS DECIMAL(12,2)) AS amount, CAST(repeat('n', seq % 100) AS CHAR(120)) AS note, CAST(seq % 1000 AS INT) AS n FROM seq_1_to_{n}",
    "duckdb": "CREATE TABLE {t} AS SELECT i AS id, 'patient numéro ' || i AS name, DATE '1950-01-01' + (i % 20000)::INT AS birth, "
    "(i / 7.0)::DECIMAL(12,2) AS amount, repeat('n', (i % 100)::INT) AS note, (i % 1000)::INT AS n FROM range(1, {n} + 1) AS t(i)",
}
BLOBS = {
    "sqlite": "CREATE TABLE {t} AS WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < {n}) SELECT i AS id, "
    "randomblob({b}) AS body FROM g",
    "postgresql": "CREATE TABLE {t} AS SELECT g AS id, (SELECT string_agg(sha256((g || ' ' || k)::bytea), '') FROM "
    "generate_series(1, {b} / 32) AS k) AS body FROM generate_series(1::bigint, {n}) AS g",
    "mariadb": "CREATE TABLE {t} AS SELECT s.seq AS id, CAST(repeat(unhex(sha2(s.seq, 256)), {b} / 32) AS BINARY({b})) AS body FROM seq_1_to_{n} s",
}
Drain = Callable[[], object]


class Engine:
    """An engine that holds the table: how to open it our way, and the leanest way to read it out."""

    def __init__(self, kind: str, folder: Path, url: str = "", password: str = "") -> None:
        self.kind, self.folder, self.url, self.password = kind, folder, url, password

    def make(self, text: str) -> None:
        """Make the table anew by a statement of the engine."""
        drop = f"DROP TABLE IF EXISTS {TABLE}"
        if self.kind == "sqlite":
            (self.folder / "bench.sqlite3").unlink(missing_ok=True)
            with contextlib.closing(sqlite3.connect(self.folder / "bench.sqlite3")) as base, base:
                base.execute(text)
        elif self.kind == "postgresql":
            import psycopg

            with psycopg.connect(self.url, password=self.password, autocommit=True) as line:
                for statement in (drop, text, f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id)", f"VACUUM ANALYZE {TABLE}"):
                    line.execute(statement)
        elif self.kind in ("mariadb", "odbc"):
            import pymysql

            with (
                pymysql.connect(**self._place(), password=self.password.encode(), autocommit=True) as line,
                line.cursor() as cursor,
            ):
                for statement in (drop, text, f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id)"):
                    cursor.execute(statement)
        elif self.kind == "duckdb":
            import duckdb

            (self.folder / "bench.duckdb").unlink(missing_ok=True)
            with duckdb.connect(str(self.folder / "bench.duckdb")) as base:
                base.execute(text)

    def rows(self, count: int) -> None:
        """The table of six columns."""
        if self.kind == "csv":
            path = self.folder / "export" / f"{TABLE}.csv"
            path.parent.mkdir(exist_ok=True)
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, delimiter=";")
                writer.writerow(NAMES)
                writer.writerows(
                    (i, f"patient numéro {i}", "1950-01-01", f"{i / 7:.2f}", "n" * (i % 100), i % 1000)
                    for i in range(1, count + 1)
                )
            return
        self.make(MAKE["mariadb" if self.kind == "odbc" else self.kind].format(t=TABLE, n=count))

    def _place(self) -> dict[str, Any]:
        parts = urlsplit(self.url)
        port = parts.port or 3306
        return {"host": parts.hostname, "port": port, "user": parts.username, "database": parts.path.strip("/")}

    def _driver(self) -> str:
        place = self._place()
        return f"Driver={{MariaDB Unicode}};Server={place['host']};Port={place['port']};Database={place['database']};"

    @contextlib.contextmanager
    def opened(self) -> Iterator[Any]:
        """Our view of it."""
        from transvase.sources.connection import opened

        where: Path | str = self.url
        if self.kind == "odbc":
            where = f"odbc:{self._driver()}UID={self._place()['user']}"
        elif self.kind in ("sqlite", "duckdb", "csv"):
            names = {"sqlite": "bench.sqlite3", "duckdb": "bench.duckdb", "csv": "export"}
            where = self.folder / names[self.kind]
        with tempfile.TemporaryDirectory() as scratch:
            kind = "tabular" if self.kind == "csv" else self.kind
            with opened(kind, where, self.password, Path(scratch)) as view:
                yield view

    def floor(self) -> tuple[str, Drain]:
        """Its name, and the reading of every row by it."""
        return {
            "sqlite": ("sqlite3's own fetchmany", self._sqlite),
            "postgresql": ("COPY by psql", self._copy),
            "mariadb": ("ODBC cursor into Arrow", self._arrow_odbc),
            "odbc": ("pyodbc's own fetchmany", self._pyodbc),
            "duckdb": ("DuckDB's own fetchmany", self._duckdb),
            "csv": ("csv.reader", self._csv),
        }[self.kind]

    def _sqlite(self) -> None:
        with contextlib.closing(sqlite3.connect(self.folder / "bench.sqlite3")) as base:
            answer = base.execute(f"SELECT rowid, {', '.join(NAMES)} FROM {TABLE}")
            while answer.fetchmany(SIZE):
                pass

    def _copy(self) -> None:
        # The server's own client: a loop in Python would be a slower floor.
        command = ["psql", self.url, "-c", f"COPY {TABLE} TO STDOUT"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PGPASSWORD": self.password})

    def _arrow_odbc(self) -> None:
        import arrow_odbc

        line = arrow_odbc.connect(self._driver(), user=self._place()["user"], password=self.password)
        asked = f"SELECT id, name, CAST(birth AS CHAR), CAST(amount AS CHAR), note, n FROM {TABLE}"
        sum(b.num_rows for b in line.read_arrow_batches(asked, batch_size=SIZE, max_bytes_per_batch=None))

    def _pyodbc(self) -> None:
        import pyodbc

        pyodbc.pooling = False
        secret = self.password.replace("}", "}}")
        with pyodbc.connect(f"{self._driver()}UID={self._place()['user']};PWD={{{secret}}}") as line:
            answer = line.cursor().execute(f"SELECT {', '.join(NAMES)} FROM {TABLE}")
            while answer.fetchmany(SIZE):
                pass

    def _duckdb(self) -> None:
        import duckdb

        with duckdb.connect(str(self.folder / "bench.duckdb"), read_only=True, config={"threads": 1}) as base:
            answer = base.execute(f"SELECT id, name, birth::VARCHAR, amount::VARCHAR, note, n FROM {TABLE}")
            while answer.fetchmany(SIZE):
                pass

    def _csv(self) -> None:
        with (self.folder / "export" / f"{TABLE}.csv").open(encoding="utf-8", newline="") as file:
            for _ in csv.reader(file, delimiter=";", strict=True):
                pass


def peak_of_this() -> int:
    """Peak memory of this process, in kB: not `ru_maxrss`, which begins at what the process that started it held."""
    with Path("/proc/self/status").open(encoding="ascii") as file:
        return int(next(line.split()[1] for line in file if line.startswith("VmHWM:")))


def drain(batches: Iterable[Any]) -> int:
    return sum(map(len, batches))


def spent(work: Drain) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def times(engine: Engine, rows: int, rounds: int) -> None:
    """Our readings over the floor, in turns; medians."""
    engine.rows(rows)
    name, floor = engine.floor()
    floor()
    if engine.kind == "odbc":
        # A source of whole tables: read once into Parquet, then asked there.
        def copied() -> None:
            with engine.opened() as view:
                drain(view.rows(TABLE, [], SIZE).batches)

        found = [spent(copied) / spent(floor) for _ in range(rounds)]
        keep("engines", f"odbc: read and copied, times {name}", statistics.median(found), f"{rows} rows")
        return
    with engine.opened() as view:
        readings: dict[str, Drain] = {"whole tuples": lambda: drain(view.rows(TABLE, NAMES, SIZE).batches)}
        if hasattr(view, "arrow_rows"):
            readings["Arrow alone"] = lambda: drain(b.columns[0] for b in view.arrow_rows(TABLE, NAMES))
        found_by: dict[str, list[float]] = {label: [] for label in readings}
        for _ in range(rounds):
            base = spent(floor)
            for label, reading in readings.items():
                found_by[label].append(spent(reading) / base)
    for label, ratios in found_by.items():
        keep("engines", f"{engine.kind}: {label}, times {name}", statistics.median(ratios), f"{rows} rows")


def memory(engine: Engine, rows: int) -> None:
    """Peak of a process that reads ten times the rows, over that of one that reads them once."""

    def peak(*more: str) -> int:
        words = [sys.executable, __file__, engine.kind, "--read", "--folder", str(engine.folder), "--url", engine.url]
        done = subprocess.run([*words, *more], input=engine.password, capture_output=True, text=True, check=True)
        return int(done.stdout)

    if engine.kind == "odbc":
        # Debian's drivers keep the whole answer: what they hold is not ours to bound, what we add to it is.
        engine.rows(10 * rows)
        ours, alone = peak(), peak("--floor")
        keep("engines", f"odbc: peak reading {10 * rows} rows, times the driver's", ours / alone, f"{ours // 1024} MB")
        return
    peaks = []
    for count in (rows, 10 * rows):
        engine.rows(count)
        peaks.append(peak())
    keep(
        "engines",
        f"{engine.kind}: peak reading {10 * rows} rows, times {rows}",
        peaks[1] / peaks[0],
        f"{peaks[1] // 1024} MB",
    )


def documents(engine: Engine, count: int, rounds: int) -> None:
    """Bodies read, digested and stored as extraction does, over the same reading alone."""
    from transvase.formats.sniff import sniff
    from transvase.sources.bodies import Bodies

    engine.make(BLOBS[engine.kind].format(t=TABLE, n=count, b=BODY))
    asked = f"SELECT id, body FROM {TABLE}"
    found, rate = [], []
    with engine.opened() as view:
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                store = Bodies(Path(folder) / "bodies")

                def stored(store: Bodies = store) -> None:
                    for batch in view.query(asked, BODY_BATCH).batches:
                        for _, body in batch:
                            store.add(body)
                            sniff(body)

                whole = spent(stored)
            alone = spent(lambda: drain(view.query(asked, BODY_BATCH).batches))
            found.append(whole / alone)
            rate.append(count * BODY / whole / 1e6)
    note = f"{count} bodies of {BODY} bytes, {statistics.median(rate):.0f} MB/s here"
    keep("engines", f"{engine.kind}: bodies stored, times their reading", statistics.median(found), note)


@contextlib.contextmanager
def servers(kinds: list[str]) -> Iterator[dict[str, tuple[str, str]]]:
    """Address and password of what the tests start for these engines."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "integration" / "sources"))
    import conftest

    found: dict[str, tuple[str, str]] = {}
    with contextlib.ExitStack() as stack:
        if "postgresql" in kinds:
            started = contextlib.contextmanager(conftest.postgresql_server)
            port = stack.enter_context(started("/usr/bin/psql")).port
            with conftest.postgresql_writer(port, "postgres") as line:
                line.execute(f"CREATE DATABASE {TABLE}")
            found["postgresql"] = f"postgresql://{conftest.USER}@127.0.0.1:{port}/{TABLE}", conftest.PASSWORD
        if {"mariadb", "odbc"} & set(kinds):
            started = contextlib.contextmanager(conftest.mariadb_server)
            port = stack.enter_context(started("/usr/sbin/mariadbd")).port
            with conftest.mariadb_writer(port, None) as line, line.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {TABLE} CHARACTER SET utf8mb4")
            place = f"mariadb://{conftest.USER}@127.0.0.1:{port}/{TABLE}", conftest.PASSWORD
            found |= {"mariadb": place, "odbc": place}
        yield found


def main() -> None:
    kinds = ("sqlite", "postgresql", "mariadb", "odbc", "duckdb", "csv")
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("engines", nargs="*", choices=(*kinds, []), metavar="engine")
    ask.add_argument("--rows", type=int, default=1_000_000)
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--memory", action="store_true")
    ask.add_argument("--documents", action="store_true")
    ask.add_argument("--url", default="", help="of a server, database included")
    ask.add_argument("--password-file", type=Path)
    ask.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    ask.add_argument("--read", action="store_true", help=argparse.SUPPRESS)
    ask.add_argument("--floor", action="store_true", help=argparse.SUPPRESS)
    given = ask.parse_args()
    if given.read:
        engine = Engine(given.engines[0], given.folder, given.url, sys.stdin.read())
        if given.floor:
            engine.floor()[1]()
        else:
            with engine.opened() as view:
                drain(view.rows(TABLE, NAMES, SIZE).batches)
        print(peak_of_this())
        return
    asked = given.engines or list(kinds)
    password = given.password_file.read_text(encoding="utf-8").rstrip("\n") if given.password_file else ""
    with contextlib.ExitStack() as stack:
        places = dict.fromkeys(asked, (given.url, password)) if given.url else stack.enter_context(servers(asked))
        for kind in asked:
            with tempfile.TemporaryDirectory() as folder:
                engine = Engine(kind, Path(folder), *places.get(kind, ("", "")))
                if given.memory:
                    memory(engine, given.rows)
                elif given.documents:
                    if kind in BLOBS:
                        documents(engine, 2_000, given.rounds)
                else:
                    times(engine, given.rows, given.rounds)


if __name__ == "__main__":
    main()

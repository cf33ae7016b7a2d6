"""Reading a practice's database by `sources.engines`, against the leanest way out of the same engine, in the same run.

`python bench/engines.py postgresql|mariadb|odbc|duckdb|csv --rows N [--url URL] [--password-file FILE]`; a server must hold nothing else:
the table `transvase_bench` is made there and dropped. Prints seconds, ratios, and the peak memory of the reading.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

TABLE = "transvase_bench"
NAMES = ("id", "name", "birth", "amount", "note", "n")
SIZE = 8192
MAKE = {
    "postgresql": "CREATE TABLE {t} AS SELECT g AS id, 'patient numéro ' || g AS name, date '1950-01-01' + (g % 20000)::int AS birth, "
    "(g / 7.0)::numeric(12,2) AS amount, repeat('n', (g % 100)::int) AS note, (g % 1000)::int AS n FROM generate_series(1::bigint, {n}) AS g",
    "mariadb": "CREATE TABLE {t} AS SELECT seq AS id, concat('patient numéro ', seq) AS name, date_add('1950-01-01', INTERVAL seq % 20000 DAY) "
    "AS birth, CAST(seq / 7 AS DECIMAL(12,2)) AS amount, CAST(repeat('n', seq % 100) AS CHAR(120)) AS note, CAST(seq % 1000 AS INT) AS n FROM seq_1_to_{n}",
    "duckdb": "CREATE TABLE {t} AS SELECT i AS id, 'patient numéro ' || i AS name, DATE '1950-01-01' + (i % 20000)::INT AS birth, "
    "(i / 7.0)::DECIMAL(12,2) AS amount, repeat('n', (i % 100)::INT) AS note, (i % 1000)::INT AS n FROM range(1, {n} + 1) AS t(i)",
}


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def drain(batches: Iterable[Any]) -> int:
    return sum(map(len, batches))


def peak() -> int:
    """Peak memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def show(what: str, taken: float, floor: float) -> None:
    print(f"{what:<34}{taken:8.2f} s{taken / floor:8.2f} x   peak {peak()} MB", flush=True)


def measure(view: Any, floor: float) -> None:
    everything = f"SELECT * FROM {TABLE}"
    if hasattr(view, "arrow"):
        show("query(), Arrow alone", seconds(lambda: drain(b.columns[0] for b in view.arrow(everything)[1])), floor)
        show("rows(), Arrow alone", seconds(lambda: drain(b.columns[0] for b in view.arrow_rows(TABLE, NAMES))), floor)
    show("query(), whole tuples", seconds(lambda: drain(view.query(everything, SIZE).batches)), floor)
    show("rows(), whole tuples", seconds(lambda: drain(view.rows(TABLE, NAMES, SIZE).batches)), floor)


def postgresql(url: str, password: str, rows: int) -> None:
    import psycopg

    from transvase.sources.engines.postgresql import opened

    with psycopg.connect(url, password=password, autocommit=True) as base:
        base.execute(f"DROP TABLE IF EXISTS {TABLE}")
        base.execute(MAKE["postgresql"].format(t=TABLE, n=rows))
        base.execute(f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id)")
        base.execute(f"VACUUM ANALYZE {TABLE}")

        def copy() -> None:
            # The server's own client: a loop in Python would be a slower floor.
            command = ["psql", url, "-c", f"COPY {TABLE} TO STDOUT"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PGPASSWORD": password})

        copy()
        floor = seconds(copy)
        show("COPY ... TO STDOUT", floor, floor)
        with opened(url, password) as view:
            measure(view, floor)
        base.execute(f"DROP TABLE {TABLE}")


def mariadb(url: str, password: str, rows: int) -> None:
    from urllib.parse import urlsplit

    import pymysql

    from transvase.sources.engines.mariadb import opened

    parts = urlsplit(url)
    place = {
        "host": parts.hostname,
        "port": parts.port or 3306,
        "user": parts.username,
        "database": parts.path.strip("/"),
    }
    with pymysql.connect(**place, password=password.encode(), autocommit=True) as base, base.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
        cursor.execute(MAKE["mariadb"].format(t=TABLE, n=rows))
        cursor.execute(f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id)")
        # The leanest reader Debian has: ODBC into Arrow, whole answer kept by the driver. In a process of its own, for its memory.
        code = (
            "import arrow_odbc, sys, time\n"
            "c = arrow_odbc.connect(sys.argv[1], user=sys.argv[2], password=sys.stdin.read())\n"
            f"q = 'SELECT id, name, CAST(birth AS CHAR), CAST(amount AS CHAR), note, n FROM {TABLE}'\n"
            "def run():\n"
            f"    t = time.perf_counter(); sum(b.num_rows for b in c.read_arrow_batches(q, batch_size={SIZE}, max_bytes_per_batch=None))\n"
            "    return time.perf_counter() - t\n"
            "run(); print(run())"
        )
        driver = f"Driver={{MariaDB Unicode}};Server={place['host']};Port={place['port']};Database={place['database']};"
        done = subprocess.run(
            [sys.executable, "-c", code, driver, str(place["user"])],
            input=password,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"the floor needs arrow-odbc, unixodbc and odbc-mariadb: {done.stderr.splitlines()[-1:]}")
        floor = float(done.stdout)
        show("ODBC cursor into Arrow", floor, floor)
        with opened(url, password) as view:
            measure(view, floor)
        cursor.execute(f"DROP TABLE {TABLE}")


def odbc(url: str, password: str, rows: int) -> None:
    """A MariaDB server reached by its ODBC driver; `url` is that of the mode mariadb."""
    from urllib.parse import urlsplit

    import pymysql
    import pyodbc

    from transvase.sources.engines.copied import FETCHED, copied
    from transvase.sources.engines.odbc import opened

    parts = urlsplit(url)
    base = parts.path.strip("/")
    port = parts.port or 3306
    where = {"host": parts.hostname, "port": port, "user": parts.username, "database": base}
    asked = f"Driver={{MariaDB Unicode}};Server={parts.hostname};Port={port};Database={base};UID={parts.username}"
    with pymysql.connect(**where, password=password.encode(), autocommit=True) as writer, writer.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
        cursor.execute(MAKE["mariadb"].format(t=TABLE, n=rows))
        cursor.execute(f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id)")
        pyodbc.pooling = False

        def alone() -> None:
            with pyodbc.connect(f"{asked};PWD={{{password.replace('}', '}}')}}}") as line:
                answer = line.cursor().execute(f"SELECT {', '.join(NAMES)} FROM {TABLE}")
                while answer.fetchmany(SIZE):
                    pass

        alone()
        floor = seconds(alone)
        show("pyodbc's own fetchmany", floor, floor)
        with opened(f"odbc:{asked}", password) as tables:
            show("whole(), whole tuples", seconds(lambda: drain(tables.whole(TABLE, FETCHED).batches)), floor)
        with (
            tempfile.TemporaryDirectory() as folder,
            opened(f"odbc:{asked}", password) as tables,
            copied(tables, Path(folder)) as view,
        ):
            show("copy into Parquet, then key only", seconds(lambda: drain(view.rows(TABLE, [], SIZE).batches)), floor)
            measure(view, floor)
        cursor.execute(f"DROP TABLE {TABLE}")


def duckdb_file(rows: int, folder: Path) -> None:
    import duckdb

    from transvase.sources.engines.duckdb_file import opened

    path = folder / "bench.duckdb"
    with duckdb.connect(str(path)) as base:
        base.execute(MAKE["duckdb"].format(t=TABLE, n=rows))

    def cursor() -> None:
        with duckdb.connect(str(path), read_only=True, config={"threads": 1}) as base:
            answer = base.execute(f"SELECT id, name, birth::VARCHAR, amount::VARCHAR, note, n FROM {TABLE}")
            while answer.fetchmany(SIZE):
                pass

    floor = seconds(cursor)
    show("DuckDB's own fetchmany", floor, floor)
    with opened(path, folder) as view:
        measure(view, floor)


def csv_folder(rows: int, folder: Path) -> None:
    from transvase.sources.engines.tabular import opened

    path = folder / "export" / f"{TABLE}.csv"
    path.parent.mkdir()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(NAMES)
        writer.writerows(
            (i, f"patient numéro {i}", "1950-01-01", f"{i / 7:.2f}", "n" * (i % 100), i % 1000)
            for i in range(1, rows + 1)
        )

    def reader() -> None:
        with path.open(encoding="utf-8", newline="") as file:
            for _ in csv.reader(file, delimiter=";", strict=True):
                pass

    floor = seconds(reader)
    show("csv.reader, rows dropped", floor, floor)
    start = time.perf_counter()
    with opened(path.parent, folder) as view:
        show("opened()", time.perf_counter() - start, floor)
        measure(view, floor)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("engine", choices=("postgresql", "mariadb", "odbc", "duckdb", "csv"))
    ask.add_argument("--rows", type=int, default=1_000_000)
    ask.add_argument("--url", help="of a server, database included")
    ask.add_argument("--password-file", type=Path)
    given = ask.parse_args()
    if given.engine in ("postgresql", "mariadb", "odbc"):
        if not given.url:
            ask.error("--url is needed for a server")
        password = given.password_file.read_text(encoding="utf-8").rstrip("\n") if given.password_file else ""
        {"postgresql": postgresql, "mariadb": mariadb, "odbc": odbc}[given.engine](given.url, password, given.rows)
        return
    with tempfile.TemporaryDirectory() as folder:
        {"duckdb": duckdb_file, "csv": csv_folder}[given.engine](given.rows, Path(folder))


if __name__ == "__main__":
    main()

"""Any schema, any rows, any mapping: not one cell is lost. Schemas nobody wrote (names with quotes, blanks, keywords, other alphabets),
values nobody foresaw, tables without key, rows or sense; some columns claimed by queries, some not, some excluded.

What is in the source is read again by the engine's own driver, never by the code under test; each cell must then be found, equal, in
the canonical tables or in `native`, and for some practices in the archive itself."""

from __future__ import annotations

import base64
import csv
import io
import itertools
import json
import math
import sqlite3
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from transvase.exporters import portability
from transvase.model.table import Kind
from transvase.model.tables import TABLES
from transvase.sources import mapping
from transvase.sources.extract import extract
from transvase.sources.sqlite import decode
from transvase.validators.verdicts import judge

CLOCK = datetime(2026, 11, 23, 20, 0, 0, tzinfo=ZoneInfo("Europe/Paris"))
PRACTICE = {"oid": "2.999.250.7", "facility_type": "SA07", "name": "Cabinet des Tilleuls"}
CONTACT = {"name": "Contact Portabilité", "email": "portabilite@cabinet.invalid", "phone": "+33300000099"}

# Canonical tables that an invented query may fill, with columns of text: none changes what it is given.
TARGETS = {
    name: [
        c.name
        for c in TABLES[name].own
        if c.kind is Kind.TEXT and not c.values and not c.references and c.name != "key"
    ]
    for name in ("note", "problem", "related_person", "treatment", "billing", "correspondent")
}


class Column(NamedTuple):
    """A column: its name, its declared type, what becomes of it, and the canonical column a query reads it into."""

    name: str
    type: str
    fate: str
    target: str


class Invented(NamedTuple):
    """A table: its columns, the number of those that are its key, the canonical table its query fills (empty when there is no query),
    its rows. The last column says 1 in the rows that the query takes."""

    name: str
    columns: tuple[Column, ...]
    keys: int
    fills: str
    rows: tuple[tuple[Any, ...], ...]


def q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# -- what may be in a practice's base --------------------------------------------------------------------------------------

hostile = [
    "", " ", "0", "-1", "1_000", "NaN", "Infinity", "null", "NULL", "{}", "[1", "'", '"', "';--", "\\", "%s", "{0}", "$1", "\t", "a\r\nb",
    "\u202e", "\ufeff", "\u2028", "e\u0301", "é", "ß", "İ", "\U0001f600", "2026-02-30", "31/02/1950", "9" * 40, "1e400", "<a>&amp;", "x" * 300,
]  # fmt: skip
names = st.sampled_from(
    ["select", "from", "order", "group", "table", "index", "rowid", "key", "patient", "source_table", "source_key", "native", "é", "É t",
     "a\"b", "a'b", "a`b", "a;b", "a|b", "a,b", "--", "/*", "%", "1", "1a", "日本", "😀", "a.b", "[x]", "(", "*", "map_x", "main", "c0", "k"]
) | st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(lambda n: n.strip() == n)  # fmt: skip
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.sampled_from(hostile)
wholes = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -1, 2**53 + 1])
floats = st.floats() | st.sampled_from([0.1, -0.0, 1e300, math.inf, -math.inf, math.nan, 5e-324])
blobs = st.binary(max_size=40)

ENGINES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    # Affinities: what is written is not always what is kept, and any column may hold anything.
    "sqlite": {
        t: st.none() | texts | wholes | floats | blobs
        for t in ("", "TEXT", "INTEGER", "REAL", "NUMERIC", "BLOB", "VARCHAR(3)", "DATE", "un type")
    },
    "duckdb": {
        "VARCHAR": st.none() | texts.map(lambda t: t.replace("\0", "")),
        "BIGINT": st.none() | wholes,
        "HUGEINT": st.none() | st.integers(-(2**127) + 1, 2**127 - 1),
        "UBIGINT": st.none() | st.integers(0, 2**64 - 1),
        "DECIMAL(38,4)": st.none() | st.integers(-(10**15), 10**15),
        "DOUBLE": st.none() | floats,
        "BOOLEAN": st.none() | st.booleans(),
        "DATE": st.none() | st.dates(),
        "TIMESTAMP": st.none() | st.datetimes(),
        "BLOB": st.none() | blobs,
    },
    "tabular": {"": texts.map(lambda t: t.replace("\0", ""))},
}
KEYS = {"sqlite": "TEXT", "duckdb": "VARCHAR"}


@st.composite
def bases(draw: st.DrawFn, kind: str) -> tuple[Invented, ...]:
    """One to four tables of an engine, with the mapping of each of their columns."""
    forbidden = '/\\:*?"<>|.' if kind == "tabular" else ""
    found = []
    titles = draw(
        st.lists(
            names.filter(lambda n: not n.casefold().startswith("sqlite_") and not set(n) & set(forbidden)),
            min_size=1,
            max_size=4,
            unique_by=lambda n: n.casefold().upper(),
        )
    )
    for title in titles:
        fills = draw(st.sampled_from(["", *TARGETS]))
        free = list(TARGETS.get(fills, ()))
        keys = 0 if kind == "tabular" else draw(st.sampled_from([0, 0, 1, 2]))
        heads = draw(st.lists(names, min_size=keys + 1, max_size=6, unique_by=lambda n: n.casefold().upper()))
        columns, values = [], []
        for place, head in enumerate(heads):
            # The last says which rows the query takes.
            last = place == len(heads) - 1
            type_ = (
                KEYS[kind]
                if place < keys
                else ""
                if last and kind != "duckdb"
                else draw(st.sampled_from(sorted(ENGINES[kind])))
            )
            if last:
                type_ = "BIGINT" if kind == "duckdb" else ""
            fate = draw(st.sampled_from(["mapped", "native", "excluded"]))
            if fate == "mapped" and fills and not free:
                fate = "native"
            target = free.pop(0) if fate == "mapped" and fills else ""
            columns.append(Column(head, type_, fate, target))
            flag = st.sampled_from(["0", "1"] if kind == "tabular" else [0, 1])
            # Names of rows hold no bar: two of them joined by one must stay two.
            key = st.text("abé'\"; \\", min_size=1, max_size=3)
            values.append(flag if last else key if place < keys else ENGINES[kind][type_])
        rows = draw(st.lists(st.tuples(*values), max_size=8))
        if keys:
            rows = list({row[:keys]: row for row in rows}.values())
        elif rows and draw(st.booleans()):
            # The same row twice is two rows.
            rows.append(rows[0])
        found.append(Invented(title, tuple(columns), keys, fills, tuple(rows)))
    return tuple(found)


# -- the base, its mapping, and what its own driver reads -----------------------------------------------------------------------


def create(kind: str, tables: Iterable[Invented], folder: Path) -> Path:
    """The base in a file, or a folder of CSV files."""
    if kind == "tabular":
        where = folder / "csv"
        where.mkdir()
        for table in tables:
            with (where / f"{table.name}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
                writer.writerow([c.name for c in table.columns])
                writer.writerows(table.rows)
        return where
    where = folder / f"base.{kind}"
    base: Any = sqlite3.connect(where) if kind == "sqlite" else duckdb.connect(str(where))
    for table in tables:
        columns = [f"{q(c.name)} {c.type}" for c in table.columns]
        if table.keys:
            columns.append(f"PRIMARY KEY ({', '.join(q(c.name) for c in table.columns[: table.keys])})")
        base.execute(f"CREATE TABLE {q(table.name)} ({', '.join(columns)})")
        if table.rows:
            base.executemany(f"INSERT INTO {q(table.name)} VALUES ({', '.join('?' * len(table.columns))})", table.rows)
    base.commit()
    base.close()
    return where


def stored(kind: str, where: Path, table: Invented) -> Iterator[tuple[Any, ...]]:
    """The rows as the engine keeps them, read by its own driver."""
    if kind == "tabular":
        yield from table.rows
        return
    base: Any = sqlite3.connect(where) if kind == "sqlite" else duckdb.connect(str(where), read_only=True)
    plain = ("VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "BLOB")
    read = [
        q(c.name) if kind == "sqlite" or c.type in plain else f"CAST({q(c.name)} AS VARCHAR)" for c in table.columns
    ]
    if kind == "sqlite":
        base.text_factory = decode
    yield from base.execute(f"SELECT {', '.join(read)} FROM {q(table.name)}").fetchall()
    base.close()


def key_of(kind: str, table: Invented) -> str:
    """SQL of the key of a row, as the page for vendors says to write it."""
    if table.keys:
        return " || '|' || ".join(f"CAST({q(c.name)} AS VARCHAR)" for c in table.columns[: table.keys])
    taken = {c.name.lower() for c in table.columns}
    free = next((n for n in ("rowid", "_rowid_", "oid") if n not in taken), "")
    if kind == "duckdb" and "rowid" in taken:
        # DuckDB has no other name for it: such a table is read whole into native.
        return ""
    return f"CAST({free} AS VARCHAR)"


def write_mapping(kind: str, tables: Iterable[Invented], folder: Path) -> mapping.Mapping:
    """The folder of these tables' mapping, read back."""
    (folder / "sql").mkdir(parents=True)
    queries: dict[str, list[str]] = {}
    for rank, table in enumerate(tables):
        key = key_of(kind, table)
        if not table.fills or not key:
            continue
        text = [c for c in table.columns if c.target]
        # Every target of the canonical table, so that the queries of several tables can stand one after the other.
        given = {c.target: q(c.name) for c in text}
        shown = [f"{given.get(t, 'NULL')} AS {q(t)}" for t in TARGETS[table.fills]]
        if kind == "duckdb":
            shown = [
                f"CAST({given[t]} AS VARCHAR) AS {q(t)}" if t in given else f"CAST(NULL AS VARCHAR) AS {q(t)}"
                for t in TARGETS[table.fills]
            ]
        name = "'" + table.name.replace("'", "''") + "'"
        taken = f"{q(table.columns[-1].name)} = {'1' if kind != 'tabular' else chr(39) + '1' + chr(39)}"
        queries.setdefault(table.fills, []).append(
            f"SELECT '{rank}-' || {key} AS key, {', '.join(shown)}, {name} AS source_table, {key} AS source_key "
            f"FROM {q(table.name)} WHERE {taken}"
        )
    for name, parts in queries.items():
        (folder / "sql" / f"{name}.sql").write_text("\nUNION ALL\n".join(parts), encoding="utf-8")
    (folder / "mapping.toml").write_text(f'product = "inventé"\nkind = "{kind}"\n', encoding="utf-8")
    with (folder / "columns.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["table", "column", "disposition", "target", "reason"])
        for table in tables:
            writer.writerows(
                [table.name, c.name, c.fate, "", "motif" if c.fate == "excluded" else ""] for c in table.columns
            )
    with (folder / "unserved.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["table", "reason"])
        writer.writerows([name, "aucune"] for name in TABLES if name not in queries and name != "native")
    return mapping.load(str(folder))


# -- cells -----------------------------------------------------------------------------------------------------------------

Cells = Counter[tuple[str, str, str]]


def as_native(value: Any) -> str:
    """A stored value as `native` writes it, in JSON."""
    if isinstance(value, bytes):
        value = {"base64": base64.b64encode(value).decode()}
    elif isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    return json.dumps(value, ensure_ascii=False)


def as_canonical(kind: str, value: Any) -> str:
    """A stored value in a canonical column of text."""
    if value is None:
        return json.dumps(None)
    if kind == "duckdb" and isinstance(value, bool):
        return json.dumps(str(value).lower())
    if isinstance(value, bytes):
        return json.dumps(decode(value), ensure_ascii=False)
    if isinstance(value, float) and value.is_integer():
        return json.dumps(str(int(value)))
    return json.dumps(str(value), ensure_ascii=False)


def expected(kind: str, where: Path, tables: Iterable[Invented]) -> Cells:
    """Every cell of the source that no reason excludes."""
    found: Cells = Counter()
    for table in tables:
        served = bool(table.fills and key_of(kind, table))
        for row in stored(kind, where, table):
            claimed = served and row[-1] in (1, "1")
            for column, value in zip(table.columns, row, strict=True):
                if column.fate == "excluded":
                    continue
                if claimed and column.fate == "mapped":
                    if kind == "duckdb" and isinstance(value, bytes | float):
                        # Cast by the query itself: DuckDB's own text of it.
                        value = duckdb.execute("SELECT CAST(? AS VARCHAR)", [value]).fetchall()[0][0]
                    found[table.name, column.name, as_canonical(kind, value)] += 1
                else:
                    found[table.name, column.name, as_native(value)] += 1
    return found


def given_back(tables: Iterable[Invented], rows: Iterable[tuple[str, dict[str, Any]]]) -> Cells:
    """Every cell that rows of canonical tables (name, columns) hold, by the column of the source it came from."""
    by_name = {table.name: table for table in tables}
    found: Cells = Counter()
    for name, row in rows:
        table = row["source_table"]
        if name == "native":
            for column, value in json.loads(row["content"]).items():
                found[table, column, json.dumps(value, ensure_ascii=False)] += 1
        else:
            for column in by_name[table].columns:
                if column.target:
                    found[table, column.name, json.dumps(row[column.target], ensure_ascii=False)] += 1
    return found


def canonical(work: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of every canonical table of a work folder."""
    for name in TABLES:
        for row in pq.read_table(work / "canonical" / f"{name}.parquet").to_pylist():
            yield name, row


def archived(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of every table in an archive, with nothing but a reader of ZIP and of JSON."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not name.endswith(".ZIP"):
                continue
            with zipfile.ZipFile(io.BytesIO(archive.read(name))) as inner:
                for member in inner.namelist():
                    _, _, file = member.rpartition("/")
                    if file.endswith(".JSONL"):
                        for line in inner.read(member).splitlines():
                            yield file.removesuffix(".JSONL").lower(), json.loads(line)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    numbers = itertools.count()
    root = tmp_path_factory.mktemp("invented")

    def folder() -> Path:
        path = root / str(next(numbers))
        path.mkdir()
        return path

    return folder


def carried(kind: str, tables: tuple[Invented, ...], folder: Path) -> Cells:
    """Create the base, extract it, compare each cell; what was expected."""
    where = create(kind, tables, folder)
    manifest = extract(write_mapping(kind, tables, folder / "mapping"), where, folder / "work", clock=CLOCK)
    wanted = expected(kind, where, tables)
    assert given_back(tables, canonical(folder / "work")) == wanted
    kept = {t.name: sum(c.fate != "excluded" for c in t.columns) for t in tables}
    for line in manifest["cells"]:
        (table,) = [t for t in tables if t.name == line["table"]]
        assert line["rows"] == len(table.rows)
        assert line["source"] == len(table.rows) * len(table.columns)
        assert line["source"] == line["mapped"] + line["native"] + line["excluded"]
        assert line["mapped"] + line["native"] == len(table.rows) * kept[table.name]
    assert len(manifest["cells"]) == len(tables)
    return wanted


QUICK = settings(
    max_examples=14,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)


@pytest.mark.parametrize("kind", ENGINES)
def test_every_cell_of_any_base_is_found_again(kind, fresh):
    seen: Counter[str] = Counter()

    @seed(2026)
    @QUICK
    @given(bases(kind))
    def holds(tables: tuple[Invented, ...]) -> None:
        seen["cells"] += sum(carried(kind, tables, fresh()).values())
        seen["claimed"] += sum(1 for t in tables if t.fills for r in t.rows if r[-1] in (1, "1"))

    holds()
    assert seen["cells"] > 150 and seen["claimed"] > 5, seen


@pytest.mark.parametrize("kind", ENGINES)
def test_every_cell_is_in_the_archive_that_leaves(kind, fresh):
    seen: Counter[str] = Counter()

    @seed(7)
    @settings(QUICK, max_examples=2)
    @given(bases(kind))
    def holds(tables: tuple[Invented, ...]) -> None:
        folder = fresh()
        wanted = carried(kind, tables, folder)
        judge(folder / "work", clock=CLOCK, environment="sandbox")
        job = portability.job_of(folder / "work", PRACTICE, CLOCK, "Transvase", None, "Europe/Paris")
        facts = portability.export(job, folder / "out", CONTACT)
        assert given_back(tables, archived(folder / "out" / facts["archive"])) == wanted
        seen["cells"] += sum(wanted.values())

    holds()
    assert seen["cells"] > 5

"""A mapping folder: how one product's database becomes canonical tables. Reading and checking the folder only;
running the queries belongs to `extract`.

`mapping.toml` (product, kind), `sql/<table>.sql` (casts and renames), `mappings/<name>.csv` (local,code,reason),
`columns.csv` (table,column,disposition,target,reason for every source column), `unserved.csv` (table,reason).
One folder may serve other versions of the product (vintages): a folder in it, named as the vintage, holds the same files with what
differs. Whether a database is one that a mapping serves is `fitness`.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from transvase.errors import MappingInvalid
from transvase.model.tables import TABLES
from transvase.sources.connection import ARCHIVES, KINDS, OPEN, WHOSE

EMBEDDED = Path(__file__).parent
DISPOSITIONS = ("mapped", "native", "excluded")
SHAPES = ("", "text", "object", "list")
# In the columns.csv of a vintage: that version of the product does not have the column.
ABSENT = "absent"
_VINTAGE = re.compile(r"[A-Za-z0-9_-]{1,20}")


class ColumnUse(NamedTuple):
    """What becomes of one column of the source."""

    disposition: str
    target: str
    reason: str
    # Of an element, for a kind of OPEN: `text`, `object`, `list`, or empty for any.
    shape: str = ""

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets, each a `table.column`; several are separated by `;`."""
        return tuple(t.strip() for t in self.target.split(";") if t.strip())


class Place(NamedTuple):
    """A column of the source."""

    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


class Found(NamedTuple):
    """An expectation: of the distinct values of `of`, at least `least` percent are found in `within`."""

    of: Place
    within: Place
    least: int


class Counter(NamedTuple):
    """An expectation: `query` gives one row of two whole numbers, what the product itself says and what is there; there is no less."""

    what: str
    query: str


@dataclass(frozen=True, slots=True)
class Expect:
    """What a database that was loaded to its end shows."""

    filled: tuple[str, ...] = ()
    found: tuple[Found, ...] = ()
    counters: tuple[Counter, ...] = ()


@dataclass(frozen=True, slots=True)
class Mapping:
    """A product's mapping, read and checked, for one vintage of the product (empty: the one that the plain files are written for).
    `version` is the query that gives the product's version, empty when the folder declares none; `served` the patterns of the versions
    that each vintage serves."""

    product: str
    kind: str
    folder: Path
    queries: MappingOf[str, str]
    codes: MappingOf[str, tuple[tuple[str, str, str], ...]]
    columns: MappingOf[tuple[str, str], ColumnUse]
    unserved: MappingOf[str, str]
    expect: Expect = field(default_factory=Expect)
    version: str = ""
    vintage: str = ""
    served: MappingOf[str, tuple[str, ...]] = field(default_factory=dict)
    # Table to the column that holds the key of its rows' patient, for the rows that no query reads.
    owners: MappingOf[str, str] = field(default_factory=dict)

    @property
    def named(self) -> dict[str, dict[str, str]]:
        """What the mapping names, table to column to shape."""
        found: dict[str, dict[str, str]] = {}
        for (table, column), use in self.columns.items():
            found.setdefault(table, {})[column] = use.shape
        return found

    def met(self, live: MappingOf[str, tuple[str, ...]]) -> Mapping:
        """For a kind of OPEN, the mapping of what is there: what it does not name is native, what is not there is no difference."""
        if self.kind not in OPEN:
            return self
        native = ColumnUse("native", "", "")
        columns = {(t, c): self.columns.get((t, c), native) for t, names in live.items() for c in names}
        return replace(self, columns=columns, owners=dict.fromkeys(live, WHOSE))

    def drift(self, live: MappingOf[str, tuple[str, ...]]) -> list[str]:
        """Differences between the schema this mapping was written for and a live one (table to columns)."""
        known: dict[str, set[str]] = {}
        for table, column in self.columns:
            known.setdefault(table, set()).add(column)
        found = [f"table {t} is gone" for t in known if t not in live]
        for table, columns in live.items():
            if table not in known:
                found.append(f"table {table} is new")
                continue
            found += [f"column {table}.{c} is new" for c in columns if c not in known[table]]
            found += [f"column {table}.{c} is gone" for c in sorted(known[table] - set(columns))]
        return found


def folder_of(product: str) -> Path:
    """The folder of an embedded mapping by name, or the folder itself."""
    folder = Path(product) if Path(product).is_dir() else EMBEDDED / product
    if not (folder / "mapping.toml").is_file():
        known = ", ".join(sorted(p.parent.name for p in EMBEDDED.glob("*/mapping.toml")))
        raise MappingInvalid(product=product, file="mapping.toml", what=f"no such mapping (embedded ones: {known})")
    return folder


def load(product: str, vintage: str = "") -> Mapping:
    """Read a mapping folder, for one of the vintages it serves; MappingInvalid names the file and the fault."""
    folder = folder_of(product)

    def wrong(file: str, what: str) -> MappingInvalid:
        return MappingInvalid(product=folder.name, file=file, what=what)

    try:
        head = tomllib.loads((folder / "mapping.toml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise wrong("mapping.toml", f"cannot be read ({type(error).__name__})") from None
    if head.get("kind") not in KINDS:
        raise wrong("mapping.toml", f"kind must be one of {', '.join(KINDS)}")
    try:
        version, served, products = _versions(head)
        expect = _expect(head.get("expect", {}))
        patients = (
            [_place(one) for one in _texts(head, "patient_columns", "mapping.toml")]
            if "patient_columns" in head
            else []
        )
    except ValueError as error:
        raise wrong("mapping.toml", str(error)) from None
    if vintage not in served:
        raise wrong("mapping.toml", f"there is no [vintage.{vintage}]")

    # The plain files, then those of the vintage.
    layers = [folder, *([folder / vintage] if vintage else [])]
    if vintage and not layers[-1].is_dir():
        raise wrong(vintage, f"[vintage.{vintage}] has no folder of its name")

    def named(kind: str) -> dict[str, Path]:
        """Files of a kind (`sql`, `mappings`) by name: the vintage's own takes the place of the plain one."""
        ending = "sql" if kind == "sql" else "csv"
        return {p.stem: p for layer in layers for p in sorted((layer / kind).glob(f"*.{ending}"))}

    queries: dict[str, str] = {}
    for name, file in sorted(named("sql").items()):
        where = file.relative_to(folder).as_posix()
        if name not in TABLES or name == "native":
            raise wrong(where, "no canonical table has this name")
        try:
            queries[name] = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise wrong(where, f"cannot be read ({type(error).__name__})") from None

    def read(name: str, *needed: str) -> list[dict[str, str]]:
        try:
            found = rows(folder / name)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise wrong(name, f"cannot be read ({type(error).__name__})") from None
        for number, row in enumerate(found, 1):
            if absent := [n for n in needed if row.get(n) is None]:
                raise wrong(name, f"row {number} has no {absent[0]}")
        return found

    codes = {
        name: tuple(
            (r["local"], r["code"], r.get("reason") or "")
            for r in read(file.relative_to(folder).as_posix(), "local", "code")
        )
        for name, file in named("mappings").items()
    }
    columns: dict[tuple[str, str], ColumnUse] = {}
    unserved: dict[str, str] = {}
    for layer in layers:
        name = (layer / "columns.csv").relative_to(folder).as_posix()
        seen: set[tuple[str, str]] = set()
        for row in read(name, "table", "column", "disposition"):
            at, told = (row["table"], row["column"]), f"{row['table']}.{row['column']}"
            if at in seen:
                raise wrong(name, f"{told} stands twice")
            seen.add(at)
            use = ColumnUse(
                row["disposition"], row.get("target") or "", row.get("reason") or "", row.get("shape") or ""
            )
            if use.shape not in SHAPES:
                raise wrong(name, f"{told}: shape must be {', '.join(SHAPES[1:])}, or empty")
            if use.disposition == ABSENT and layer != folder:
                if columns.pop(at, None) is None:
                    raise wrong(name, f"{told} is absent, and the plain columns.csv does not have it")
                continue
            if use.disposition not in DISPOSITIONS:
                raise wrong(name, f"{told}: disposition must be {', '.join(DISPOSITIONS)}")
            if use.disposition == "excluded" and not use.reason:
                raise wrong(name, f"{told} is excluded without a reason")
            columns[at] = use
        name = (layer / "unserved.csv").relative_to(folder).as_posix()
        reasons = {r["table"]: r["reason"] for r in read(name, "table", "reason")}
        for table in TABLES:
            # Between a vintage's query and a plain reason, or the reverse, the vintage is right.
            if layer != folder and table in reasons and not (layer / "sql" / f"{table}.sql").is_file():
                queries.pop(table, None)
            elif layer != folder and table not in reasons and (layer / "sql" / f"{table}.sql").is_file():
                unserved.pop(table, None)
        unserved |= reasons
    for table in TABLES:
        if table != "native" and (table in queries) == (table in unserved) and head["kind"] not in ARCHIVES:
            raise wrong("unserved.csv", f"table {table} needs either a query or a reason, not both")
    tables = {table for table, _ in columns}
    expect = Expect(
        tuple(t for t in expect.filled if t in tables or not vintage),
        tuple(f for f in expect.found if {f.of, f.within} <= columns.keys() or not vintage),
        expect.counters,
    )
    for place in (p for f in expect.found for p in (f.of, f.within)):
        if place not in columns:
            raise wrong("mapping.toml", f"[expect] names {place}, which columns.csv does not have")
    for table in expect.filled:
        if table not in tables:
            raise wrong("mapping.toml", f"[expect] names {table}, which columns.csv does not have")
    owners: dict[str, str] = {}
    for place in patients:
        if place not in columns and not vintage:
            raise wrong("mapping.toml", f"patient_columns names {place}, which columns.csv does not have")
        if place in columns and owners.setdefault(place.table, place.column) != place.column:
            raise wrong("mapping.toml", f"patient_columns names two columns of {place.table}")
    product = products[vintage] or str(head.get("product", folder.name))
    return Mapping(
        product, head["kind"], folder, queries, codes, columns, unserved, expect, version, vintage, served, owners
    )  # fmt: skip


def _versions(head: dict[str, Any]) -> tuple[str, dict[str, tuple[str, ...]], dict[str, str]]:
    """The version query, and by vintage the patterns of versions and the product's name. ValueError says what is wrong."""
    told = head.get("version", {})
    vintages = head.get("vintage", {})
    if not isinstance(told, dict) or not isinstance(vintages, dict):
        raise ValueError("[version] and [vintage.…] must be tables")
    if not told:
        if vintages:
            raise ValueError("[vintage.…] needs a [version] with its query")
        return "", {"": ()}, {"": ""}
    query = told.get("query")
    if not isinstance(query, str) or not query.strip():
        raise ValueError("[version] needs a query")
    served, products = {"": _texts(told, "accepts", "[version]")}, {"": ""}
    for name, one in vintages.items():
        if not _VINTAGE.fullmatch(name) or not isinstance(one, dict):
            raise ValueError("a vintage is a table [vintage.NAME], its name of letters, digits, - and _")
        served[name] = _texts(one, "accepts", f"[vintage.{name}]")
        products[name] = str(one.get("product", ""))
    return query, served, products


def _expect(told: object) -> Expect:
    """The table [expect]. ValueError says what is wrong."""
    if not isinstance(told, dict) or (unknown := sorted(told.keys() - {"filled", "found", "counter"})):
        raise ValueError(f"[expect] is a table of filled, found and counter{f', not {unknown[0]}' if told else ''}")
    filled = _texts(told, "filled", "[expect]") if "filled" in told else ()
    found = []
    for one in _tables(told, "found"):
        least = one.get("least")
        if not isinstance(least, int) or not 0 <= least <= 100:
            raise ValueError("[[expect.found]] needs least, a percentage")
        found.append(Found(_place(one.get("of")), _place(one.get("in")), least))
    counters = []
    for one in _tables(told, "counter"):
        what, query = one.get("what"), one.get("query")
        if not isinstance(what, str) or not isinstance(query, str):
            raise ValueError("[[expect.counter]] needs what and query")
        counters.append(Counter(what, query))
    return Expect(filled, tuple(found), tuple(counters))


def _tables(told: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = told.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError(f"[[expect.{name}]] must be a list of tables")
    return found


def _texts(told: dict[str, Any], name: str, where: str) -> tuple[str, ...]:
    found = told.get(name)
    if not isinstance(found, list) or not found or not all(isinstance(one, str) and one for one in found):
        raise ValueError(f"{where} needs {name}, a list of texts")
    return tuple(found)


def _place(told: object) -> Place:
    table, dot, column = told.rpartition(".") if isinstance(told, str) else ("", "", "")
    if not dot or not table or not column:
        raise ValueError("[[expect.found]] of and in, and patient_columns, are each a TABLE.COLUMN")
    return Place(table, column)


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a header; an absent file has none."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))

"""A mapping folder: how one product's database becomes canonical tables. Reading and checking the folder only;
running the queries belongs to `extract`.

`mapping.toml` (product, kind), `sql/<table>.sql` (casts and renames), `mappings/<name>.csv` (local,code,reason),
`columns.csv` (table,column,disposition,target,reason for every source column), `unserved.csv` (table,reason).
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from transvase.errors import MappingInvalid
from transvase.model.tables import TABLES
from transvase.sources.connection import KINDS

EMBEDDED = Path(__file__).parent
DISPOSITIONS = ("mapped", "native", "excluded")


class ColumnUse(NamedTuple):
    """What becomes of one column of the source."""

    disposition: str
    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class Mapping:
    """A product's mapping, read and checked."""

    product: str
    kind: str
    folder: Path
    queries: MappingOf[str, str]
    codes: MappingOf[str, tuple[tuple[str, str, str], ...]]
    columns: MappingOf[tuple[str, str], ColumnUse]
    unserved: MappingOf[str, str]

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


def load(product: str) -> Mapping:
    """Read a mapping folder; MappingInvalid names the file and the fault."""
    folder = folder_of(product)

    def wrong(file: str, what: str) -> MappingInvalid:
        return MappingInvalid(product=folder.name, file=file, what=what)

    try:
        head = tomllib.loads((folder / "mapping.toml").read_text(encoding="utf-8"))
        queries = {p.stem: p.read_text(encoding="utf-8") for p in sorted((folder / "sql").glob("*.sql"))}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise wrong("mapping.toml", f"cannot be read ({type(error).__name__})") from None
    if head.get("kind") not in KINDS:
        raise wrong("mapping.toml", f"kind must be one of {', '.join(KINDS)}")
    for name in queries:
        if name not in TABLES or name == "native":
            raise wrong(f"sql/{name}.sql", "no canonical table has this name")

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
        p.stem: tuple(
            (r["local"], r["code"], r.get("reason") or "") for r in read(f"mappings/{p.name}", "local", "code")
        )
        for p in sorted((folder / "mappings").glob("*.csv"))
    }
    columns: dict[tuple[str, str], ColumnUse] = {}
    for row in read("columns.csv", "table", "column", "disposition"):
        if (row["table"], row["column"]) in columns:
            raise wrong("columns.csv", f"{row['table']}.{row['column']} stands twice")
        use = ColumnUse(row["disposition"], row.get("target") or "", row.get("reason") or "")
        if use.disposition not in DISPOSITIONS:
            raise wrong("columns.csv", f"{row['table']}.{row['column']}: disposition must be {', '.join(DISPOSITIONS)}")
        if use.disposition == "excluded" and not use.reason:
            raise wrong("columns.csv", f"{row['table']}.{row['column']} is excluded without a reason")
        columns[row["table"], row["column"]] = use
    unserved = {r["table"]: r["reason"] for r in read("unserved.csv", "table", "reason")}
    for name in TABLES:
        if name != "native" and (name in queries) == (name in unserved):
            raise wrong("unserved.csv", f"table {name} needs either a query or a reason, not both")
    return Mapping(str(head.get("product", folder.name)), head["kind"], folder, queries, codes, columns, unserved)


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a header; an absent file has none."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))

"""Whether a database is one that a mapping can be trusted to read: its version is served, and it was loaded to its end.

What the mapping declares is checked ([version], [expect]), and what columns.csv says of keys is looked at for the traces of a restore
that was interrupted. Differences of schema belong to `extract`. Nothing here reads a value into a message but a version's number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from transvase.errors import MappingInvalid, Said, SourcePartial, SourceVersion
from transvase.model.tables import TABLES
from transvase.sources import mapping as mappings
from transvase.sources.discover.reading import place_of, quoted
from transvase.sources.mapping import Found, Place
from transvase.sources.view import QueryFault, View

# A version is a number, not a text that somebody typed.
_VERSION = re.compile(r"[\w.+ -]{1,40}")
# Evidence, not a broken link here and there: this many different values at least, and most of them without a row.
_EN_MASSE, _MISSING = 20, 50
# What a restore cannot have left without its row; real products let visits or prescribers go and keep what names them.
_PARENTS = ("patient", "document")
# Values that products write for "none".
_NONE = ("", "0")
# A database without one of its parents is refused from this many different values on.
_TO_AN_EMPTY_TABLE = 5
_SHOWN = 3


class Gap(NamedTuple):
    """What is missing: `kind` (`empty`, `links`, `parent`, `counter`), the place it is missing from, and both figures."""

    kind: str
    place: str
    expected: str
    found: str
    said: Said


class Kept(NamedTuple):
    """Distinct values of a column that name a row, and how many of them are found."""

    link: Found
    of: int
    found: int


def fitted(mapping: mappings.Mapping, view: View) -> tuple[mappings.Mapping, str]:
    """The mapping for the vintage that the database is of, and its version (empty when the mapping asks for none). SourceVersion when
    the folder serves no such version, MappingInvalid when the query of the version is wrong on a database of the expected schema."""
    if not mapping.version:
        return mapping.met({table: tuple(c.name for c in columns) for table, columns in view.tables().items()}), ""
    try:
        rows = [row for batch in view.query(mapping.version, 2).batches for row in batch]
    except QueryFault as fault:
        live = {table: tuple(c.name for c in columns) for table, columns in view.tables().items()}
        if mapping.drift(live):
            # The schema's own differences say more than a query that found no table.
            return mapping, ""
        raise MappingInvalid(product=mapping.product, file="mapping.toml", what=f"[version]: {fault}") from None
    version = str(rows[0][0]).strip() if len(rows) == 1 and len(rows[0]) == 1 and rows[0][0] is not None else ""
    for vintage, patterns in mapping.served.items():
        if version and any(fnmatchcase(version, pattern) for pattern in patterns):
            return (mapping if vintage == mapping.vintage else mappings.load(str(mapping.folder), vintage)), version
    found: object = version if _VERSION.fullmatch(version) else Said("non reconnue", "not recognised")
    if not version:
        found = Said("absente de la base", "absent from the database")
    served = ", ".join(pattern for patterns in mapping.served.values() for pattern in patterns)
    raise SourceVersion(path=view.name, found=found, product=mapping.product, served=served)


def check_whole(mapping: mappings.Mapping, view: View) -> None:
    """SourcePartial when the database shows that it was not loaded to its end. The schema is known to be the mapping's."""
    if found := gaps(mapping, view):
        more = len(found) - _SHOWN
        rest = Said(f" ; et {more} autres" if more > 0 else "", f"; and {more} more" if more > 0 else "")
        raise SourcePartial(
            path=view.name,
            evidence=Said(
                " ; ".join(g.said.fr for g in found[:_SHOWN]) + rest.fr,
                "; ".join(g.said.en for g in found[:_SHOWN]) + rest.en,
            ),
        )


def gaps(mapping: mappings.Mapping, view: View) -> list[Gap]:
    """What a database that was loaded whole would have: what the mapping expects, then what keys without their rows say."""
    counts = {table: view.count(table) for table in view.tables()}
    found = [_empty(table) for table in mapping.expect.filled if not counts[table]]
    kept = list(links(mapping, view, counts))
    declared = set(mapping.expect.found)
    parents = {
        Place(*place)
        for place, use in mapping.columns.items()
        if any(f"{name}.key" in use.targets for name in _PARENTS)
    }
    for link, of, there in kept:
        missing = of - there
        if link in declared:
            if there * 100 < of * link.least:
                found.append(_links(link, of, there, link.least))
        elif not counts[link.within.table] and of >= _TO_AN_EMPTY_TABLE:
            found.append(_parent(link, of))
        elif link.within in parents and of >= _EN_MASSE and missing * 100 > of * _MISSING:
            found.append(_links(link, of, there, _MISSING))
    return found + [gap for gap in (_counter(mapping, view, c.what, c.query) for c in mapping.expect.counters) if gap]


def links(mapping: mappings.Mapping, view: View, counts: Mapping[str, int]) -> Iterator[Kept]:
    """The links between the source's tables, each counted by the engine: those that the mapping declares, then those that its targets
    tell (a column read into a reference, and the only column read into the key it refers to)."""
    declared = mapping.expect.found
    known = {(f.of, f.within) for f in declared}
    for link in (*declared, *(f for f in told(mapping) if (f.of, f.within) not in known)):
        if counts[link.of.table]:
            of, there = _counted(mapping, view, link)
            yield Kept(link, of, there)


def told(mapping: mappings.Mapping) -> list[Found]:
    """Links that the targets of columns.csv tell. A reference that two columns of a table make up, or a key that several tables or
    columns give, tells none: which value names which row is then known to the queries only."""
    keys: dict[str, list[Place]] = {}
    references: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for (table, column), use in mapping.columns.items():
        if use.disposition != "mapped":
            continue
        for target in use.targets:
            name, _, canonical = target.partition(".")
            if name not in TABLES:
                continue
            if canonical == "key":
                keys.setdefault(name, []).append(Place(table, column))
            parent = next((c.references for c in TABLES[name].columns if c.name == canonical), "")
            if parent:
                references.setdefault((table, target), []).append((column, parent))
    found = []
    for (table, _), columns in references.items():
        (column, parent), *more = columns
        link = Place(table, column)
        if not more and len(keys.get(parent, [])) == 1 and keys[parent][0] != link:
            found.append(Found(link, keys[parent][0], _MISSING))
    return list(dict.fromkeys(found))


def _counted(mapping: mappings.Mapping, view: View, link: Found) -> tuple[int, int]:
    """Distinct values of the column, and those of them that the other one holds."""
    kind = mapping.kind

    def values(place: Place) -> str:
        text = f"CAST({quoted(kind, place.column)} AS {'CHAR' if kind == 'mariadb' else 'TEXT'})"
        none = ", ".join(f"'{v}'" for v in _NONE)
        return f"SELECT DISTINCT {text} AS k FROM {place_of(kind, place.table)} WHERE {text} NOT IN ({none})"

    text = f"SELECT COUNT(*) AS a, COUNT(p.k) AS b FROM ({values(link.of)}) AS c LEFT JOIN ({values(link.within)}) AS p ON p.k = c.k"
    try:
        ((of, there),) = [row for batch in view.query(text, 1).batches for row in batch]
    except QueryFault as fault:
        what = f"{link.of} cannot be compared with {link.within}: {fault}"
        raise MappingInvalid(product=mapping.product, file="mapping.toml", what=what) from None
    return int(of), int(there)


def _empty(table: str) -> Gap:
    said = Said(f"la table {table} est vide", f"table {table} is empty")
    return Gap("empty", table, "1", "0", said)


def _parent(link: Found, of: int) -> Gap:
    said = Said(
        f"la table {link.within.table} est vide, et {link.of} y désigne {of} lignes",
        f"table {link.within.table} is empty, and {link.of} names {of} rows of it",
    )
    return Gap("parent", str(link.of), str(of), "0", said)


def _links(link: Found, of: int, there: int, least: int) -> Gap:
    said = Said(
        f"sur {of} valeurs de {link.of}, {there} existent dans {link.within} ({least} % attendus au moins)",
        f"of {of} values of {link.of}, {there} are in {link.within} (at least {least} % expected)",
    )
    return Gap("links", str(link.of), f"{least} % of {of}", str(there), said)


def _counter(mapping: mappings.Mapping, view: View, what: str, query: str) -> Gap | None:
    try:
        rows = [row for batch in view.query(query, 2).batches for row in batch]
        ((expected, there),) = rows
        wanted, present = _whole(expected), _whole(there)
    except QueryFault as fault:
        raise MappingInvalid(
            product=mapping.product, file="mapping.toml", what=f"[[expect.counter]] {what}: {fault}"
        ) from None
    except ValueError:
        raise MappingInvalid(
            product=mapping.product,
            file="mapping.toml",
            what=f"[[expect.counter]] {what}: one row of two whole numbers is expected",
        ) from None
    if wanted is None or (present or 0) >= wanted:
        return None
    said = Said(
        f"le logiciel compte {wanted} pour {what}, la base en a {present or 0}",
        f"the software counts {wanted} for {what}, the database has {present or 0}",
    )
    return Gap("counter", what, str(wanted), str(present or 0), said)


def _whole(value: Any) -> int | None:
    """A counter; None when the product keeps none (NULL). ValueError for what is no whole number."""
    return None if value is None else int(value)

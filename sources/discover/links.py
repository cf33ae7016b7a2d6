"""Which table holds the patients, which column is its key, and which columns of other tables say to whom a row belongs, when nothing
declares it: by inclusion of values, and by names. Counting belongs to `profile`, what is written from it to `folder`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from transvase.errors import Said
from transvase.sources.discover import concepts, names, reading
from transvase.sources.discover.profile import Column, Table
from transvase.sources.discover.sketch import Inclusion, Sketch, digest
from transvase.sources.view import View

# Distinct values of a key held exactly; of a longer one, the smallest hashes, enough to compare with any column read.
HELD = 131_072
# A link by its name is told above this share of values found, since a real base has orphans; without a name it must be nearly whole.
NAMED, UNNAMED = 0.5, 0.98
# Below this many distinct values an inclusion proves little.
ENOUGH = 5
# A whole number of a dense key is found by chance.
DENSE = 0.2
# Names that refer to a row of a table told elsewhere, often in a second column.
_ANYTHING = frozenset(
    ["foreign", "owner", "entity", "target", "sujet", "objet", "object", "tiers", "person", "personne", "client"]
)


class Patient(NamedTuple):
    """The table believed to hold the patients: its key, the score of the belief, why, and the next best table with its score."""

    table: str
    key: str
    score: float
    why: tuple[Said, ...]
    next: str
    next_score: float


class Link(NamedTuple):
    """A column that refers to another: `grade` is `sure` (name and values), `values` (values alone), `name` (the column is empty or holds
    zeros only), `doubt` (to be looked at; not counted as a link); `found` tells the values; `rows` those of the table."""

    table: str
    column: str
    to_table: str
    to_column: str
    grade: str
    found: Inclusion
    rows: int


class Keys:
    """Distinct values of the columns that may be keys, read whole when they are needed."""

    def __init__(self, view: View, kind: str) -> None:
        self._view, self._kind = view, kind
        self._whole: dict[tuple[str, str], Sketch] = {}

    def of(self, table: Table, column: Column) -> Sketch:
        """The values of a key of `table`."""
        if table.read >= table.rows:
            return column.sketch
        place = (table.name, column.name)
        if place not in self._whole:
            sketch = Sketch(HELD)
            for batch in reading.all_values(self._view, self._kind, table.name, column.name):
                sketch.update(digest(value) for (value,) in batch if value is not None)
            self._whole[place] = sketch.freeze()
        return self._whole[place]


def candidate_keys(table: Table) -> list[Column]:
    """Columns with a value in every row and never the same twice, short enough to be referred to, in stored order."""
    if table.rows < 2:
        return []
    return [
        c
        for c in table.columns
        if c.unique
        and c.longest <= 64
        and "float" not in c.kinds
        and c.family != "date"
        and not _of_words(c)
        and not _of_dates(c)
    ]


def _of_dates(column: Column) -> bool:
    """Whether the texts of a column are all dates; years alone are as well numbers."""
    return bool(column.kinds["str"]) and sum(column.dates.values()) >= column.filled and set(column.dates) != {"AAAA"}


def _of_words(column: Column) -> bool:
    """Whether most values are several words, which nothing refers to."""
    return sum(rows for shape, rows in column.shapes.items() if " " in shape.strip()) > 0.5 * column.filled


def patient_table(tables: Sequence[Table], keys: Keys) -> Patient | None:
    """The table of the patients, by the columns of a person, by its name, and by how many tables seem to refer to it; None when no table
    has a key and looks like persons in care."""
    shared = Counter(t[0] for table in tables if len(t := names.tokens(table.name)) > 1)
    rated: list[tuple[float, int, Table, Column, tuple[Said, ...]]] = []
    for place, table in enumerate(tables):
        found = concepts.guesses(table, concepts.PATIENT)
        looks = concepts.likeness(found)
        subject = [w for w in names.subject(table.name) if shared[w] < 3 or w in names.PATIENT_WORDS]
        named = 3.0 * names.says_patient(subject)
        if not (unique := candidate_keys(table)) or looks + named < 4 or looks < 2:
            continue
        key, callers = _called(table, unique, tables, keys)
        score = looks + named + min(callers, 5)
        says = (
            Said("son nom le dit", "its name says so")
            if named == 3.0
            else Said("son nom le suggère", "its name suggests so")
            if named
            else Said("son nom n'en dit rien", "its name does not say so")
        )
        why: tuple[Said, ...] = (
            Said(f"colonnes d'une personne : {', '.join(found)}", f"columns of a person: {', '.join(found)}"),
            says,
            Said(
                f"tables qui y renvoient par {key.name} : {callers}",
                f"tables that refer to it by {key.name}: {callers}",
            ),
        )
        rated.append((score, -place, table, key, why))
    rated.sort(key=lambda r: r[:2], reverse=True)
    if not rated:
        return None
    score, _, table, key, why = rated[0]
    following = rated[1] if len(rated) > 1 else None
    return Patient(
        table.name, key.name, score, why, following[2].name if following else "", following[0] if following else 0.0
    )


def _called(table: Table, unique: Sequence[Column], tables: Sequence[Table], keys: Keys) -> tuple[Column, int]:
    """The key of a table that other tables use most, and how many do: columns that speak of a patient, with values found in it."""
    home = _Home(table, unique, _own_words(table), (), keys)
    callers: Counter[str] = Counter()
    namesakes: Counter[str] = Counter()
    for other in tables:
        if other is table:
            continue
        prefix = names.prefix_of([c.name for c in other.columns])
        seen: set[str] = set()
        for column in other.columns:
            if not column.filled or home.named(column, names.own_tokens(column.name, prefix)) < 1:
                continue
            for key in unique:
                found = column.sketch.inclusion(keys.of(table, key))
                if found.of and found.share >= 0.9:
                    seen.add(key.name)
                    namesakes[key.name] += key.name.lower() == column.name.lower()
        callers.update(seen)
    # Between two keys that number rows alike, the one whose name is used elsewhere.
    best = max(unique, key=lambda c: (callers[c.name], namesakes[c.name], -unique.index(c)))
    return best, callers[best.name]


class _Home(NamedTuple):
    """The table of the patients as links are compared with it: its keys, the words of this product for a patient, and the subjects of the
    other tables."""

    table: Table
    unique: Sequence[Column]
    more: frozenset[str]
    others: Sequence[Sequence[str]]
    keys: Keys

    def named(self, column: Column, words: Sequence[str]) -> float:
        """How much a column is named after the patient: as `names.says_patient` says, or because it bears the name of a key of the
        patients that is more than "number" or "identifier"."""
        same = any(column.name.lower() == key.name.lower() for key in self.unique)
        return 1.0 if same and not names.KEY_WORDS.issuperset(words) else names.says_patient(words, self.more)


def _own_words(table: Table) -> frozenset[str]:
    """Words by which this product names the patient: the prefix of the table's columns, and its name when it is one word."""
    prefix = names.prefix_of([c.name for c in table.columns])
    subject = names.subject(table.name)
    return frozenset({prefix} | (set(subject) if len(subject) == 1 else set())) - {""}


def patient_links(tables: Sequence[Table], patient: Patient, keys: Keys) -> list[Link]:
    """Columns of other tables that say to whom a row belongs, in order of table. Of several in a table, those less named after the patient
    than the best, and flags of one or two values beside a real link, are of the grade `doubt`."""
    table = next(t for t in tables if t.name == patient.table)
    unique = sorted(candidate_keys(table), key=lambda c: c.name != patient.key)
    home = _Home(table, unique, _own_words(table), [names.subject(t.name) for t in tables if t is not table], keys)
    found = []
    for other in tables:
        if other is table:
            continue
        prefix = names.prefix_of([c.name for c in other.columns])
        rated = []
        for column in other.columns:
            words = names.own_tokens(column.name, prefix)
            if line := _patient_link(other, column, words, home):
                rated.append((home.named(column, words), line))
        kept = [(named, line) for named, line in rated if line.grade != "doubt"]
        best = max((named for named, _ in kept), default=0.0)
        proved = any(line.found.of >= ENOUGH for _, line in kept)
        for named, line in rated:
            flag = proved and 0 < line.found.of <= 2
            found.append(line._replace(grade="doubt") if named < best or flag else line)
    return found


def _patient_link(table: Table, column: Column, words: Sequence[str], home: _Home) -> Link | None:
    if column.family in ("date", "binary") and column.longest != 16:
        return None
    named = home.named(column, words)
    key, found = _best(column, home.table, home.unique, home.keys)

    def link(grade: str) -> Link:
        return Link(table.name, column.name, home.table.name, key.name, grade, found, table.rows)

    if named == 1.0 and not found.of:
        # Nothing there but nulls, blanks and zeros.
        return link("name") if _may_hold(column) else None
    if named == 1.0:
        return link("sure" if found.share >= NAMED else "doubt")
    if found.of < ENOUGH or found.share < 0.9:
        return None
    if any(names.names_table(words, other) >= 0.5 for other in home.others):
        return None
    if found.share >= UNNAMED and not _by_chance(key) and column.longest <= 64:
        return link("sure" if named else "values")
    if named or not _ANYTHING.isdisjoint(words):
        return link("doubt")
    return None


def _best(column: Column, home: Table, unique: Sequence[Column], keys: Keys) -> tuple[Column, Inclusion]:
    """The key that holds most of the column's values; the first one when several hold as many."""
    rated = [(key, column.sketch.inclusion(keys.of(home, key))) for key in unique]
    return max(rated, key=lambda r: r[1].share)


def _may_hold(column: Column) -> bool:
    """Whether an empty column could hold a key, by its type: a long text could not."""
    if column.family in ("date", "decimal"):
        return False
    return column.family != "text" or re.search(r"char\D*\(\d{1,2}\)", column.declared.lower()) is not None


def _by_chance(key: Column) -> bool:
    """Whether the key is so dense that anything numbered would be found in it."""
    if key.integers is None:
        return key.longest < 6 or key.numbers["entier"] > 0.5 * key.filled
    low, high = key.integers
    return key.sketch.distinct / (high - low + 1) >= DENSE


def other_links(tables: Sequence[Table], keys: Keys) -> list[Link]:
    """Columns named after another table, whose values are in a key of it."""
    subjects = {
        t.name: (names.subject(t.name), names.prefix_of([c.name for c in t.columns]), candidate_keys(t))
        for t in tables
        if t.rows
    }
    found = []
    by_name = {t.name: t for t in tables}
    for table in tables:
        prefix = names.prefix_of([c.name for c in table.columns])
        for column in table.columns:
            if not column.filled or column.longest > 64 or column.family == "date":
                continue
            words = names.own_tokens(column.name, prefix)
            rated = [
                # ACT_ITV names the table whose columns are ITV_ID, ITV_NOM…
                (1.0 if words == (home,) else names.names_table(words, subject), other)
                for other, (subject, home, unique) in subjects.items()
                if other != table.name and unique
            ]
            score, other = max(rated, key=lambda r: r[0], default=(0.0, ""))
            if score < 0.5:
                continue
            key, inclusion = _best(column, by_name[other], subjects[other][2], keys)
            if inclusion.share >= 0.9 and (inclusion.of >= ENOUGH or (inclusion.of and score == 1.0)):
                found.append(Link(table.name, column.name, other, key.name, "sure", inclusion, table.rows))
    return found


def through(direct: Sequence[Link], others: Sequence[Link]) -> dict[str, tuple[Link, ...]]:
    """For tables without a column of the patient, the links that lead to one in at most two steps."""
    reached: dict[str, tuple[Link, ...]] = {link.table: () for link in direct if link.grade != "doubt"}
    homes = {link.to_table for link in direct}
    found: dict[str, tuple[Link, ...]] = {}
    for _ in range(2):
        step: dict[str, tuple[Link, ...]] = {}
        for link in others:
            if link.table not in reached and link.table not in homes and link.to_table in reached:
                step.setdefault(link.table, (link, *reached[link.to_table]))
        reached.update(step)
        found.update(step)
    return found


def by_table(found: Sequence[Link]) -> Mapping[str, Link]:
    """The first link of each table that is no doubt, those by values before those by name."""
    kept: dict[str, Link] = {}
    for link in sorted(found, key=lambda li: ("sure", "values", "name", "doubt").index(li.grade)):
        if link.grade != "doubt":
            kept.setdefault(link.table, link)
    return kept

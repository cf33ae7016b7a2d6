"""What the counters of a column mean for who writes a mapping: dates and numbers kept as text, documents, paths to files, deletions that
delete nothing, encodings that lie, lists of codes, attributes kept as rows. Who belongs to whom is in `links`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from transvase.errors import Said
from transvase.sources.discover import concepts, names
from transvase.sources.discover.profile import CODES, Column, Table

# Share of the values that must agree; the rest is what twenty years of typing leave.
MOST = 0.95
# Values below which nothing is concluded from the form of a column.
FEW = 3
# A code is written in the mapping folder when at least so many rows hold it: rarer, it may be somebody's.
REPEATED = 3
# Bytes of an identifier or of a digest rather than of a document.
SHORT_BYTES = 64
_FAMILIES_OF_TEXT = ("text", "")
_DELETED = frozenset(
    ["deleted", "delete", "del", "supprime", "supprimee", "suppr", "suppression", "removed", "efface", "annule", "annulee", "cancelled",
     "canceled", "corbeille", "trash", "trashed", "voided", "hidden", "archive", "archived", "archivee", "obsolete", "inactive", "inactif"]
)  # fmt: skip
_ACTIVE = frozenset(["active", "actif", "activity", "enabled"])
_ATTRIBUTE = frozenset(
    ["name", "label", "key", "cle", "code", "cod", "field", "champ", "attribut", "attribute", "option", "param", "parametre", "rubrique",
     "item", "propriete", "property", "variable", "question"]
)  # fmt: skip
_FIELD = frozenset(["field", "champ", "attribut", "attribute", "question", "key", "cle"])
_VALUE = frozenset(["value", "valeur", "val", "reponse", "answer"])
# Beside these, an attribute's row has its owner, its unit, its dates; a wider table is something else.
_WIDEST_EAV = 12
_PERSONAL = frozenset(
    ["nom", "name", "prenom", "pren", "fname", "lname", "mname", "family", "given", "ville", "city", "adresse", "address", "adr", "street", "rue", "phone",
     "tel", "mail", "email", "note", "notes", "comment", "comments", "commentaire", "motif", "reason", "obs", "observation", "texte", "text", "title", "titre",
     "user", "username", "login", "password", "pwd", "hash", "token", "profession", "job", "occupation", "religion", "ethnie", "race", "birth", "naissance"]
)  # fmt: skip
_TIME_WORDS = frozenset(
    ["date", "time", "dt", "created", "updated", "modified", "timestamp", "heure", "le", "at", "on"]
)
_NUMBER_WORDS = {
    "entier": Said("entiers", "whole"),
    "point": Said("décimales à point", "decimals with a point"),
    "virgule": Said("décimales à virgule", "decimals with a comma"),
}
_FAULT_WORDS = {
    "double": Said("UTF-8 encodé deux fois, réparable", "UTF-8 encoded twice, can be repaired"),
    "lost": Said("caractères perdus (U+FFFD)", "lost characters (U+FFFD)"),
    "controls": Said("Windows-1252 lu comme Latin-1", "Windows-1252 read as Latin-1"),
    "entities": Said("entités HTML", "HTML entities"),
}
_CLASS_WORDS = {
    "str": Said("texte", "text"),
    "int": Said("entier", "whole"),
    "float": Said("décimal", "decimal"),
    "bytes": Said("octets", "bytes"),
    "bool": Said("booléen", "flag"),
}
_PLAIN_NATURES = frozenset(["text", "unknown"])


class Finding(NamedTuple):
    """Something seen of a column: `role` is one of `date-text`, `date-number`, `number-text`, `content`, `bytes`, `path`, `deleted`,
    `encoding`, `mixed`, `codes`, and what was seen, in both languages, without a value."""

    table: str
    column: str
    role: str
    said: Said


class Attributes(NamedTuple):
    """A table that keeps attributes as rows (entity-attribute-value): the column that names the attribute, the one that holds the value,
    how many attributes there are; `by_name` when the table is empty."""

    table: str
    attribute: str
    value: str
    distinct: int
    by_name: bool


def findings(table: Table, kind: str, personal: bool) -> list[Finding]:
    """What is seen of each column of a table, in stored order; `personal` says that a row is a person, whose columns are no codes."""
    found: list[Finding] = []
    prefix = names.prefix_of([c.name for c in table.columns])
    person = {c.name for c in concepts.guesses(table, concepts.PATIENT).values()}
    for column in table.columns:
        words = names.own_tokens(column.name, prefix)
        for role, said in (
            ("deleted", _deleted(column, words)),
            ("bytes", _bytes(column)),
            ("content", _content(column)),
            ("date-text", _date_text(column, kind)),
            ("date-number", _date_number(column, words)),
            ("number-text", _number_text(column)),
            ("path", _path(column)),
            ("encoding", _encoding(column)),
            ("mixed", _mixed(column)),
            ("codes", None if personal or column.name in person else _codes(column, words)),
        ):
            # A flag of deletion is no list to transcribe.
            if said is not None and not (
                role == "codes" and found and found[-1][:3] == (table.name, column.name, "deleted")
            ):
                found.append(Finding(table.name, column.name, role, said))
    return found


def main_date(column: Column) -> str:
    """The most frequent form of a column's dates as `forms` writes it, day and month told apart by the dates that can be read one way
    only; empty when it has none."""
    dates = _settled(column.dates)
    return dates.most_common(1)[0][0] if dates else ""


def codes_of(column: Column) -> Mapping[str, int]:
    """The repeated values of a column of codes, with their number of rows."""
    return {value: rows for value, rows in sorted((column.codes or {}).items()) if rows >= REPEATED and value.strip()}


def attributes(table: Table) -> Attributes | None:
    """How a table keeps attributes as rows, or None."""
    prefix = names.prefix_of([c.name for c in table.columns])
    words = {c.name: names.own_tokens(c.name, prefix) for c in table.columns}
    values = [c for c in table.columns if _VALUE.intersection(words[c.name][-1:])]
    named = [c for c in table.columns if _names_attribute(words[c.name]) and c.family in _FAMILIES_OF_TEXT]
    # `field_name` rather than `table_name` beside it.
    named.sort(key=lambda c: _FIELD.isdisjoint(words[c.name]))
    if len(values) != 1 or not named or len(table.columns) > _WIDEST_EAV:
        return None
    value = values[0]
    if not table.rows:
        return Attributes(table.name, named[0].name, value.name, 0, by_name=True)
    # Few attributes for many rows, or one row for each setting; and values that are not all of one form.
    named = [c for c in named if c.filled and c.longest <= 64]
    if not named or not value.filled:
        return None
    attribute = min(named, key=lambda c: c.sketch.distinct)
    mixed = len(value.shapes) >= FEW
    repeated = attribute.sketch.distinct * 2 <= attribute.filled or attribute.unique
    return (
        Attributes(table.name, attribute.name, value.name, attribute.sketch.distinct, by_name=False)
        if mixed and repeated
        else None
    )


def _names_attribute(words: tuple[str, ...]) -> bool:
    if words[-1:] == ("id",):
        return not _FIELD.isdisjoint(words[-2:-1])
    return not _ATTRIBUTE.isdisjoint(words[-1:])


def percent(part: int, whole: int) -> str:
    """A share for a reader: never 100 % nor 0 % when it is not."""
    if not whole:
        return "0 %"
    rounded = round(100 * part / whole)
    if part != whole and rounded == 100:
        return "> 99 %"
    return "< 1 %" if part and not rounded else f"{rounded} %"


def shares(counted: Mapping[str, int], whole: int, most: int = 4) -> str:
    """Counts as shares, the largest first."""
    first = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:most]
    return ", ".join(f"{name} {percent(n, whole)}" for name, n in first)


def _settled(dates: Counter[str]) -> Counter[str]:
    """The forms of dates, those readable two ways given to the order that the others show; the French one when none does."""
    out: Counter[str] = Counter()
    for form, rows in dates.items():
        if " ou " not in form:
            out[form] += rows
    for form, rows in dates.items():
        if " ou " in form:
            french, american = form.split(" ou ")
            french += american[len(french) :]
            out[american if out[american] and not out[french] else french] += rows
    return out


def _date_text(column: Column, kind: str) -> Said | None:
    # SQLite has no type for dates: what is declared one is text there.
    if not column.kinds["str"] or column.filled < FEW or (column.family == "date" and kind != "sqlite"):
        return None
    dates = _settled(column.dates)
    if sum(dates.values()) < MOST * column.filled or set(dates) <= {"AAAA"}:
        return None
    shown = shares(dates, column.filled)
    return Said(f"texte contenant des dates : {shown}", f"text holding dates: {shown}")


def _date_number(column: Column, words: tuple[str, ...]) -> Said | None:
    if not column.kinds["int"] or column.filled < FEW or column.integers is None:
        return None
    if column.dates["AAAAMMJJ"] >= MOST * column.filled and not column.unique:
        shown = percent(column.dates["AAAAMMJJ"], column.filled)
        return Said(f"nombre contenant des dates : AAAAMMJJ {shown}", f"number holding dates: AAAAMMJJ {shown}")
    low, high = column.integers
    for unit, factor in (("secondes", 1), ("millisecondes", 1000)):
        if _TIME_WORDS.intersection(words) and 3e8 * factor <= low and high <= 4e9 * factor:
            english = unit.replace("secondes", "seconds")
            return Said(
                f"nombre contenant des instants : {unit} depuis 1970", f"number holding instants: {english} since 1970"
            )
    return None


def _number_text(column: Column) -> Said | None:
    if column.family not in _FAMILIES_OF_TEXT or not column.kinds["str"] or column.filled < FEW:
        return None
    numbers = {form: rows for form, rows in column.numbers.items() if form != "code"}
    # Digits that a number would spoil (a leading zero) are rare, or the column is one of codes.
    if sum(numbers.values()) < MOST * column.filled or sum(column.dates.values()) >= MOST * column.filled:
        return None
    usual = max(column.shapes.values(), default=0)
    if set(numbers) == {"entier"} and (column.longest > 9 or (column.longest > 3 and usual >= 0.9 * column.filled)):
        # Many digits, or digits of one length, are a code more often than a quantity.
        return None
    french = shares({_NUMBER_WORDS[f].fr: n for f, n in numbers.items()}, column.filled)
    english = shares({_NUMBER_WORDS[f].en: n for f, n in numbers.items()}, column.filled)
    return Said(f"texte contenant des nombres : {french}", f"text holding numbers: {english}")


def _bytes(column: Column) -> Said | None:
    if set(column.natures) != {"binary"} or column.longest > SHORT_BYTES:
        return None
    size = column.longest
    return Said(
        f"octets (au plus {size}) sans nature reconnue : un identifiant ?",
        f"bytes (at most {size}) of no known nature: an identifier?",
    )


def _content(column: Column) -> Said | None:
    told = {n: rows for n, rows in column.natures.items() if n not in _PLAIN_NATURES}
    if not told:
        return None
    if set(told) == {"binary"} and column.longest <= SHORT_BYTES:
        return None
    rows = sum(told.values())
    # Some words between angle brackets in thousands of notes are no markup.
    if rows < FEW and rows < 0.01 * column.filled:
        return None
    shown = {nature.upper() if nature not in ("binary", "empty") else nature: n for nature, n in told.items()}
    french = shares({_FRENCH_NATURES.get(n, n): r for n, r in shown.items()}, column.filled, 6)
    return Said(f"contenus : {french}", f"contents: {shares(shown, column.filled, 6)}")


_FRENCH_NATURES = {
    "binary": "octets sans nature reconnue",
    "empty": "vides (octets nuls)",
    "TEXT+NUL": "texte entouré d'octets nuls",
}


def _path(column: Column) -> Said | None:
    if column.filled < 1 or column.paths < 0.5 * column.filled:
        return None
    shown = percent(column.paths, column.filled)
    return Said(
        f"noms ou chemins de fichiers {shown} : leur contenu est peut-être hors de la base",
        f"names or paths of files {shown}: their content may be outside the database",
    )


def _deleted(column: Column, words: tuple[str, ...]) -> Said | None:
    said = [w for w in words if w in _DELETED]
    active = [w for w in words if w in _ACTIVE] if len([w for w in words if w != "is"]) == 1 else []
    if not said and not active:
        return None
    distinct = column.sketch.distinct
    flag = (
        distinct <= 3
        and column.longest <= 8
        and not column.natures
        and (column.filled or column.family in ("whole", ""))
    )
    dated = column.family == "date" or (column.filled and sum(column.dates.values()) >= MOST * column.filled)
    if not flag and not dated:
        return None
    form = ("date", "date") if dated else ("drapeau", "flag")
    more = (", vide", ", empty")
    if column.filled:
        more = ("", "") if dated else (f", {distinct} valeur(s)", f", {distinct} value(s)")
    form = (form[0] + more[0], form[1] + more[1])
    if said:
        return Said(f"suppression logique ? ({form[0]})", f"soft deletion? ({form[1]})")
    return Said(f"ligne active ou non ? ({form[0]})", f"row active or not? ({form[1]})")


def _encoding(column: Column) -> Said | None:
    if not column.faults:
        return None
    order = sorted(column.faults.items())
    return Said(
        "encodage : " + ", ".join(f"{_FAULT_WORDS[f].fr}, {n} valeurs" for f, n in order),
        "encoding: " + ", ".join(f"{_FAULT_WORDS[f].en}, {n} values" for f, n in order),
    )


def _mixed(column: Column) -> Said | None:
    # Only SQLite keeps values of several classes in one column.
    if len(column.kinds) < 2:
        return None
    french = shares({_CLASS_WORDS[k].fr: n for k, n in column.kinds.items()}, column.filled)
    english = shares({_CLASS_WORDS[k].en: n for k, n in column.kinds.items()}, column.filled)
    return Said(f"types mêlés : {french}", f"mixed types: {english}")


def _codes(column: Column, words: tuple[str, ...]) -> Said | None:
    codes = column.codes
    if not codes or column.unique or column.natures or column.faults or column.paths:
        return None
    kept = {value: rows for value, rows in codes.items() if value.strip()}
    if (
        set(kept) <= {"0", "1"}
        or "id" in words[-1:]
        or not 2 <= len(kept) <= CODES
        or column.filled < 5 * len(kept)
        or names.says_patient(words)
    ):
        return None
    if (
        _PERSONAL.intersection(words)
        or column.family in ("date", "decimal")
        or sum(column.dates.values()) > 0.2 * column.filled
    ):
        return None
    if column.kinds["int"] and (
        column.integers is None or column.integers[0] < -9 or column.integers[1] > 99 or len(kept) > 20
    ):
        return None
    if (
        any(re.search(r"\d{6}|@", value) or value.count(" ") > 3 for value in kept)
        or column.numbers["point"] + column.numbers["virgule"]
    ):
        return None
    if not codes_of(column):
        return None
    return Said(f"liste fermée ? {len(kept)} codes", f"closed list? {len(kept)} codes")

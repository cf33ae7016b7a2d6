"""Vaccinations of a CDA: rows of `immunization`, given, denied, or said to be unknown. Template FR-Vaccination."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from transvase.formats.cda import V3, CdaHeader
from transvase.sources.archive.statements import reading

TEMPLATES = frozenset({"1.2.250.1.213.1.1.3.45", "1.3.6.1.4.1.19376.1.5.3.1.4.12"})
_NONE, _UNKNOWN = "no-known-immunizations", "no-immunization-info"
_KIND = {"BOOSTER": True, "INITIMMUNIZ": False}
_RANK = "2.16.840.1.113883.10.20.1.46"
_COMMENT = "1.3.6.1.4.1.19376.1.5.3.1.4.2"
_REACTION = "2.16.840.1.113883.10.20.1.28"
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII).fullmatch
_UNSAID = {"", "-"}
_PLAIN = {V3 + n for n in ("templateId", "id", "text", "statusCode", "realmCode", "typeId", "code", "effectiveTime", "routeCode",
                           "approachSiteCode", "consumable", "performer", "entryRelationship")}  # fmt: skip

Row = tuple[str, dict[str, Any]]


def read(entry: Any, document: CdaHeader) -> Iterator[Row]:
    """The vaccination; not a row when the entry has no identifier and says only that nothing is known, as a record without rows does."""
    if entry.get("moodCode") != "EVN":
        yield reading.unrepresented(entry, "a vaccination intended, not given: no canonical table holds it")
        return
    code = reading.child(entry, "code")
    kind = "" if code is None else code.get("code", "")
    key = reading.key(entry, "immunization")
    if kind == _UNKNOWN and not key:
        yield reading.unrepresented(
            entry, "says that nothing is known of vaccinations; a record without rows says the same"
        )
        return
    row: dict[str, Any] = {"key": key} if key else {}
    row["booster"] = _KIND.get(kind)
    if kind in (_NONE, _UNKNOWN):
        row["assertion"] = "denied" if kind == _NONE else "not_recorded"
        row["code"], row["system"] = kind, reading.ABSENCE
        label = reading.words(reading.child(entry, "text")) or ("" if code is None else code.get("displayName", ""))
        row["label"] = label or "Sans libellé"
    else:
        row["assertion"] = "denied" if reading.denied(entry) else "affirmed"
    left = [
        *_given(entry, row),
        *_product(entry, row),
        *_place(entry, row),
        *_performer(entry, row),
        *_relations(entry, row),
    ]
    yield "immunization", row
    yield from left
    for child in entry:
        if isinstance(child.tag, str) and child.tag not in _PLAIN:
            who = child.tag == f"{V3}author"
            yield reading.unrepresented(
                child, "who recorded it: the document keeps it" if who else "no column holds it"
            )


def _given(entry: Any, row: dict[str, Any]) -> Iterator[Row]:
    low, high = reading.span(entry)
    row["given"] = reading.date(low)
    if high or len(low) > 8:
        yield reading.unrepresented(reading.child(entry, "effectiveTime"), "the day alone is kept")


def _product(entry: Any, row: dict[str, Any]) -> Iterator[Row]:
    product = reading.child(entry, "consumable", "manufacturedProduct", "manufacturedMaterial")
    code = reading.child(product, "code")
    if "label" not in row:
        concept = reading.concept(code)
        row["code"], row["system"] = concept.code, concept.system
        name = reading.words(reading.child(product, "name"))
        row["label"] = concept.label or name or reading.words(reading.child(entry, "text")) or "Sans libellé"
        if concept.other:
            yield reading.unrepresented(code, f"{concept.other} further codes of the vaccine")
    if product is None:
        return
    for part in product:
        if part.tag == f"{V3}lotNumberText":
            row["lot"] = reading.words(part) or None
        elif isinstance(part.tag, str) and part.tag not in {V3 + n for n in ("templateId", "code", "name")}:
            yield reading.unrepresented(part, "the vaccine is kept by its code, label and lot only")


def _place(entry: Any, row: dict[str, Any]) -> Iterator[Row]:
    for name, column in (("routeCode", "route"), ("approachSiteCode", "site")):
        nodes = list(entry.iterchildren(V3 + name))
        concept = reading.concept(nodes[0] if nodes else None)
        # A label that only repeats the code was made for the element, which wants one.
        row[column] = concept.label if concept.label != concept.code and concept.label else None
        row[f"{column}_code"] = concept.code
        for node in nodes[1:]:
            yield reading.unrepresented(node, "one only is kept")


def _performer(entry: Any, row: dict[str, Any]) -> Iterator[Row]:
    """Who gave it, as a reader writes it: name, else organisation."""
    people = list(entry.iterchildren(f"{V3}performer"))
    for rank, person in enumerate(people):
        if rank:
            yield reading.unrepresented(person, "one only is kept")
            continue
        entity = reading.child(person, "assignedEntity")
        name = reading.child(entity, "assignedPerson", "name")
        parts = {n: " ".join(reading.words(e) for e in name.iterchildren(V3 + n)) for n in ("suffix", "given", "family")} if name is not None else {}  # fmt: skip
        said = " ".join(" ".join(parts.values()).split()) or reading.words(name)
        row["performer"] = said or reading.words(reading.child(entity, "representedOrganization", "name")) or None
        if any(i.get("root") for i in entity.iterchildren(f"{V3}id")) if entity is not None else False:
            yield reading.unrepresented(person, "who gave it is kept by name only")


def _relations(entry: Any, row: dict[str, Any]) -> Iterator[Row]:
    for relation in entry.iterchildren(f"{V3}entryRelationship"):
        statement = next((n for n in relation if isinstance(n.tag, str) and reading.templates(n)), None)
        roots = set() if statement is None else reading.templates(statement)
        if _RANK in roots and "dose" not in row:
            value = reading.child(statement, "value")
            rank = "" if value is None else value.get("value", "")
            row["dose"] = int(rank) if _WHOLE(rank) else None
        elif _COMMENT in roots and "comment" not in row:
            said = reading.words(reading.child(statement, "text"))
            row["comment"] = None if said in _UNSAID else said
        elif _REACTION in roots and "reaction" not in row:
            yield from _reaction(statement, row)
        else:
            yield reading.unrepresented(relation if statement is None else statement, "no column holds it")


def _reaction(statement: Any, row: dict[str, Any]) -> Iterator[Row]:
    value = reading.child(statement, "value")
    concept = reading.concept(value)
    said = concept.label or reading.words(reading.child(statement, "text"))
    row["reaction"] = None if said in _UNSAID else said
    if concept.code:
        yield reading.unrepresented(value, "the reaction is kept in words, without its code")
    if any(reading.span(statement)):
        yield reading.unrepresented(reading.child(statement, "effectiveTime"), "the reaction is kept without its date")

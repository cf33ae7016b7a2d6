"""Laboratory results to rows of `lab_result`, from a laboratory report or from any document that carries coded results.

One row for each result, antibiograms and earlier results included. Who performed and validated is kept by name; pictures, codes of
organisms and second units have no column and are listed.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from transvase.formats.cda import V3, CdaHeader
from transvase.model.tables.lab_result import LAB_RESULT
from transvase.sources.archive.statements import reading

_COLLECTION = "1.3.6.1.4.1.19376.1.3.1.2"
_COMMENT = "1.3.6.1.4.1.19376.1.5.3.1.4.2"
_CHAPTER = "1.3.6.1.4.1.19376.1.3.3.2.1"
_EXAMINATION = "1.3.6.1.4.1.19376.1.3.3.2.2"
# Entry, battery, isolate and result, each by its IHE and its French identifier.
TEMPLATES = frozenset(
    {
        "1.3.6.1.4.1.19376.1.3.1",
        "1.2.250.1.213.1.1.3.21",
        "1.3.6.1.4.1.19376.1.3.1.4",
        "1.2.250.1.213.1.1.3.78",
        "1.3.6.1.4.1.19376.1.3.1.5",
        "1.2.250.1.213.1.1.3.79",
        "1.3.6.1.4.1.19376.1.3.1.6",
        "1.2.250.1.213.1.1.3.80",
    }
)

# Nesting of the official examples is five; beyond, the statement is listed and not read.
MAX_DEPTH = 32

_TABLE = LAB_RESULT.name
_FLAGS = LAB_RESULT.column("flag").values
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?").fullmatch
# Chapter of a report whose laboratory names none (LOINC "laboratory studies").
_ANY_CHAPTER = "26436-6"
# Children of a result that a column holds, or that hold no fact.
_HELD = {
    V3 + name
    for name in (
        "templateId", "id", "code", "text", "statusCode", "effectiveTime", "value", "interpretationCode", "methodCode", "specimen",
        "performer", "participant", "entryRelationship", "reference", "referenceRange", "realmCode", "typeId",
    )
}  # fmt: skip
_HELD_AROUND = {
    V3 + name
    for name in (
        "templateId", "id", "code", "text", "statusCode", "effectiveTime", "specimen", "performer", "participant",
        "entryRelationship", "component", "realmCode", "typeId",
    )
}  # fmt: skip

Yielded = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Around:
    """What stands around a result and is true of it: columns already known, and samples by their identifier."""

    values: dict[str, Any] = field(default_factory=dict)
    samples: dict[tuple[str, str], tuple[str, str | None]] = field(default_factory=dict)
    measured: str | None = None

    def knowing(self, **values: Any) -> _Around:
        """The same with more columns known; None and empty texts change nothing."""
        return replace(self, values=self.values | {n: v for n, v in values.items() if v})


def read(entry: Any, document: CdaHeader) -> Iterator[Yielded]:
    """Rows of one statement: an act of a report, a battery, an isolate or a result. `document` is not used: a result says itself
    when its sample was taken, and the date of the report would be another."""
    around = _Around().knowing(**_titles(entry))
    waiting: list[tuple[Any, _Around, int]] = [(entry, around, 0)]
    while waiting:
        node, around, depth = waiting.pop()
        if depth > MAX_DEPTH:
            yield reading.unrepresented(node, f"nested more than {MAX_DEPTH} deep")
            continue
        name = node.tag.rpartition("}")[2]
        if name == "observation":
            yield from _result(node, around, earlier=depth > 0 and _earlier(node))
            below = [n for n in _below(node) if n.tag == f"{V3}observation"]
        elif name in ("act", "organizer"):
            if _COMMENT in reading.templates(node):
                yield reading.unrepresented(node, "a remark on a whole examination: only results have a column for it")
                continue
            around = yield from _group(node, around)
            below = [n for n in _below(node) if _COLLECTION not in reading.templates(n)]
        else:
            yield reading.unrepresented(node, "no column of a laboratory result holds this statement")
            continue
        if name == "observation":
            # What is told beside a result is another one: who performed and validated it, and when, is not known from this one.
            around = _Around({n: v for n, v in around.values.items() if n in ("chapter", "panel")})
        waiting += [(n, around, depth + 1) for n in reversed(below)]


def _earlier(node: Any) -> bool:
    """Whether an observation is told as an earlier result of another."""
    link = node.getparent()
    return link is not None and link.get("typeCode") == "REFR"


def _below(node: Any) -> Iterator[Any]:
    """Statements directly under this one."""
    for link in node.iterchildren(f"{V3}entryRelationship", f"{V3}component"):
        for child in link:
            if (
                isinstance(child.tag, str)
                and child.tag.startswith(V3)
                and not child.tag.endswith(("templateId", "sequenceNumber", "seperatableInd", "realmCode", "typeId"))
            ):
                yield child


def _titles(entry: Any) -> dict[str, str]:
    """Chapter and examination, from the sections around; their code's label when they have no title."""
    chapter = panel = ""
    for section in entry.iterancestors(f"{V3}section"):
        known = reading.templates(section)
        code = reading.child(section, "code")
        title = reading.words(reading.child(section, "title"))
        if _CHAPTER in known:
            unnamed = code is not None and code.get("code") == _ANY_CHAPTER and title in ("", code.get("displayName"))
            chapter = "" if unnamed else title or _display(code)
        elif _EXAMINATION in known:
            panel = title
    return {"chapter": chapter, "panel": panel}


def _display(code: Any) -> str:
    return "" if code is None else reading.spaced(code.get("displayName", ""))


def _group(node: Any, around: _Around) -> Generator[Yielded, None, _Around]:
    """What an act or an organizer says of the results under it; yields what no column holds, returns the new surroundings."""
    for child in node:
        if isinstance(child.tag, str) and child.tag not in _HELD_AROUND:
            yield reading.unrepresented(child, "no column of a laboratory result holds it")
    samples = dict(around.samples)
    alone: list[tuple[str, str | None]] = []
    for statement in _below(node):
        if _COLLECTION in reading.templates(statement):
            yield from _collection(statement, samples, alone)
    low, _ = reading.span(node)
    sample = alone[0] if len(alone) == 1 else ("", None)
    around = replace(around, samples=samples, measured=sample[1] or reading.local(low) or around.measured)
    state = reading.child(node, "statusCode")
    isolate = reading.concept(reading.child(node, "specimen", "specimenRole", "specimenPlayingEntity", "code"))
    if isolate.code:
        yield reading.unrepresented(
            reading.child(node, "specimen"), "the code of an organism: only its name has a column"
        )
    battery = ""
    if node.tag == f"{V3}organizer" and node.get("classCode") == "BATTERY":
        named = reading.concept(reading.child(node, "code"))
        battery = named.label
        if named.code:
            yield reading.unrepresented(
                reading.child(node, "code"), "the code of an examination: only its title has a column"
            )
    around = around.knowing(
        panel=battery,
        specimen=isolate.label or sample[0],
        status="partial" if state is not None and state.get("code") == "active" else None,
    )
    return (yield from _people(node, around))


def _collection(
    node: Any, samples: dict[tuple[str, str], tuple[str, str | None]], alone: list[Any]
) -> Iterator[Yielded]:
    """FR-Prelevement: nature and time of the sample, by the identifiers that results refer to."""
    low, high = reading.span(node)
    role = reading.child(node, "participant", "participantRole")
    nature = reading.concept(reading.child(role, "playingEntity", "code"))
    sample = (nature.label, reading.local(low or high))
    alone.append(sample)
    if role is not None:
        for ident in role.iterchildren(f"{V3}id"):
            samples[ident.get("root", ""), ident.get("extension", "")] = sample
    if nature.code:
        yield reading.unrepresented(node, "the code of a sample: only its nature in words has a column")
    for name, why in (
        ("performer", "who took a sample has no column"),
        ("targetSiteCode", "the place of the body has no column"),
        ("entryRelationship", "reception and other facts of a sample have no column"),
    ):
        for child in node.iterchildren(V3 + name):
            yield reading.unrepresented(child, why)


def _people(node: Any, around: _Around) -> Generator[Yielded, None, _Around]:
    """Laboratory and biologist, by name."""
    for performer in node.iterchildren(f"{V3}performer"):
        entity = reading.child(performer, "assignedEntity")
        name = reading.words(reading.child(entity, "representedOrganization", "name"))
        around = around.knowing(laboratory=name)
        if _identified(entity) or _identified(reading.child(entity, "representedOrganization")) or not name:
            yield reading.unrepresented(
                performer, "identifiers and addresses of a laboratory: only its name has a column"
            )
    for participant in node.iterchildren(f"{V3}participant"):
        role = reading.child(participant, "participantRole")
        if participant.get("typeCode") != "AUTHEN":
            yield reading.unrepresented(
                participant, "a participant that is neither laboratory nor validator has no column"
            )
            continue
        time = reading.child(participant, "time")
        high = reading.child(time, "high")
        moment = (time if high is None else high).get("value", "") if time is not None else ""
        around = around.knowing(
            validated_by=_name(reading.child(role, "playingEntity", "name")), validated=reading.local(moment)
        )
        if _identified(role):
            yield reading.unrepresented(
                participant, "identifiers and addresses of a validator: only the name has a column"
            )
    return around


def _identified(node: Any) -> bool:
    return node is not None and any(i.get("root") for i in node.iterchildren(f"{V3}id"))


_NAME_ORDER = ("suffix", "prefix", "given", "family")


def _name(name: Any) -> str:
    """A name as it is said: title, civility, given names, family name; the text itself when it has no parts."""
    if name is None:
        return ""
    parts = [reading.words(p) for tag in _NAME_ORDER for p in name.iterchildren(V3 + tag)]
    return " ".join(filter(None, parts)) or reading.words(name)


def _result(node: Any, around: _Around, earlier: bool) -> Iterator[Yielded]:
    """One observation to its row. An earlier result without a date would pass for a result of today: it is listed."""
    for child in node:
        if isinstance(child.tag, str) and child.tag not in _HELD:
            yield reading.unrepresented(child, "no column of a laboratory result holds it")
    around = yield from _people(node, around)
    code = reading.concept(reading.child(node, "code"))
    if code.other:
        yield reading.unrepresented(reading.child(node, "code"), "a second code of the same examination has no column")
    values = around.values | {
        "key": reading.key(node, _TABLE),
        "code": code.code,
        "system": code.system or _named_system(node),
        "label": code.label,
    }
    specimen = reading.child(node, "specimen", "specimenRole")
    measured = None
    if specimen is not None:
        own = reading.concept(reading.child(specimen, "specimenPlayingEntity", "code")).label
        for ident in specimen.iterchildren(f"{V3}id"):
            found = around.samples.get((ident.get("root", ""), ident.get("extension", "")))
            if found:
                own, measured = own or found[0], found[1]
        if own:
            values["specimen"] = own
    low, high = reading.span(node)
    when = reading.local(low or high) or measured or around.measured
    if when:
        values["measured"] = when
    values["status"] = _status(node, around)
    yield from _value(node, values)
    yield from _interpretation(node, values)
    yield from _bounds(node, values)
    yield from _method(node, values)
    remarks = []
    for statement in _below(node):
        if _COMMENT in reading.templates(statement):
            remarks.append(reading.words(reading.child(statement, "text")))
        elif statement.tag != f"{V3}observation":
            yield reading.unrepresented(statement, "no column of a laboratory result holds this statement")
    if any(remarks):
        values["comment"] = "\n".join(filter(None, remarks))
    if code.display and values.get("value") and code.words.startswith(values["value"]):
        # Words that are the value name nothing (an official example refers to them).
        values["label"] = code.display
    if earlier and not when:
        yield reading.unrepresented(node, "an earlier result without a readable date")
        return
    if not values["label"] and not values["code"]:
        yield reading.unrepresented(node, "a result that names no examination")
        return
    yield _TABLE, {n: v for n, v in values.items() if v is not None and v != ""}


def _named_system(node: Any) -> str | None:
    """A code of a laboratory whose system has a name and no OID."""
    code = reading.child(node, "code")
    for translation in () if code is None else code.iterchildren(f"{V3}translation"):
        if not translation.get("codeSystem"):
            return translation.get("codeSystemName") or None
    return None


def _status(node: Any, around: _Around) -> str:
    """Cancelled and corrected are the result's own; partial is what its examination says."""
    state = reading.child(node, "statusCode")
    if state is not None and state.get("code") in ("aborted", "cancelled"):
        return "cancelled"
    if any(r.get("typeCode") == "RPLC" for r in node.iterchildren(f"{V3}reference")):
        return "corrected"
    if state is not None and state.get("code") == "active":
        return "partial"
    return str(around.values.get("status", "final"))


def _type(node: Any) -> str:
    """The type of a value, without the prefix that self-presenting documents write."""
    return str(node.get(reading.TYPE, "")).rpartition(":")[2]


def _quantity(node: Any) -> tuple[str, str, int]:
    """Value, unit and number of other units of a PQ. The unit as received stands in a translation of the same value."""
    value, unit, other = node.get("value", ""), node.get("unit", ""), 0
    for translation in node.iterchildren(f"{V3}translation"):
        said = reading.words(reading.child(translation, "originalText"))
        if said and not translation.get("code") and value in ("", translation.get("value", "")):
            value, unit = translation.get("value", ""), said
        else:
            other += 1
    return value, unit, other


def _value(node: Any, values: dict[str, Any]) -> Iterator[Yielded]:
    """The value, a number or words. Two numbers, a code and a second unit are listed."""
    told: list[str] = []
    for child in node.iterchildren(f"{V3}value"):
        kind = _type(child)
        if kind in ("PQ", "REAL", "INT"):
            number, unit, other = _quantity(child)
            if other:
                yield reading.unrepresented(child, "the same value in a second unit has no column")
            if unit and "unit" not in values:
                values["unit"] = unit
            if number and "value" not in values and _NUMBER(number):
                values["value"] = number
            elif number:
                told.append(number)
        elif kind in ("IVL_PQ", "IVL_REAL", "IVL_INT"):
            said, unit, other = _interval(child)
            told += [said] if said else []
            if unit and "unit" not in values:
                values["unit"] = unit
            if other:
                yield reading.unrepresented(child, "the same value in a second unit has no column")
        elif kind in ("CD", "CE", "CV", "CO", "CS"):
            coded = reading.concept(child)
            told += [said for said in (coded.label or coded.code,) if said]
            if coded.code:
                yield reading.unrepresented(child, "the code of a result: only its words have a column")
        elif kind in ("ST", "ED"):
            said = reading.words(child)
            told += [said] if said else []
        elif kind == "BL" and child.get("value"):
            told.append("Oui" if child.get("value") in ("true", "1") else "Non")
        elif kind.startswith("RTO"):
            parts = [reading.child(child, part) for part in ("numerator", "denominator")]
            told.append("/".join("" if part is None else part.get("value", "") for part in parts))
        else:
            yield reading.unrepresented(child, "a value of a type that no column holds")
    if told:
        values["value_text"] = " ".join(told)


def _interval(node: Any) -> tuple[str, str, int]:
    """A value given as an interval, in words: `< 5`, `≥ 2`, `2 - 5`."""
    low, high = (reading.child(node, name) for name in ("low", "high"))
    ends: list[str] = []
    unit, other = "", 0
    for end in (low, high):
        number, found, more = ("", "", 0) if end is None else _quantity(end)
        ends.append(number)
        unit, other = unit or found, other + more
    if all(ends):
        return " - ".join(ends), unit, other
    if ends[0]:
        return f"{'>' if low.get('inclusive') == 'false' else '≥'} {ends[0]}", unit, other
    if ends[1]:
        return f"{'<' if high.get('inclusive') == 'false' else '≤'} {ends[1]}", unit, other
    return "", unit, other


def _interpretation(node: Any, values: dict[str, Any]) -> Iterator[Yielded]:
    for child in node.iterchildren(f"{V3}interpretationCode"):
        code = child.get("code")
        if code in _FLAGS and "flag" not in values:
            values["flag"] = code
        elif code:
            yield reading.unrepresented(child, "an interpretation out of the list of the column, or a second one")


def _bounds(node: Any, values: dict[str, Any]) -> Iterator[Yielded]:
    """Values of reference: one interval of numbers, in the unit of the value."""
    for range_ in node.iterchildren(f"{V3}referenceRange"):
        observed = reading.child(range_, "observationRange")
        interval = reading.child(observed, "value")
        if interval is None or _type(interval) not in ("IVL_PQ", "IVL_REAL", "IVL_INT"):
            if observed is not None and len(observed):
                yield reading.unrepresented(range_, "values of reference that are no interval of numbers")
            continue
        for name in ("low", "high"):
            end = reading.child(interval, name)
            if end is None:
                continue
            number, unit, other = _quantity(end)
            if other:
                yield reading.unrepresented(end, "the same value in a second unit has no column")
            if not number:
                continue
            if name in values or not _NUMBER(number) or (unit and unit != values.setdefault("unit", unit)):
                yield reading.unrepresented(end, "a bound in another unit than the value, a second one, or no number")
            else:
                values[name] = number


def _method(node: Any, values: dict[str, Any]) -> Iterator[Yielded]:
    for child in node.iterchildren(f"{V3}methodCode"):
        method = reading.concept(child)
        if method.label and "method" not in values:
            values["method"] = method.label
        elif method.label:
            yield reading.unrepresented(child, "a second technique has no column")
        if method.code:
            yield reading.unrepresented(child, "the code of a technique: only its words have a column")

"""What every reader asks of a clinical statement: its words, its code, its dates, its identifier, its place in the document.

One function for each; which table and columns they fill belongs to the readers. Everything is bounded: a document comes from others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from transvase.formats.cda import V3
from transvase.model.clock import PARIS, zone
from transvase.model.identifiers import arc

# Words of one statement; beyond, a reference points at a whole document and is not the label of anything.
MAX_WORDS = 20_000
_MAX_PIECES = 1_000
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_SPACE = re.compile(r"[ \t\r\n]+")
_TIME = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.\d+)?([+-]\d{4})?", re.ASCII)
# What may stand in a report: identifiers of templates and LOINC codes of sections, nothing that could be a patient's.
_OID = re.compile(r"[0-2](\.\d{1,9}){2,30}", re.ASCII).fullmatch
_LOINC = re.compile(r"\d{1,6}-\d", re.ASCII).fullmatch

# Names of the elements of a statement (POCD_MT000040); another name is the author's and is not repeated.
_NAMED = frozenset({
    "entry", "act", "encounter", "observation", "observationMedia", "organizer", "procedure", "regionOfInterest",
    "substanceAdministration", "supply", "entryRelationship", "component", "subject", "specimen", "performer", "author",
    "informant", "participant", "reference", "precondition", "consumable", "product", "participantRole", "playingDevice",
    "playingEntity", "scopingEntity", "manufacturedProduct", "manufacturedMaterial", "manufacturedLabeledDrug",
    "relatedSubject", "specimenRole", "specimenPlayingEntity", "assignedEntity", "assignedAuthor", "assignedPerson",
    "representedOrganization", "referenceRange", "observationRange", "externalAct", "externalDocument", "externalObservation",
    "externalProcedure", "criterion", "id", "code", "text", "statusCode", "effectiveTime", "priorityCode", "languageCode",
    "value", "interpretationCode", "methodCode", "targetSiteCode", "repeatNumber", "routeCode", "approachSiteCode",
    "doseQuantity", "rateQuantity", "maxDoseQuantity", "administrationUnitCode", "independentInd", "quantity",
    "expectedUseTime", "translation", "originalText", "qualifier", "low", "high", "width", "center", "period", "phase",
    "event", "name", "lotNumberText", "sequenceNumber", "addr", "telecom", "time",
})  # fmt: skip


class _Narrative(NamedTuple):
    """Elements of a document by XML ID, and the text of those that were asked for."""

    elements: dict[str, Any]
    texts: dict[str, str]


_EMPTY = _Narrative({}, {})
_index: ContextVar[_Narrative | None] = ContextVar("narrative", default=None)


@contextmanager
def narrative(document: Any) -> Iterator[None]:
    """While it lasts, `words` finds what references of this document point at. The first of two equal XML IDs counts."""
    index: dict[str, Any] = {}
    for node in document.iter(f"{V3}*"):
        name = node.get("ID")
        if name:
            index.setdefault(name, node)
    token = _index.set(_Narrative(index, {}))
    try:
        yield
    finally:
        _index.reset(token)


class Concept(NamedTuple):
    """A code as the record that wrote it held it. `other` counts the codes beside it that a row has no column for."""

    code: str | None = None
    system: str | None = None
    display: str = ""
    words: str = ""
    other: int = 0

    @property
    def label(self) -> str:
        """The words of the author, else the label of the code; may be empty."""
        return self.words or self.display


_TEMPLATE = f"{V3}templateId"
_BEFORE = {f"{V3}realmCode", f"{V3}typeId"}


def child(node: Any, *names: str) -> Any:
    """The first descendant by this path of names, None when there is none or `node` is None."""
    for name in names:
        if node is None:
            return None
        node = next(node.iterchildren(V3 + name), None)
    return node


def templates(node: Any) -> set[str]:
    """Roots of the templateIds of an element."""
    return set(_roots(node))


def _roots(node: Any) -> list[str]:
    """Roots of the templateIds of an element, which come first in it (XSD): an element of many children costs no more."""
    found = []
    for inner in node:
        if inner.tag == _TEMPLATE:
            if root := inner.get("root"):
                found.append(root)
        elif isinstance(inner.tag, str) and inner.tag not in _BEFORE:
            break
    return found


def spaced(value: str) -> str:
    """White space of the layout made one space; no-break spaces are the author's."""
    return _SPACE.sub(" ", value).strip(" ")


def target(node: Any) -> Any:
    """The element of the narrative that an element (ED, ST) refers to, None when it refers to none that is there."""
    name = _pointed(node)
    return (_index.get() or _EMPTY).elements.get(name) if name else None


def _pointed(node: Any) -> str:
    reference = child(node, "reference")
    return "" if reference is None else reference.get("value", "").removeprefix("#")


def words(node: Any) -> str:
    """Text of an element (ED, ST): what its reference points at in the narrative, else its own; empty when neither holds words."""
    if node is None:
        return ""
    known = _index.get() or _EMPTY
    name = _pointed(node)
    if name in known.elements:
        # Many statements may point at the same words.
        if name not in known.texts:
            known.texts[name] = _text(known.elements[name])
        if known.texts[name]:
            return known.texts[name]
    return _text(node)


_INLINE = {V3 + name for name in ("content", "sub", "sup", "linkHtml", "footnoteRef")}


def _text(node: Any) -> str:
    """Text without the one of comments and processing instructions, cells and paragraphs apart; empty when too long to be words."""
    from lxml import etree

    pieces: list[str] = []
    size = 0
    for event, inner in etree.iterwalk(node, events=("start", "end", "comment", "pi")):
        if event == "start":
            piece = inner.text or ""
        else:
            piece = "" if inner is node else inner.tail or ""
            if event == "end" and inner.tag not in _INLINE:
                pieces.append(" ")
        size += len(piece)
        pieces.append(piece)
        if size > MAX_WORDS or len(pieces) > _MAX_PIECES:
            return ""
    return spaced("".join(pieces))


def concept(node: Any) -> Concept:
    """A coded element (CD, CE). The original code that a national form stands for is a translation of the same system; a code that
    the model does not admit is a translation beside a nullFlavor. Other translations are counted."""
    if node is None:
        return Concept()
    said = words(child(node, "originalText"))
    beside = [t for t in node.iterchildren(f"{V3}translation") if t.get("code")]
    chosen = node if node.get("code") else None
    for translation in beside:
        if chosen is None or translation.get("codeSystem") == node.get("codeSystem"):
            chosen = translation
            break
    if chosen is None:
        return Concept(display=spaced(node.get("displayName", "")), words=said)
    other = len(beside) - (chosen is not node)
    display = spaced(chosen.get("displayName", "") or node.get("displayName", ""))
    return Concept(chosen.get("code"), chosen.get("codeSystem") or None, display, said, other)


def local(value: str) -> str | None:
    """HL7 TS as ISO local time of the same precision; None when empty or impossible. Without an offset it is local already."""
    match = _TIME.fullmatch(value)
    if match is None:
        return None
    year, month, day, hour, minute, second, offset = match.groups()
    try:
        moment = datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0))
        if hour and offset:
            shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
            moment = moment.replace(tzinfo=timezone(shift if offset[0] == "+" else -shift)).astimezone(zone(PARIS))
    except (ValueError, OverflowError):
        return None
    return moment.isoformat()[:19] if hour else "-".join(p for p in (year, month, day) if p)


def date(value: str | None) -> str | None:
    """HL7 TS as a DATE column: `2019`, `2019-03`, `2019-03-28`; None when absent or impossible. The time of a day is left out."""
    found = local(value or "")
    return found[:10] if found else None


def span(statement: Any) -> tuple[str, str]:
    """(low, high) of the first effectiveTime, HL7 TS as written; one point in time counts as low. Empty when absent."""
    time = child(statement, "effectiveTime")
    if time is None:
        return "", ""
    low, high = child(time, "low"), child(time, "high")
    return (
        time.get("value", "") if low is None else low.get("value", ""),
        "" if high is None else high.get("value", ""),
    )


def key(statement: Any, table: str) -> str:
    """The key of a row from the first identifier of its statement; empty without one (the framework then derives it from content)."""
    for ident in statement.iterchildren(f"{V3}id"):
        if ident.get("root") and not ident.get("nullFlavor"):
            return str(arc("statement", table, ident.get("root"), ident.get("extension", "")))
    return ""


def denied(statement: Any) -> bool:
    """negationInd: the statement says that it is not so."""
    return statement.get("negationInd") in ("true", "1")


def section(statement: Any) -> str:
    """LOINC code of the nearest section, empty when it has none."""
    for node in statement.iterancestors(f"{V3}section"):
        code = child(node, "code")
        return "" if code is None else code.get("code", "")
    return ""


def path(node: Any) -> str:
    """Where an element stands, for a report: the section, then each element with its last templateId; no value of the document."""
    steps: list[str] = []
    while node is not None and node.tag != f"{V3}section":
        if isinstance(node.tag, str) and len(steps) < 8:
            known = [root for root in _roots(node) if _OID(root)]
            name = node.tag.rpartition("}")[2]
            steps.append((name if name in _NAMED else "other") + (f"[{known[-1]}]" if known else ""))
        node = node.getparent()
    code = child(node, "code")
    known_code = "" if code is None else code.get("code", "")
    steps.append(f"section[{known_code}]" if _LOINC(known_code) else "section")
    return "/".join(reversed(steps))


# The label of a statement that has a code and no words; the columns that hold labels are never empty.
UNLABELLED = "Sans libellé"
# Reader results: (canonical table, columns), or this name with what and why.
UNREPRESENTED = "unrepresented"
# International Patient Summary, codes that say an absence.
ABSENCE = "2.16.840.1.113883.5.1150.1"
_CERTAINTY = "1.2.250.1.213.1.1.3.171"
_NOT_SURE = {"unconfirmed", "provisional", "differential"}


def unrepresented(node: Any, why: str) -> tuple[str, dict[str, Any]]:
    """What a reader yields for a statement that no row can hold."""
    return UNREPRESENTED, {"what": path(node), "why": why}


def certainty(statement: Any) -> str:
    """The code of FR-Certitude inside a statement; `confirmed` when it says nothing."""
    for link in statement.iterchildren(f"{V3}entryRelationship"):
        inner = child(link, "observation")
        if inner is not None and _CERTAINTY in templates(inner):
            code: str | None = concept(child(inner, "value")).code
            return code or "confirmed"
    return "confirmed"


def assertion(statement: Any, said: Concept, sure: str = "confirmed") -> str:
    """affirmed, denied or not_recorded. A code of absence denies by itself and is not negated a second time; a doubt affirms nothing."""
    if said.system == ABSENCE and said.code:
        return "denied" if said.code.startswith("no-known") else "not_recorded"
    if sure in _NOT_SURE:
        return "not_recorded"
    return "denied" if denied(statement) or sure == "refuted" else "affirmed"


def silent(said: Concept) -> bool:
    """A code that says that there is no information: a record without rows says the same."""
    return said.system == ABSENCE and (said.code or "").endswith("-info")


SILENCE = "it says that nothing is known; a record without rows says the same"


def quantity(node: Any) -> str:
    """A physical quantity for a reader: the author's words when there are some, else its value and unit."""
    if node is None:
        return ""
    said = words(child(node, "translation", "originalText"))
    return said or " ".join(p for p in (node.get("value", ""), node.get("unit", "")) if p)


def kinship(statement: Any) -> bool:
    """Whether the organizer of a family history says who the relative is."""
    for organizer in statement.iterancestors(f"{V3}organizer"):
        code = child(organizer, "subject", "relatedSubject", "code")
        return code is not None and bool(code.get("code"))
    return False


def losses(
    statement: Any, said: Concept, *taken: Any, certainty: str = "confirmed"
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a statement that became a row says besides: statements inside it but those `taken`, and codes beside its code."""
    if said.other:
        yield unrepresented(statement, "a second code beside the code has no column")
    for link in statement.iterchildren(f"{V3}entryRelationship"):
        for inner in link:
            if inner.tag == f"{V3}templateId" or not isinstance(inner.tag, str) or any(inner is t for t in taken):
                continue
            if _CERTAINTY in templates(inner) and certainty in ("confirmed", "refuted"):
                continue
            yield unrepresented(inner, "no column holds what is stated about this statement")

"""The shapes of the FHIR resources that the local DMP takes: elements, cardinalities and kinds of values, as the profiles have them.

Shape only: what a value means, and whether it agrees with the document, belongs to `fhir_metadata` and `rules`. Written from the sheet
pdsm-fhir, sections 1 to 3; an element that the sheet does not name is refused, which a real server may not do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/"
MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/"
DESIGNATION, SOURCE_ID = f"{MHD}ihe-designationType", f"{MHD}ihe-sourceId"
ARCHIVED = f"{PDSM}pdsm-ext-is-archived"
BIRTH_LIST = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-birth-list-given-name"
BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
INSEE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code"
LIST_TYPES = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"
_MANY = 999

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


class Problem(NamedTuple):
    """What is wrong: issue type of FHIR, one sentence that quotes nothing, the element's path."""

    type: str
    what: str
    where: str


class Rule(NamedTuple):
    """An element: fewest and most values, whether JSON has a list of them, and the kind of one: a shape, or a test of the value."""

    least: int
    most: int
    array: bool
    kind: Any


Shape = Mapping[str, Rule]
Test = Callable[[Any], bool]


def one(kind: Any, least: int = 1) -> Rule:
    """An element with a single value."""
    return Rule(least, 1, False, kind)


def maybe(kind: Any) -> Rule:
    """An element that may be absent."""
    return Rule(0, 1, False, kind)


def many(kind: Any, least: int = 0, most: int = _MANY) -> Rule:
    """An element that FHIR repeats."""
    return Rule(least, most, True, kind)


def fixed(*values: Any) -> Test:
    """One of these values."""
    return lambda value: value in values and isinstance(value, str)


def text(value: Any) -> bool:
    """A string, not blank."""
    return isinstance(value, str) and bool(value.strip())


def _data(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _size(value: Any) -> bool:
    return type(value) is int and value >= 0


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def instant(value: Any) -> bool:
    """An existing instant, to the second at least, with its offset."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _birth(value: Any) -> bool:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return False
    try:
        date.fromisoformat(f"{value}-01-01"[:10] if len(value) < 10 else value)
    except ValueError:
        return False
    return True


def _id(value: Any) -> bool:
    return isinstance(value, str) and bool(_ID.fullmatch(value))


def _any(value: Any) -> bool:
    return isinstance(value, dict)


CODING: Shape = {"system": one(text), "code": one(text), "display": maybe(text)}
CONCEPT: Shape = {"coding": many(CODING, 1, 1), "text": maybe(text)}
LABEL: Shape = {"text": one(text)}
IDENTIFIER: Shape = {
    "use": maybe(fixed("usual", "official", "temp", "secondary", "old")),
    "type": maybe({"coding": many(CODING, 1, 1)}),
    "system": one(text),
    "value": one(text),
}
UNIQUE: Shape = {**IDENTIFIER, "use": one(fixed("usual"))}
REFERENCE: Shape = {"reference": one(text)}
SUBJECT: Shape = {"reference": maybe(text), "type": maybe(fixed("Patient")), "identifier": maybe(IDENTIFIER)}
PERIOD: Shape = {"start": one(instant), "end": maybe(instant)}


def _meta(profile: str) -> Rule:
    return one({"profile": many(fixed(profile), 1, 1)})


_NAME: Shape = {
    "extension": many({"url": one(fixed(BIRTH_LIST)), "valueString": one(text)}, 0, 1),
    "use": maybe(fixed("official", "usual")),
    "family": maybe(text),
    "given": many(text),
}
_BORN: Shape = {
    "url": one(fixed(BIRTH_PLACE)),
    "valueAddress": one({"extension": many({"url": one(fixed(INSEE)), "valueCoding": one(CODING)}, 1, 1)}),
}
_CONTAINED = {"resourceType": one(text), "id": one(_id)}
CONTAINED: dict[str, Shape] = {
    "Patient": {
        **_CONTAINED,
        "extension": many(_BORN, 0, 1),
        "identifier": many(IDENTIFIER, 1),
        "name": many(_NAME),
        "gender": maybe(fixed("male", "female", "other", "unknown")),
        "birthDate": maybe(_birth),
    },
    "Practitioner": {**_CONTAINED, "identifier": many(IDENTIFIER, 1), "name": many(_NAME, 1, 1)},
    "PractitionerRole": {
        **_CONTAINED,
        "practitioner": one(REFERENCE),
        "organization": maybe(REFERENCE),
        "code": many(LABEL),
        "specialty": many(CONCEPT),
    },
    "Organization": {**_CONTAINED, "identifier": many(IDENTIFIER, 1), "name": one(text)},
    "Device": {
        **_CONTAINED,
        "identifier": many(IDENTIFIER, 1),
        "deviceName": many({"name": one(text), "type": one(fixed("manufacturer-name", "model-name"))}),
        "type": maybe(CONCEPT),
        "owner": maybe(REFERENCE),
    },
}

SUBMISSION_SET: Shape = {
    "resourceType": one(fixed("List")),
    "meta": _meta(f"{PDSM}pdsm-submissionset-comprehensive"),
    "contained": many(_any, 1),
    "extension": many(_any, 2),
    "identifier": many(IDENTIFIER, 0, 9),
    "status": one(fixed("current")),
    "mode": one(fixed("working")),
    "title": maybe(text),
    "code": one({"coding": many({"system": one(fixed(LIST_TYPES)), "code": one(fixed("submissionset"))}, 1, 1)}),
    "subject": one(SUBJECT),
    "date": one(instant),
    "source": one(REFERENCE),
    "note": many(LABEL, 0, 1),
    "entry": many({"item": one(REFERENCE)}, 1),
}
EXTENSIONS: dict[str, Shape] = {
    DESIGNATION: {"url": one(text), "valueCodeableConcept": one(CONCEPT)},
    SOURCE_ID: {"url": one(text), "valueIdentifier": one(IDENTIFIER)},
    ARCHIVED: {"url": one(text), "valueBoolean": one(_flag)},
}

_ATTACHMENT = {
    "contentType": one(text),
    "language": one(text),
    "size": one(_size),
    "hash": one(text),
    "title": one(text),
    "creation": one(instant),
}
_CONTEXT = {
    "event": many(CONCEPT),
    "period": one(PERIOD),
    "facilityType": one(CONCEPT),
    "practiceSetting": one(CONCEPT),
    "sourcePatientInfo": one(REFERENCE),
    "related": many(
        {"identifier": one({**IDENTIFIER, "system": maybe(text), "type": one({"coding": many(CODING, 1, 1)})})}
    ),
}
_DOCUMENT = {
    "resourceType": one(fixed("DocumentReference")),
    "contained": many(_any, 1),
    "masterIdentifier": one(UNIQUE),
    "status": one(fixed("current")),
    "type": one(CONCEPT),
    "category": many(CONCEPT, 1, 1),
    "date": one(instant),
    "author": many(REFERENCE, 1),
    "authenticator": maybe(REFERENCE),
    "custodian": one(REFERENCE),
    "relatesTo": many({"code": one(fixed("replaces")), "target": one(REFERENCE)}, 0, 1),
    "description": maybe(text),
    "securityLabel": many(CONCEPT, 1),
}
DOCUMENT: Shape = {
    **_DOCUMENT,
    "meta": _meta(f"{PDSM}pdsm-comprehensive-document-reference"),
    "identifier": many(IDENTIFIER),
    "subject": one(SUBJECT),
    "content": many({"attachment": one({**_ATTACHMENT, "url": one(text)}), "format": one(CODING)}, 1, 1),
    "context": one(_CONTEXT),
}
SIMPLIFIED: Shape = {
    # The recipient could do without some of it, but a registry of XDS could not (sheet, 3).
    **_DOCUMENT,
    "meta": _meta(f"{PDSM}pdsm-simplified-publish"),
    "subject": one({**SUBJECT, "identifier": one(IDENTIFIER)}),
    "content": many({"attachment": one({**_ATTACHMENT, "data": one(_data)}), "format": one(CODING)}, 1, 1),
    "context": one({**_CONTEXT, "event": many(CONCEPT, 0, 1)}),
}
BINARY: Shape = {"resourceType": one(fixed("Binary")), "contentType": one(text), "data": one(_data)}
_PART: Shape = {
    "name": one(fixed("type", "path", "value")),
    "valueCode": maybe(fixed("replace", "superseded")),
    "valueString": maybe(fixed("DocumentReference.status")),
}
PATCH: Shape = {
    "resourceType": one(fixed("Parameters")),
    "meta": _meta(f"{MHD}IHE.MHD.Patch.Parameters"),
    "parameter": many({"name": one(fixed("operation")), "part": many(_PART, 3, 3)}, 1, 1),
}
BUNDLE: Shape = {
    "resourceType": one(fixed("Bundle")),
    "meta": _meta(f"{PDSM}pdsm-comprehensive-provide-document-bundle"),
    "type": one(fixed("transaction")),
    "entry": many(
        {"fullUrl": one(text), "resource": one(_any), "request": one({"method": one(text), "url": one(text)})}, 2
    ),
}


def problems(value: Any, shape: Shape, where: str) -> Iterator[Problem]:
    """What is wrong with the form of a value."""
    if not isinstance(value, dict):
        yield Problem("structure", "An element is not an object.", where)
        return
    for name in value:
        if name not in shape:
            # A name may be anything, and so is not repeated.
            yield Problem("structure", "An element has no place here.", where)
    for name, rule in shape.items():
        path = f"{where}.{name}"
        if name not in value:
            if rule.least:
                yield Problem("required", f"{name} is missing.", path)
            continue
        held = value[name]
        if rule.array is not isinstance(held, list):
            yield Problem("structure", f"{name} is{' not' if rule.array else ''} a list.", path)
            continue
        items = held if rule.array else [held]
        if rule.array and not max(rule.least, 1) <= len(items) <= rule.most:
            yield Problem(
                "required" if len(items) < rule.least else "structure", f"{name} has a wrong number of values.", path
            )
        for rank, item in enumerate(items):
            place = f"{path}[{rank}]" if rule.array else path
            if isinstance(rule.kind, Mapping):
                yield from problems(item, rule.kind, place)
            elif not rule.kind(item):
                yield Problem("value", f"{name} has not the value or the form due.", place)

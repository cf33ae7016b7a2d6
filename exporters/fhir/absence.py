"""Why something is not there: not recorded, not usable, or asserted to be absent (PORT-26: never merged).

Three states, three forms. Affirmed: a resource. Denied: a resource that says no, where `whole_denial` tells "none at
all" from the denial of one named thing. Not recorded: no resource, a line in the narrative and, when nothing else is in the section, an
`emptyReason`. The absence of one element is an extension on that element.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from transvase.exporters.fhir.primitive import Json, date_time, text, written

DENIED, NOT_RECORDED = "denied", "not_recorded"

# In the narrative, for a row whose label is empty in spite of the table's declaration.
UNLABELLED = "sans libellé"

_URL = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_EMPTY = "http://terminology.hl7.org/CodeSystem/list-empty-reason"

# The record holds a value that is no date: an error, not an ignorance.
ERRONEOUS = written({"extension": [{"url": _URL, "valueCode": "error"}]})
UNKNOWN = written({"extension": [{"url": _URL, "valueCode": "unknown"}]})
UNKNOWN_CODING = written({"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"})
UNKNOWN_CONCEPT = written({"coding": [UNKNOWN_CODING]})

# The software has a place for it and says nothing was recorded; or the record holds no row at all.
NOT_ASKED = written({"coding": [{"system": _EMPTY, "code": "notasked"}], "text": "Non renseigné"})
UNAVAILABLE = written({"coding": [{"system": _EMPTY, "code": "unavailable"}], "text": "Information indisponible"})


def put_date(resource: Json, name: str, value: str | None) -> None:
    """Sets a date element when the value is a date, its absence with a reason when it is none, nothing when empty."""
    if value:
        moment = date_time(value)
        if moment:
            resource[name] = moment
        else:
            resource["_" + name] = ERRONEOUS


def put_required_date(resource: Json, name: str, value: str | None) -> None:
    """As `put_date`, for an element that a profile requires: an empty value is an unknown date."""
    if value:
        put_date(resource, name, value)
    else:
        resource["_" + name] = UNKNOWN


def period(start: str | None, end: str | None) -> Json | None:
    """A Period of two dates, or None when both are empty. An end before its start cannot be one (invariant per-1): left out as
    erroneous, the narrative still shows it."""
    if not start and not end:
        return None
    result: Json = {}
    put_date(result, "start", start)
    if end and "start" in result and end[: len(start or "")] < (start or "")[: len(end)]:
        result["_end"] = ERRONEOUS
    else:
        put_date(result, "end", end)
    return result


_NEGATION = r"(?:aucune?s? |pas d(?:e |'|es? )|absence (?:de |d'|totale d')|non |sans |no known )"
_THINGS = {
    "allergy": r"allergies?(?: (?:et|ou) intolerances?)?|intolerances?(?: (?:et|ou) allergies?)?",
    "problem": r"(?:problemes?|pathologies?|maladies?|antecedents?)(?: (?:medical|medicaux|personnels?|particuliers?))?",
    "surgery": r"(?:chirurgies?|interventions?|operations?|antecedents?)(?: (?:chirurgicale?s?|chirurgicaux))?",
    "treatment": r"(?:traitements?|medicaments?)(?: (?:en cours|au long cours|de fond|habituels?))?",
    "immunization": r"(?:vaccins?|vaccinations?)",
}
_EVERYTHING = {
    name: re.compile(rf"(?:{_NEGATION}?(?:{things})(?: connue?s?)?|neant|ras|aucune?s?)\s*\.?")
    for name, things in _THINGS.items()
}
_NEGATIVE = re.compile(_NEGATION + r"|neant\b|ras\b|aucune?s?\b")


def _plain(label: str | None) -> str:
    folded = unicodedata.normalize("NFKD", (label or "").casefold().replace("’", "'"))
    return " ".join("".join(c for c in folded if not unicodedata.combining(c)).split())


def whole_denial(kind: str, row: Any) -> str:
    """The statement of a denied row that denies its whole kind (`Aucune allergie connue`, or `Allergies` without a code);
    empty when it denies what its label or code names.

    Only whole labels of a closed form count: taking the denial of penicillin for that of every allergy would be dangerous,
    the reverse is merely less precise. A positive label gets its negation in words, as its text will stand alone.
    """
    plain = _plain(row.label)
    if not _EVERYTHING[kind].fullmatch(plain):
        return ""
    if _NEGATIVE.match(plain):
        return text(row.label)
    return "" if row.code else f"{text(row.label)} : absence affirmée"


def denial_note(label: str | None) -> list[Json]:
    """A note for the denial of a label that is negative in itself, so that two negations are not read as an affirmation."""
    if not _NEGATIVE.match(_plain(label)):
        return []
    return [{"text": "Absence affirmée dans le dossier ; le libellé d'origine, déjà négatif, est conservé tel quel."}]

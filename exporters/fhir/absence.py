"""Why something is not there: not recorded, not usable, or asserted to be absent (PORT-26: never merged).

Three states, three forms. Affirmed: a resource. Denied: a resource that says no, where `whole_denial` tells "none at
all" from the denial of one named thing. Not recorded: no resource, a line in the narrative and, when nothing else is in the section, an
`emptyReason`. The absence of one element is an extension on that element.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

from transvase.exporters.fhir.primitive import Written, date_time, text, written

AFFIRMED, DENIED, NOT_RECORDED = "affirmed", "denied", "not_recorded"

_URL = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_EMPTY = "http://terminology.hl7.org/CodeSystem/list-empty-reason"

# The record holds a value that is no date: an error, not an ignorance.
ERRONEOUS = written({"extension": [{"url": _URL, "valueCode": "error"}]})
UNKNOWN = written({"extension": [{"url": _URL, "valueCode": "unknown"}]})
UNKNOWN_CODING = written({"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"})
UNKNOWN_CONCEPT = f'{{"coding":[{UNKNOWN_CODING}]}}'

# The software has a place for it and says nothing was recorded; or the record holds no row at all.
NOT_ASKED = written({"coding": [{"system": _EMPTY, "code": "notasked"}], "text": "Non renseigné"})
UNAVAILABLE = written({"coding": [{"system": _EMPTY, "code": "unavailable"}], "text": "Information indisponible"})


# Days recur from patient to patient, and so do the periods that they begin.
@lru_cache(maxsize=1 << 14)
def dated(name: str, value: str | None) -> Written:
    """The member of a date element, after its comma: the date, or its absence with a reason when the value is none; nothing when empty."""
    if not value:
        return ""
    moment = date_time(value)
    return f',"{name}":"{moment}"' if moment else f',"_{name}":{ERRONEOUS}'


def required_date(name: str, value: str | None) -> Written:
    """As `dated`, for an element that a profile requires: an empty value is an unknown date."""
    return dated(name, value) or f',"_{name}":{UNKNOWN}'


@lru_cache(maxsize=1 << 14)
def period(start: str | None, end: str | None) -> Written:
    """A Period of two dates, empty when both are. An end before its start cannot be one (invariant per-1): left out as erroneous,
    the narrative still shows it."""
    if start and end and date_time(start) and end[: len(start)] < start[: len(end)]:
        over = f',"_end":{ERRONEOUS}'
    else:
        over = dated("end", end)
    return f"{{{(dated('start', start) + over)[1:]}}}" if start or end else ""


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


_NOTE = written(
    [{"text": "Absence affirmée dans le dossier ; le libellé d'origine, déjà négatif, est conservé tel quel."}]
)


def denial_note(label: str | None) -> Written:
    """A note for the denial of a label that is negative in itself, so that two negations are not read as an affirmation; else nothing."""
    return f',"note":{_NOTE}' if _NEGATIVE.match(_plain(label)) else ""

"""An immunization row to its Immunization."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import DENIED, ERRONEOUS, UNKNOWN, denial_note, whole_denial
from transvase.exporters.fhir.narrative import day, label, shown
from transvase.exporters.fhir.primitive import Resource, Written, date_time, said, text, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject
from transvase.exporters.fhir.terminology import EDQM_OID, HL7, SNOMED, SNOMED_OID, concept, fixed

_HEAD = '{"resourceType":"Immunization","id":"'
_META = f'","meta":{written({"profile": [ips_profile("Immunization")]})},"identifier":['
_NO_KNOWN_IMMUNIZATION = written({"system": SNOMED, "code": "787482006"})
# R4 has no recorder here, and who recorded a vaccination did not always give it.
_RECORDER = written({"text": "Auteur de l'enregistrement"})
_VACCINATOR = fixed(f"{HL7}v2-0443", "AP")
_SERIES = {True: '"series":"Rappel",', False: f'"series":{written("Première série")},', None: ""}
# The element is required whatever its type, and parsers do not take its extension for it: words, with the reason.
_IMPOSSIBLE = f',"occurrenceString":"Date impossible","_occurrenceString":{ERRONEOUS}'
_UNKNOWN_DATE = f',"occurrenceString":"Date inconnue","_occurrenceString":{UNKNOWN}'


def immunization(row: Any, subject: Subject, name: str, number: Written) -> Resource:
    """The resource of an affirmed or denied row; denied is `not-done`, whether it names a vaccine or denies them all."""
    status, note = "completed", ""
    if row.assertion != DENIED:
        code = concept(row.label, row.code, row.system)
    else:
        status = "not-done"
        if statement := whole_denial("immunization", row):
            code = concept(statement, row.code, row.system, _NO_KNOWN_IMMUNIZATION)
        else:
            code = concept(row.label, row.code, row.system)
        note = denial_note(row.label)
    place = f',"site":{concept(row.site, row.site_code, SNOMED_OID)}' if row.site or row.site_code else ""
    route = f',"route":{concept(row.route, row.route_code, EDQM_OID)}' if row.route or row.route_code else ""
    # A note already there keeps its place among the members.
    later = ""
    if row.comment and (comment := text(row.comment)):
        words = f'{{"text":{written(comment)}}}'
        note, later = (f"{note[:-1]},{words}]", "") if note else ("", f',"note":[{words}]')
    reaction = ""
    if row.reaction and (seen := text(row.reaction)):
        reaction = f',"reaction":[{{"detail":{{"type":"Observation","display":{written(seen)}}}}}]'
    content = (
        f'{_HEAD}{name}{_META}{number}],"status":"{status}","vaccineCode":{code}{note},"patient":{subject.patient}{_occurrence(row.given)}'
        f"{said('lotNumber', row.lot)}{place}{route}{_performers(row, subject)}{later}{reaction}{_protocol(row)}}}"
    )
    return "Immunization", name, content


def _occurrence(given: str | None) -> Written:
    moment = date_time(given) if given else ""
    if moment:
        return f',"occurrenceDateTime":"{moment}"'
    return _IMPOSSIBLE if given else _UNKNOWN_DATE


def _performers(row: Any, subject: Subject) -> Written:
    performers: list[Written] = []
    if row.practitioner:
        performers.append(f'{{"function":{_RECORDER},"actor":{subject.professional(row.practitioner)}}}')
    if name := text(row.performer):
        performers.append(f'{{"function":{_VACCINATOR},"actor":{{"display":{written(name)}}}}}')
    return f',"performer":[{",".join(performers)}]' if performers else ""


def _protocol(row: Any) -> Written:
    dose, booster = row.dose, row.booster
    if dose is None and booster is None:
        return ""
    if dose is None:
        # Required beside the series, whatever its type.
        rank = '"doseNumberString":"Inconnu"'
    elif dose > 0:
        rank = f'"doseNumberPositiveInt":{dose:d}'
    else:
        # A rank of zero or less is no positive integer: kept as written.
        rank = f'"doseNumberString":"{dose:d}"'
    return f',"protocolApplied":[{{{_SERIES[booster]}{rank}}}]'


def line(row: Any) -> Written:
    """The row for a reader."""
    words = label(row.label)
    if row.dose is not None:
        words += f", dose {row.dose:d}"
    if row.booster:
        words += ", rappel"
    if row.lot:
        words += f", lot {shown(row.lot)}"
    return f"{words} ({day(row.given)})" if row.given else words

"""An allergy row to its AllergyIntolerance. Sections and bundles are not known here."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import DENIED, UNKNOWN_CONCEPT, dated, denial_note, whole_denial
from transvase.exporters.fhir.narrative import day, label, shown
from transvase.exporters.fhir.primitive import Resource, Written, text, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject
from transvase.exporters.fhir.terminology import HL7, SNOMED, concept, fixed

_HEAD = '{"resourceType":"AllergyIntolerance","id":"'
_META = f'","meta":{written({"profile": [ips_profile("AllergyIntolerance")]})},"identifier":['


def _standing(clinical: str, verification: str) -> Written:
    return (
        f',"clinicalStatus":{fixed(f"{HL7}allergyintolerance-clinical", clinical)}'
        f',"verificationStatus":{fixed(f"{HL7}allergyintolerance-verification", verification)}'
    )


_ACTIVE, _REFUTED = _standing("active", "confirmed"), _standing("inactive", "refuted")
_NO_KNOWN_ALLERGY = written({"system": SNOMED, "code": "716186003"})
_SEVERITY = {severity: f',"severity":"{severity}"' for severity in ("mild", "moderate", "severe")}
_SEVERITY_FR = {
    severity: shown(f", gravité {words}")
    for severity, words in (("mild", "légère"), ("moderate", "modérée"), ("severe", "sévère"))
}


def allergy_intolerance(row: Any, subject: Subject, name: str, number: Written) -> Resource:
    """The resource of an affirmed or denied row.

    No allergy at all is a confirmed statement coded "no known allergy" (the form of R4's own example and of IPS); no allergy to a
    named substance is that allergy, refuted, which invariant ait-1 still wants with a clinical status.
    """
    standing, note = _ACTIVE, ""
    if row.assertion != DENIED:
        code = concept(row.label, row.code, row.system)
    elif statement := whole_denial("allergy", row):
        code = concept(statement, row.code, row.system, _NO_KNOWN_ALLERGY)
    else:
        standing = _REFUTED
        code = concept(row.label, row.code, row.system)
        note = denial_note(row.label)
    onset, recorded = dated("onsetDateTime", row.onset), dated("recordedDate", row.recorded)
    recorder = f',"recorder":{subject.professional(row.practitioner)}' if row.practitioner else ""
    reaction = _reaction(row) if row.reaction or row.severity else ""
    content = f'{_HEAD}{name}{_META}{number}]{standing},"code":{code}{note},"patient":{subject.patient}{onset}{recorded}{recorder}{reaction}}}'
    return "AllergyIntolerance", name, content


def _reaction(row: Any) -> Written:
    words = text(row.reaction)
    severity = _SEVERITY.get(row.severity or "", "")
    if not words and not severity:
        return ""
    # A reaction must have a manifestation (1..*), even when only its severity was recorded.
    manifestation = f'{{"text":{written(words)}}}' if words else UNKNOWN_CONCEPT
    return f',"reaction":[{{"manifestation":[{manifestation}]{severity}}}]'


def line(row: Any) -> Written:
    """The row for a reader."""
    words = label(row.label)
    if row.reaction:
        words += f" : {shown(row.reaction)}"
    if row.severity in _SEVERITY_FR:
        words += _SEVERITY_FR[row.severity]
    return f"{words} (depuis {day(row.onset)})" if row.onset else words

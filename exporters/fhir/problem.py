"""A problem row (problem, history, trauma) to its Condition. Surgery and family history have their own modules."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import DENIED, dated, denial_note, whole_denial
from transvase.exporters.fhir.narrative import day, label
from transvase.exporters.fhir.primitive import Resource, Written, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject
from transvase.exporters.fhir.terminology import HL7, SNOMED, concept, fixed

_HEAD = '{"resourceType":"Condition","id":"'
_META = f'","meta":{written({"profile": [ips_profile("Condition")]})},"identifier":['
_CONFIRMED = f',"verificationStatus":{fixed(f"{HL7}condition-ver-status", "confirmed")}'
_REFUTED = f',"verificationStatus":{fixed(f"{HL7}condition-ver-status", "refuted")}'
_ACTIVE, _INACTIVE, _RESOLVED = (
    f',"clinicalStatus":{fixed(f"{HL7}condition-clinical", status)}' for status in ("active", "inactive", "resolved")
)
_NO_CURRENT_PROBLEM = written({"system": SNOMED, "code": "160245001"})
# IPS asks for its own category where it fits; elsewhere the heading under which the software filed the row is kept as text.
_CATEGORY = {
    "problem": f"[{fixed(f'{HL7}condition-category', 'problem-list-item')}]",
    "history": written([{"text": "Antécédent"}]),
    "trauma": written([{"text": "Traumatisme"}]),
}


def condition(row: Any, subject: Subject, name: str, number: Written) -> Resource:
    """The resource of an affirmed or denied row.

    A history item without an end has no clinical status: filing it as history does not say that it is over.
    """
    category, resolved, note = row.category, row.resolved, ""
    if row.assertion != DENIED:
        standing = (_RESOLVED if resolved else _ACTIVE if category == "problem" else "") + _CONFIRMED
        code = concept(row.label, row.code, row.system)
    elif category == "problem" and not resolved and (statement := whole_denial("problem", row)):
        standing = _ACTIVE + _CONFIRMED
        code = concept(statement, row.code, row.system, _NO_CURRENT_PROBLEM)
    else:
        standing = _INACTIVE + _REFUTED
        code = concept(row.label, row.code, row.system)
        note = denial_note(row.label)
    recorder = f',"recorder":{subject.professional(row.practitioner)}' if row.practitioner else ""
    onset, recorded = dated("onsetDateTime", row.onset), dated("recordedDate", row.recorded)
    abated = dated("abatementDateTime", resolved) if resolved else ""
    content = (
        f'{_HEAD}{name}{_META}{number}]{standing},"category":{_CATEGORY[category]},"code":{code}{note},"subject":{subject.patient}'
        f"{onset}{abated}{recorded}{recorder}}}"
    )
    return "Condition", name, content


def line(row: Any) -> Written:
    """The row for a reader; also serves surgery and family history, whose rows are of the same table."""
    words = label(row.label)
    if row.onset:
        words += f" ({day(row.onset)})"
    return f"{words}, fin {day(row.resolved)}" if row.resolved else words

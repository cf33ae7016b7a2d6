"""A treatment row to its MedicationStatement. Prescriptions are other tables."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from transvase.exporters.fhir.absence import DENIED, UNKNOWN, denial_note, period, whole_denial
from transvase.exporters.fhir.narrative import day, label, usual
from transvase.exporters.fhir.primitive import Resource, Written, date_time, text, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject
from transvase.exporters.fhir.terminology import SNOMED, concept

_HEAD = '{"resourceType":"MedicationStatement","id":"'
_META = f'","meta":{written({"profile": [ips_profile("MedicationStatement")]})},"identifier":['
_NO_KNOWN_MEDICATION = written({"system": SNOMED, "code": "787481004"})
_LONG_TERM = written({"text": "Traitement au long cours"})


def _status(stop: str | None, day: str) -> str:
    """A treatment has ended when its end, at the precision recorded, is before the day of the document. An end that is no date
    is still an end."""
    if not stop:
        return "active"
    return "active" if date_time(stop) and stop >= day[: len(stop)] else "completed"


# The same doses are written for all patients.
@lru_cache(maxsize=1 << 13)
def _dosage(words: str) -> Written:
    kept = text(words)
    return f',"dosage":[{{"text":{written(kept)}}}]' if kept else ""


def medication_statement(row: Any, subject: Subject, name: str, number: Written) -> Resource:
    """The resource of an affirmed or denied row; denied is `not-taken`, whether it names a product or denies them all."""
    note = ""
    if row.assertion != DENIED:
        status = _status(row.stop, subject.day)
        code = concept(row.label, row.code, row.system)
    else:
        status = "not-taken"
        if statement := whole_denial("treatment", row):
            code = concept(statement, row.code, row.system, _NO_KNOWN_MEDICATION)
        else:
            code = concept(row.label, row.code, row.system)
        note = denial_note(row.label)
    taken = period(row.start, row.stop)
    effective = f',"effectivePeriod":{taken}' if taken else f',"_effectiveDateTime":{UNKNOWN}'
    source = f',"informationSource":{subject.professional(row.practitioner)}' if row.practitioner else ""
    if row.long_term:
        note = f"{note[:-1]},{_LONG_TERM}]" if note else f',"note":[{_LONG_TERM}]'
    content = (
        f'{_HEAD}{name}{_META}{number}],"status":"{status}","medicationCodeableConcept":{code},"subject":{subject.patient}'
        f"{effective}{source}{note}{_dosage(row.dosage) if row.dosage else ''}}}"
    )
    return "MedicationStatement", name, content


def line(row: Any) -> Written:
    """The row for a reader."""
    words = label(row.label)
    if row.dosage:
        words += f" : {usual(row.dosage)}"
    if row.start:
        words += f", depuis {day(row.start)}"
    return f"{words}, fin {day(row.stop)}" if row.stop else words

"""A problem row of category surgery to its Procedure."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import DENIED, denial_note, period, required_date, whole_denial
from transvase.exporters.fhir.primitive import Resource, Written, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject
from transvase.exporters.fhir.terminology import SNOMED, concept

_HEAD = '{"resourceType":"Procedure","id":"'
_META = f'","meta":{written({"profile": [ips_profile("Procedure")]})},"identifier":['
_NO_KNOWN_PROCEDURE = written({"system": SNOMED, "code": "787480003"})


def procedure(row: Any, subject: Subject, name: str, number: Written) -> Resource:
    """The resource of an affirmed or denied row. Denied is `not-done`, whether it names an operation or denies them all."""
    status, note = "completed", ""
    if row.assertion != DENIED:
        code = concept(row.label, row.code, row.system)
    else:
        status = "not-done"
        if statement := whole_denial("surgery", row):
            code = concept(statement, row.code, row.system, _NO_KNOWN_PROCEDURE)
        else:
            code = concept(row.label, row.code, row.system)
        note = denial_note(row.label)
    if row.resolved:
        performed = f',"performedPeriod":{period(row.onset, row.resolved)}'
    else:
        performed = required_date("performedDateTime", row.onset)
    recorder = f',"recorder":{subject.professional(row.practitioner)}' if row.practitioner else ""
    content = f'{_HEAD}{name}{_META}{number}],"status":"{status}","code":{code}{note},"subject":{subject.patient}{performed}{recorder}}}'
    return "Procedure", name, content

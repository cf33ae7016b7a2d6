"""A risk factor row to its Observation of the social history."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import DENIED, required_date
from transvase.exporters.fhir.narrative import day, label, shown
from transvase.exporters.fhir.primitive import Resource, Written, text, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject
from transvase.exporters.fhir.terminology import HL7, LOINC, concept, fixed

_HEAD = '{"resourceType":"Observation","id":"'
_META = '","identifier":['
_TOBACCO_META = f'","meta":{written({"profile": [ips_profile("Observation-tobaccouse")]})},"identifier":['
_CATEGORY = f"[{fixed(f'{HL7}observation-category', 'social-history')}]"
# The other categories hold too many different facts for one LOINC code.
_LOINC = {
    category: (written({"system": LOINC, "code": code}),)
    for category, code in (("tobacco", "72166-2"), ("alcohol", "11331-6"), ("occupational", "11341-5"))
}
_YES = written({"coding": [{"system": f"{HL7}v2-0136", "code": "Y"}], "text": "Oui"})
_NO_CODING = written({"system": f"{HL7}v2-0136", "code": "N"})
_NO = f'{{"coding":[{_NO_CODING}],"text":{written("Non : absence affirmée")}}}'


def observation(row: Any, subject: Subject, name: str, number: Written) -> Resource:
    """The resource of an affirmed or denied row: its value as recorded, or yes; for a denied one, no, with its value as text."""
    meta = _TOBACCO_META if row.category == "tobacco" else _META
    code = concept(row.label, None, None, *_LOINC.get(row.category, ()))
    words = text(row.value)
    if row.assertion == DENIED:
        value = f'{{"coding":[{_NO_CODING}],"text":{written(words)}}}' if words else _NO
    else:
        value = f'{{"text":{written(words)}}}' if words else _YES
    content = (
        f'{_HEAD}{name}{meta}{number}],"status":"final","category":{_CATEGORY},"code":{code},"subject":{subject.patient}'
        f'{required_date("effectiveDateTime", row.recorded)},"valueCodeableConcept":{value}}}'
    )
    return "Observation", name, content


def line(row: Any) -> Written:
    """The row for a reader."""
    words = label(row.label)
    if row.value:
        words += f" : {shown(row.value)}"
    return f"{words} ({day(row.recorded)})" if row.recorded else words

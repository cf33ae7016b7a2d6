"""A problem row of category family to its FamilyMemberHistory, or to an Observation when the family history is denied."""

from __future__ import annotations

from typing import Any

from transvase.exporters.fhir.absence import DENIED, dated, denial_note
from transvase.exporters.fhir.primitive import Resource, Written, french_date, written
from transvase.exporters.fhir.subject import Subject
from transvase.exporters.fhir.terminology import HL7, LOINC, concept, fixed

# The table does not say which relative: the code that covers them all.
_RELATIVE = fixed(f"{HL7}v3-RoleCode", "FAMMEMB")
_FAMILY_HISTORY = written({"coding": [{"system": LOINC, "code": "10157-6"}], "text": "Antécédents familiaux"})
_NO = written({"coding": [{"system": f"{HL7}v2-0136", "code": "N"}], "text": "Non : absence affirmée"})


def family_history(row: Any, subject: Subject, name: str, number: Written) -> Resource:
    """The resource of an affirmed or denied row.

    FamilyMemberHistory cannot deny a condition. An Observation of the family history can, the condition standing in a component:
    as the Observation's own code it would be the patient's.
    """
    subject_of = concept(row.label, row.code, row.system)
    if row.assertion == DENIED:
        performer = f',"performer":[{subject.professional(row.practitioner)}]' if row.practitioner else ""
        content = (
            f'{{"resourceType":"Observation","id":"{name}","identifier":[{number}],"status":"final","code":{_FAMILY_HISTORY},"subject":{subject.patient}'
            f"{dated('effectiveDateTime', row.recorded)}{performer}{denial_note(row.label)}"
            f',"component":[{{"code":{subject_of},"valueCodeableConcept":{_NO}}}]}}'
        )
        return "Observation", name, content
    onset = f',"onsetString":{written(french_date(row.onset))}' if row.onset else ""
    over = f',"note":{written([{"text": f"Fin : {french_date(row.resolved)}"}])}' if row.resolved else ""
    content = (
        f'{{"resourceType":"FamilyMemberHistory","id":"{name}","identifier":[{number}]'
        f',"status":"completed","patient":{subject.patient}{dated("date", row.recorded)}'
        f',"relationship":{_RELATIVE},"condition":[{{"code":{subject_of}{onset}{over}}}]}}'
    )
    return "FamilyMemberHistory", name, content

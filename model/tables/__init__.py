"""The canonical tables, in the order in which a reader meets them: the practice, the person, the record."""

from __future__ import annotations

from transvase.model.table import Table
from transvase.model.tables.access_log import ACCESS_LOG
from transvase.model.tables.allergy import ALLERGY
from transvase.model.tables.appointment import APPOINTMENT
from transvase.model.tables.billing import BILLING
from transvase.model.tables.correspondent import CORRESPONDENT
from transvase.model.tables.dispensation import DISPENSATION
from transvase.model.tables.document import DOCUMENT
from transvase.model.tables.document_version import DOCUMENT_VERSION
from transvase.model.tables.encounter import ENCOUNTER
from transvase.model.tables.immunization import IMMUNIZATION
from transvase.model.tables.lab_result import LAB_RESULT
from transvase.model.tables.native import NATIVE
from transvase.model.tables.note import NOTE
from transvase.model.tables.objection import OBJECTION
from transvase.model.tables.patient import PATIENT
from transvase.model.tables.personal_note import PERSONAL_NOTE
from transvase.model.tables.practice import PRACTICE
from transvase.model.tables.practitioner import PRACTITIONER
from transvase.model.tables.prescription import PRESCRIPTION
from transvase.model.tables.prescription_line import PRESCRIPTION_LINE
from transvase.model.tables.problem import PROBLEM
from transvase.model.tables.related_person import RELATED_PERSON
from transvase.model.tables.risk_factor import RISK_FACTOR
from transvase.model.tables.treatment import TREATMENT
from transvase.model.tables.vital_sign import VITAL_SIGN

TABLES: dict[str, Table] = {
    t.name: t
    for t in (
        PRACTICE,
        PRACTITIONER,
        PATIENT,
        RELATED_PERSON,
        CORRESPONDENT,
        ENCOUNTER,
        NOTE,
        PERSONAL_NOTE,
        PROBLEM,
        ALLERGY,
        TREATMENT,
        RISK_FACTOR,
        IMMUNIZATION,
        VITAL_SIGN,
        LAB_RESULT,
        PRESCRIPTION,
        PRESCRIPTION_LINE,
        DISPENSATION,
        DOCUMENT,
        DOCUMENT_VERSION,
        APPOINTMENT,
        ACCESS_LOG,
        OBJECTION,
        BILLING,
        NATIVE,
    )
}

"""The French International Patient Summary, « Synthèse médicale » IPS-FR 2024.01: sections, their order, what an empty one says.

Rules: `CI-SIS_IPS-FR_2024.01.sch` and what it includes. Sections themselves belong to `rubrics.py`, entries to `entries/`, the header
to `header.py`. The caller writes `header.document(Heading(templates=TEMPLATES, type_code=TYPE_CODE, title=TITLE, event=EVENT,
extra_participants=vsm.attending_participant(...), ...), ..., body(record, ids))`.
"""

from __future__ import annotations

from typing import Any

from transvase.exporters.cda import rubrics, sections
from transvase.exporters.cda.rubrics import Rubric
from transvase.formats.xml_text import attribute as q
from transvase.model.record import Record

TEMPLATES = (
    '<templateId root="2.16.840.1.113883.10.22.1.1"/><templateId root="1.2.250.1.213.1.1.1.51" extension="2024.01"/>'
)
TYPE_CODE = "60591-5"
TITLE = "SYNTHESE MEDICALE"
# The model asks no code of the documented act; the one of the VSM says the same thing.
EVENT = '<code code="34117-2" displayName="Historique et clinique" codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC"/>'

_DEVICES_HEAD = sections.head(
    15,
    "Dispositifs médicaux",
    "46264-8",
    "Dispositifs médicaux",
    "1.3.6.1.4.1.19376.1.5.3.1.1.5.3.5",
    "1.2.250.1.213.1.1.2.1",
)


def body(record: Record, ids: str, pdf: bytes | None = None) -> str:
    """The component holding the structured body.

    `ids` is an OID of this patient's summary, the same for all its versions: entries take `ids.0.<table>.<n>` as root and the key of
    their row as extension. `pdf` is the copy of the document in PDF, when there is one.

    Each affirmed or denied row of `problem`, `allergy`, `treatment`, `risk_factor` (but the occupational ones, whose section holds
    text only) and `immunization`, and each row of `vital_sign` and `lab_result`, is one entry. The five sections that the model
    wants always stand: one without a stated row says, with the code of the model, that there is no information. The others stand
    when they have an entry; what was asked and not recorded is in the closing comment."""
    ids = f"{q(ids)}.0"
    problems = rubrics.by_rubric(record)
    factors = record.get("risk_factor", [])
    measured = record.get("vital_sign", [])
    inside = ""
    missing = ""
    parts: tuple[tuple[Rubric, list[Any]], ...] = (
        (rubrics.PROBLEMS, problems["active"]),
        (rubrics.HISTORY, problems["history"]),
        (rubrics.SURGERY, problems["surgery"]),
        (rubrics.ALLERGIES, record.get("allergy", [])),
        (rubrics.TREATMENTS, record.get("treatment", [])),
        (rubrics.signs(measured), measured),
        (rubrics.HABITS, [row for row in factors if row.category != "occupational"]),
        (rubrics.OCCUPATIONAL, [row for row in factors if row.category == "occupational"]),
        (rubrics.FAMILY, problems["family"]),
        (rubrics.VACCINES, record.get("immunization", [])),
        (rubrics.RESULTS, record.get("lab_result", [])),
    )
    for part, rows in parts:
        if part.unknown is not None or any(rubrics.stated(row) for row in rows):
            inside += part.section(rows, ids)
        else:
            missing += rubrics.absent(part, rows)
        if part is rubrics.TREATMENTS:
            # The record holds no device.
            inside += (
                f"{_DEVICES_HEAD.replace('{ids}', ids, 1)}<text>{sections.NOT_RECORDED}</text></section></component>"
            )
    if missing:
        inside += rubrics.note("Rubriques sans information", f"<list>{missing}</list>", ids, 18)
    copy = sections.pdf_copy(pdf, ids, 19) if pdf is not None else ""
    return f"<component><structuredBody>{inside}{copy}</structuredBody></component>"

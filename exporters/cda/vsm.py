"""The « Volet de synthèse médicale » VSM 1.4 (VSM_1.4_2022.01): sections, their order, and what an empty one says.

Sheet `cda-header-ci-sis.md`, sections 7, 8 and 12. Entries belong to `entries/`, the header to `header.py`. The caller writes
`header.document(Heading(templates=TEMPLATES, type_code=TYPE_CODE, title=TITLE, event=EVENT,
extra_participants=attending_participant(...), ...), ..., body(record, ids))`. Vaccinations, vital signs and visits are no part
of this model.
"""

from __future__ import annotations

from typing import Any

from transvase.exporters.cda import rubrics, sections
from transvase.exporters.cda.entries import result
from transvase.exporters.cda.header import Signatory, Structure
from transvase.exporters.cda.rubrics import Rubric, absent, by_rubric, stated
from transvase.formats.xml_text import attribute as q
from transvase.model.record import Record

TEMPLATES = '<templateId root="1.2.250.1.213.1.1.1.13" extension="201310"/>'
TYPE_CODE = "SYNTH"
TITLE = "Synthèse Médicale"
# The specification compares code, label, system and system name (its Schematron rule exists but never fires).
EVENT = '<code code="34117-2" displayName="Historique et clinique" codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC"/>'

# A synthesis is read in a consultation: about two blood tests of thirty lines, whose coded form is in their own documents.
RESULTS_SHOWN = 50


def attending_participant(doctor: Signatory | None, organisation: Structure | None = None) -> str:
    """The médecin traitant, participant INF/PCP that the specification wants once. None: unknown, said so and not invented."""
    person = '<associatedPerson><name><family nullFlavor="UNK"/></name></associatedPerson>'
    if doctor:
        person = f"<id {doctor.id}/>{doctor.code}<associatedPerson><name>{doctor.name}</name></associatedPerson>"
        if organisation:
            person += (
                f"<scopingOrganization><id {organisation.id}/><name>{organisation.name}</name>{organisation.contact}"
                "</scopingOrganization>"
            )
    return (
        '<participant typeCode="INF">'
        '<functionCode code="PCP" displayName="Médecin Traitant" codeSystem="2.16.840.1.113883.5.88"/>'
        f'<time nullFlavor="UNK"/><associatedEntity classCode="PROV">{person}</associatedEntity></participant>'
    )


_CONCLUSIONS_HEAD = sections.head(
    1,
    "Pathologies, antécédents, allergies et facteurs de risque",
    "46612-8",
    "Conclusions de synthèse",
    "1.2.250.1.213.1.1.2.29",
)
_PATHOLOGY_HEAD = sections.head(
    2, "Pathologies, antécédents et allergies", "34117-2", "Historique et physique", "1.2.250.1.213.1.1.2.30"
)
_RISK_HEAD = sections.head(
    3,
    "Facteurs de risque",
    "57207-3",
    "Facteurs de risque présents ou passés affectant l'état de santé et/ou une circonstance",
    "1.2.250.1.213.1.1.2.31",
)
_RESULTS_HEAD = sections.head(
    12,
    "Résultats d'examens",
    "30954-2",
    "Résultats d'examens",
    "1.3.6.1.4.1.19376.1.5.3.1.3.27",
    "1.2.250.1.213.1.1.2.150",
)
_RESULTS_COLUMNS = sections.columns(result.COLUMNS)
_PLAN_HEAD = sections.head(13, "Traitement au long cours", "18776-5", "Plan de traitement", "1.2.250.1.213.1.1.2.32")


def _with_parts(head: str, ids: str, parts: tuple[tuple[Rubric, list[Any]], ...]) -> str:
    """A section made of sub-sections. A sub-section needs one entry (rule), so one without an affirmed or denied row is a line
    of the parent's text; the parent has no text when all are there (rule)."""
    inside, left_out = "", ""
    for part, rows in parts:
        if any(stated(row) for row in rows):
            inside += part.section(rows, ids)
        else:
            left_out += absent(part, rows)
    text = f"<text><list>{left_out}</list></text>" if left_out else ""
    return f"{head.replace('{ids}', ids, 1)}{text}{inside}</section></component>"


def _results(rows: list[Any], ids: str) -> str:
    head = _RESULTS_HEAD.replace("{ids}", ids, 1)
    if not rows:
        return f"{head}<text>{sections.NOT_RECORDED}</text></section></component>"
    kept = result.latest(rows, RESULTS_SHOWN)
    told = (
        f"Les {len(kept)} résultats de biologie les plus récents, sur {len(rows)} au dossier."
        if len(kept) < len(rows)
        else "Tous les résultats de biologie du dossier, du plus récent au plus ancien."
    )
    return (
        f"{head}<text><paragraph>{told}</paragraph>{_RESULTS_COLUMNS}{result.write(kept)}</tbody></table></text>"
        "</section></component>"
    )


def body(record: Record, ids: str, pdf: bytes | None = None) -> str:
    """The component holding the structured body.

    `ids` is an OID of this patient's synthesis, the same for all its versions: entries take `ids.0.<table>.<n>` as root and
    the key of their row as extension, so a row keeps its identifier. The arc 0 leaves `ids.<version>` to the document itself.
    `pdf` is the copy of the document in PDF, when there is one.

    Each affirmed or denied row of `problem`, `allergy`, `treatment` and `risk_factor` (but the occupational ones, whose section
    holds text only) is one entry. A row not recorded is a line for the reader and no entry."""
    ids = f"{q(ids)}.0"
    problems = by_rubric(record)
    factors = record.get("risk_factor", [])
    pathology = _with_parts(
        _PATHOLOGY_HEAD,
        ids,
        (
            (rubrics.PROBLEMS, problems["active"]),
            (rubrics.HISTORY, problems["history"]),
            (rubrics.SURGERY, problems["surgery"]),
            (rubrics.ALLERGIES, record.get("allergy", [])),
        ),
    )
    risks = _with_parts(
        _RISK_HEAD,
        ids,
        (
            (rubrics.HABITS, [row for row in factors if row.category != "occupational"]),
            (rubrics.OCCUPATIONAL, [row for row in factors if row.category == "occupational"]),
            (rubrics.FAMILY, problems["family"]),
        ),
    )
    return (
        f"<component><structuredBody>{_CONCLUSIONS_HEAD.replace('{ids}', ids, 1)}{pathology}{risks}</section></component>"
        f"{_results(record.get('lab_result', []), ids)}"
        f"{_with_parts(_PLAN_HEAD, ids, ((rubrics.TREATMENTS, record.get('treatment', [])),))}"
        f"{sections.pdf_copy(pdf, ids, 15) if pdf is not None else ''}</structuredBody></component>"
    )

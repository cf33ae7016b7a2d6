"""The « Volet de synthèse médicale » VSM 1.4 (VSM_1.4_2022.01): sections, their order, and what an empty one says.

Sheet `cda-header-ci-sis.md`, sections 7, 8 and 12. Entries belong to `entries/`, the header to `header.py`. The caller writes
`header.document(Heading(templates=TEMPLATES, type_code=TYPE_CODE, title=TITLE, event=EVENT,
extra_participants=attending_participant(...), ...), ..., body(record, ids))`. Vaccinations, vital signs and visits are no part
of this model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from transvase.exporters.cda import sections
from transvase.exporters.cda.entries import allergy, family, habit, problem, procedure, result, treatment
from transvase.exporters.cda.entries.wording import NEGATION, label
from transvase.exporters.cda.header import Signatory, Structure
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


Writer = Callable[[list[Any], str, str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Part:
    """A sub-section that exists only with rows to carry. `arc` ends the OID of its entries, `mark` starts its XML IDs."""

    title: str
    head: str
    arc: int
    mark: str
    columns: str
    write: Writer


# Last arc of the identifiers of entries, one for each table: a problem that moves to the history keeps its identifier.
_PROBLEM_ROWS, _ALLERGY_ROWS, _TREATMENT_ROWS, _FACTOR_ROWS = 101, 102, 103, 104


def _part(
    section: int,
    arc: int,
    mark: str,
    title: str,
    loinc: tuple[str, str],
    columns: tuple[str, ...],
    write: Writer,
    *roots: str,
) -> _Part:
    return _Part(title, sections.head(section, title, *loinc, *roots), arc, mark, sections.columns(columns), write)


_PROBLEMS = _part(
    4,
    _PROBLEM_ROWS,
    "p",
    "Problèmes actifs",
    ("11450-4", "Liste des problèmes actifs"),
    problem.COLUMNS,
    partial(problem.write, active=True),
    "2.16.840.1.113883.10.20.1.11",
    "1.3.6.1.4.1.19376.1.5.3.1.3.6",
    "1.2.250.1.213.1.1.2.132",
)
_HISTORY = _part(
    5,
    _PROBLEM_ROWS,
    "h",
    "Antécédents médicaux",
    ("11348-0", "Antécédents médicaux"),
    problem.COLUMNS,
    partial(problem.write, active=False),
    "1.3.6.1.4.1.19376.1.5.3.1.3.8",
    "1.2.250.1.213.1.1.2.134",
)
_SURGERY = _part(
    6,
    _PROBLEM_ROWS,
    "s",
    "Historique des actes",
    ("47519-4", "Historique des actes"),
    procedure.COLUMNS,
    procedure.write,
    "2.16.840.1.113883.10.20.1.12",
    "1.3.6.1.4.1.19376.1.5.3.1.3.11",
    "1.3.6.1.4.1.19376.1.5.3.1.3.12",
    "1.2.250.1.213.1.1.2.136",
)
_ALLERGIES = _part(
    7,
    _ALLERGY_ROWS,
    "a",
    "Allergies et hypersensibilités",
    ("48765-2", "Allergies et hypersensibilités"),
    allergy.COLUMNS,
    allergy.write,
    "2.16.840.1.113883.10.20.1.2",
    "1.3.6.1.4.1.19376.1.5.3.1.3.13",
    "1.2.250.1.213.1.1.2.137",
)
_HABITS = _part(
    9,
    _FACTOR_ROWS,
    "r",
    "Habitus, mode de vie",
    ("29762-2", "Habitus, Mode de vie"),
    habit.COLUMNS,
    habit.write,
    "2.16.840.1.113883.10.20.1.15",
    "1.3.6.1.4.1.19376.1.5.3.1.3.16",
    "1.3.6.1.4.1.19376.1.5.3.1.3.16.1",
    "1.2.250.1.213.1.1.2.141",
)
_OCCUPATIONAL = _part(
    10,
    _FACTOR_ROWS,
    "o",
    "Facteurs de risque professionnels",
    ("10161-8", "Facteurs de risques professionnels"),
    habit.OCCUPATIONAL_COLUMNS,
    habit.occupational,
    "1.3.6.1.4.1.19376.1.5.3.1.1.5.3.1",
    "1.2.250.1.213.1.1.2.74",
)
_FAMILY = _part(
    11,
    _PROBLEM_ROWS,
    "f",
    "Antécédents familiaux",
    ("10157-6", "Historique des pathologies familiales"),
    family.COLUMNS,
    family.write,
    "2.16.840.1.113883.10.20.1.4",
    "1.3.6.1.4.1.19376.1.5.3.1.3.14",
    "1.3.6.1.4.1.19376.1.5.3.1.3.15",
    "1.2.250.1.213.1.1.2.139",
)
_TREATMENTS = _part(
    14,
    _TREATMENT_ROWS,
    "t",
    "Traitements",
    ("10160-0", "Traitements"),
    treatment.COLUMNS,
    treatment.write,
    "2.16.840.1.113883.10.20.1.8",
    "1.3.6.1.4.1.19376.1.5.3.1.3.19",
    "1.2.250.1.213.1.1.2.143",
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


def _absent(part: _Part, rows: list[Any]) -> str:
    """What the parent says of a sub-section that is not there: nothing affirmed, nothing denied, but what was asked is named."""
    asked = f" ({' ; '.join(label(row.label) for row in rows)})" if rows else ""
    return f"<item>{part.title} : {sections.NOT_RECORDED.lower()}{asked}</item>"


def _with_parts(head: str, ids: str, parts: tuple[tuple[_Part, list[Any]], ...]) -> str:
    """A section made of sub-sections. A sub-section needs one entry (rule), so one without an affirmed or denied row is a line
    of the parent's text; the parent has no text when all are there (rule)."""
    inside, absent = "", ""
    for part, rows in parts:
        if any(row.assertion in NEGATION for row in rows):
            lines, entries = part.write(rows, f"{ids}.{part.arc}", part.mark)
            inside += (
                f"{part.head.replace('{ids}', ids, 1)}<text>{part.columns}{lines}</tbody></table></text>{entries}"
                "</section></component>"
            )
        else:
            absent += _absent(part, rows)
    text = f"<text><list>{absent}</list></text>" if absent else ""
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
    active: list[Any] = []
    history: list[Any] = []
    surgery: list[Any] = []
    relatives: list[Any] = []
    for row in record.get("problem", ()):
        if row.category == "family":
            relatives.append(row)
        elif row.category == "surgery":
            surgery.append(row)
        elif row.category == "history" or row.resolved:
            history.append(row)
        else:
            active.append(row)
    factors = record.get("risk_factor", [])
    pathology = _with_parts(
        _PATHOLOGY_HEAD,
        ids,
        ((_PROBLEMS, active), (_HISTORY, history), (_SURGERY, surgery), (_ALLERGIES, record.get("allergy", []))),
    )
    risks = _with_parts(
        _RISK_HEAD,
        ids,
        (
            (_HABITS, [row for row in factors if row.category != "occupational"]),
            (_OCCUPATIONAL, [row for row in factors if row.category == "occupational"]),
            (_FAMILY, relatives),
        ),
    )
    return (
        f"<component><structuredBody>{_CONCLUSIONS_HEAD.replace('{ids}', ids, 1)}{pathology}{risks}</section></component>"
        f"{_results(record.get('lab_result', []), ids)}"
        f"{_with_parts(_PLAN_HEAD, ids, ((_TREATMENTS, record.get('treatment', [])),))}"
        f"{sections.pdf_copy(pdf, ids, 15) if pdf is not None else ''}</structuredBody></component>"
    )

"""The emergency liaison documents of nursing homes, DLU-EHPAD 2022.01: the file kept ready (DLU), the sheet of the transfer to the
emergency department (FLUDT), the sheet of the return (FLUDR).

Rules: `CI-SIS_DLU-EHPAD-*_2022.01.sch` and what they include. Sections of the record belong to `rubrics.py`, entries to `entries/`.
What a model wants and no record of a practice holds (state of consciousness, last meal, reason of the transfer...) stands as an
observation without value: asked, not answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pybase64

from transvase.exporters.cda import rubrics, sections
from transvase.exporters.cda.rubrics import Rubric
from transvase.formats.xml_text import attribute as q
from transvase.model.record import Record

_LOINC = "2.16.840.1.113883.6.1"
_SNOMED = "2.16.840.1.113883.6.96"
_CIM10 = "2.16.840.1.113883.6.3"
_TA_ASIP = "1.2.250.1.213.1.1.4.322"
_EMDN = "1.2.250.1.213.2.68"

_SIMPLE = '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13"/><templateId root="1.2.250.1.213.1.1.3.48"/>'
_PERSONAL = '<templateId root="1.2.250.1.213.1.1.3.12"/>'
_ACT = (
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.19"/><templateId root="2.16.840.1.113883.10.20.1.29"/>'
    '<templateId root="1.2.250.1.213.1.1.3.62"/>'
)

Part = tuple[str, str, str]

# JDV_ObservationEtatPatient, SNOMED CT.
_STATE: tuple[Part, ...] = tuple(
    (code, _SNOMED, display)
    for code, display in (
        ("288575003", "capable de communiquer"),
        ("247663003", "bien orienté"),
        ("62476001", "désorienté(e)"),
        ("24199005", "sensation d'agitation"),
        ("248043008", "comportement non-conciliant"),
        ("425104003", "comportement suicidaire"),
        ("397540003", "malvoyance"),
        ("15188001", "perte auditive"),
        ("62305002", "trouble du langage"),
        ("161898004", "chutes"),
        ("50239007", "errance"),
        ("248046000", "fugue"),
        ("386423001", "contention physique"),
        ("285304000", "à risque d'escarre"),
        ("249492002", "fausse route alimentaire"),
    )
)
# JDV_ProtheseObjetPersonnel.
_BELONGINGS: tuple[Part, ...] = (
    ("Q021003", _EMDN, "LUNETTES PRÊTES À PORTER (OU LUNETTES MONTÉES)"),
    ("P0102", _EMDN, "PROTHÈSES DENTAIRES"),
    ("Y2145", _EMDN, "DISPOSITIFS ACCOUSTIQUES D'AIDE À L'AUDITION"),
)
_RESISTANT: tuple[Part, ...] = (("U83.71", _CIM10, "Bactérie multirésistante [BMR]"),)
_AWARE: tuple[Part, ...] = (("DLU_002", _TA_ASIP, "Conscient et éveillé"), ("R52.9", _CIM10, "Douleur, sans précision"))
_MEAL: tuple[Part, ...] = (("GEN-244", _TA_ASIP, "Date et heure du dernier repas"),)
_TRANSFER: tuple[Part, ...] = (("57277-6", _LOINC, "Motif du transfert vers le service des urgences"),)
_RETURN: tuple[Part, ...] = (("15515-0", _LOINC, "Motif du transport"),)


def _code(part: Part) -> str:
    code, system, display = part
    return f'<code code="{code}" displayName="{q(display)}" codeSystem="{system}"/>'


def _asked(arc: int, title: str, loinc: Part, parts: tuple[Part, ...], mark: str, extra: str, *roots: str) -> str:
    """A section of observations that the record does not answer, `{ids}` in place of the root of the identifiers. `extra` stands in
    for further templateIds of the observations."""
    code, _, display = loinc
    lines, entries = "", ""
    for n, part in enumerate(parts, 1):
        lines += f'<tr><td><content ID="{mark}{n}">{q(part[2])}</content></td><td>{sections.NOT_RECORDED}</td></tr>'
        entries += (
            f'<entry><observation classCode="OBS" moodCode="EVN">{_SIMPLE}{extra}<id root="{{ids}}.{arc}.{n}"/>{_code(part)}'
            f'<text><reference value="#{mark}{n}"/></text><statusCode code="completed"/><effectiveTime nullFlavor="UNK"/>'
            '<value xsi:type="BL" nullFlavor="UNK"/></observation></entry>'
        )
    return (
        f"{sections.head(arc, title, code, display, *roots)}<text>{sections.columns(('Élément', 'Réponse'))}{lines}</tbody></table>"
        f"</text>{entries}</section></component>"
    )


def _with_act(section: str, arc: int, mark: str) -> str:
    """The act that the rules demand in a section of results: none is known of."""
    act = (
        f'<entry><procedure classCode="PROC" moodCode="EVN">{_ACT}<id root="{{ids}}.{arc}.99"/><code nullFlavor="NA"/>'
        f'<text><reference value="#{mark}1"/></text><statusCode code="completed"/><effectiveTime nullFlavor="UNK"/>'
        "</procedure></entry>"
    )
    before, entry, after = section.partition("<entry>")
    return f"{before}{act}{entry}{after}"


_EVENTS = ("1.3.6.1.4.1.19376.1.5.3.1.1.21.2.9", "1.3.6.1.4.1.19376.1.7.3.1.1.13.7", "1.2.250.1.213.1.1.2.163")
_OBSERVED = ("42545-4", _LOINC, "Evènements observés")
_RESULTS = ("1.3.6.1.4.1.19376.1.5.3.1.3.27", "1.3.6.1.4.1.19376.1.5.3.1.3.28", "1.2.250.1.213.1.1.2.151")
_EXAMINED = ("30954-2", _LOINC, "Résultats d'examens")
_DEVICES = ("46264-8", _LOINC, "Dispositifs médicaux")

_PATIENT_STATE = _asked(21, "Observations", _OBSERVED, _STATE, "e", "", *_EVENTS)
_TRANSFER_REASON = _asked(
    21, "Transfert du patient vers le service des urgences", _OBSERVED, _TRANSFER, "e", "", *_EVENTS
)
_RETURN_REASON = _asked(21, "Retour du patient à l'EHPAD", _OBSERVED, _RETURN, "e", "", *_EVENTS)
_GERMS = _with_act(_asked(22, "Bactéries multirésistantes", _EXAMINED, _RESISTANT, "b", "", *_RESULTS), 22, "b")
_AWARENESS = _with_act(_asked(22, "Conscience et douleur", _EXAMINED, _AWARE, "b", "", *_RESULTS), 22, "b")
_LAST_MEAL = _asked(
    23,
    "Date et heure du dernier repas",
    ("47420-5", _LOINC, "Évaluation du statut fonctionnel"),
    _MEAL,
    "m",
    "",
    "1.3.6.1.4.1.19376.1.7.3.1.1.13.5",
    "1.2.250.1.213.1.1.2.162",
)
_PERSONAL_ITEMS = _asked(
    24, "Prothèses et objets personnels", _DEVICES, _BELONGINGS, "g", _PERSONAL, "1.2.250.1.213.1.1.2.53"
)
_HOSPITAL = (
    sections.head(
        25,
        "Etablissement de santé de préférence",
        "11302-7",
        "Etablissement de santé de préférence",
        "1.3.6.1.4.1.19376.1.5.3.1.1.13.2.10",
        "1.2.250.1.213.1.1.2.172",
    )
    + f'<text><paragraph ID="d1">{sections.NOT_RECORDED}</paragraph></text><entry><act classCode="ACT" moodCode="INT">'
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.1.10.4.2"/><templateId root="1.2.250.1.213.1.1.3.97"/><id root="{ids}.25.1"/>'
    '<code code="11302-7" displayName="Etablissement de santé de préférence" codeSystem="2.16.840.1.113883.6.1"/>'
    '<text><reference value="#d1"/></text><statusCode code="normal"/><effectiveTime nullFlavor="UNK"/></act></entry>'
    "</section></component>"
)
_DIRECTIVES = (
    sections.head(
        26,
        "Directives anticipées",
        "42348-3",
        "Directives anticipées",
        "2.16.840.1.113883.10.20.1.1",
        "1.3.6.1.4.1.19376.1.5.3.1.3.34",
        "1.3.6.1.4.1.19376.1.5.3.1.3.35",
        "1.2.250.1.213.1.1.2.157",
    )
    + f'<text><paragraph ID="w1">{sections.NOT_RECORDED}</paragraph></text><entry><observation classCode="OBS" moodCode="EVN">'
    '<templateId root="2.16.840.1.113883.10.20.1.17"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13"/>'
    '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13.7"/><templateId root="1.2.250.1.213.1.1.3.54"/><id root="{ids}.26.1"/>'
    '<code code="42348-3" displayName="Directives anticipées" codeSystem="2.16.840.1.113883.6.1"/>'
    '<text><reference value="#w1"/></text><statusCode code="completed"/><effectiveTime nullFlavor="UNK"/></observation></entry>'
    "</section></component>"
)
_SIGNS_ASKED = (
    '<entry><organizer classCode="CLUSTER" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.32"/>'
    '<templateId root="2.16.840.1.113883.10.20.1.35"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13.1"/>'
    '<templateId root="1.2.250.1.213.1.1.3.49"/><id root="{ids}.16.1"/>'
    '<code code="85353-1" displayName="Signes vitaux" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>'
    '<effectiveTime nullFlavor="UNK"/>'
)
# The five measures that the model of the transfer names.
_SIGNS_NAMED: tuple[Part, ...] = (
    ("8867-4", _LOINC, "Fréquence cardiaque"),
    ("8310-5", _LOINC, "Température corporelle"),
    ("29463-7", _LOINC, "Poids"),
    ("8480-6", _LOINC, "Pression artérielle systolique"),
    ("8462-4", _LOINC, "Pression artérielle diastolique"),
)


def _unmeasured() -> str:
    lines, inside = "", ""
    for n, part in enumerate(_SIGNS_NAMED, 1):
        lines += f'<tr><td/><td><content ID="v{n}">{part[2]}</content></td><td>{part[0]}</td><td>{sections.NOT_RECORDED}</td><td/></tr>'
        inside += (
            '<component typeCode="COMP"><observation classCode="OBS" moodCode="EVN">'
            '<templateId root="2.16.840.1.113883.10.20.1.31"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13"/>'
            '<templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13.2"/><templateId root="1.2.250.1.213.1.1.3.50"/>'
            f'<id root="{{ids}}.16.1.{n}"/>{_code(part)}<text><reference value="#v{n}"/></text>'
            '<statusCode code="completed"/><effectiveTime nullFlavor="UNK"/><value xsi:type="PQ" nullFlavor="UNK"/>'
            "</observation></component>"
        )
    return (
        f"{rubrics.SIGNS.head}<text>{rubrics.SIGNS.columns}{lines}</tbody></table></text>{_SIGNS_ASKED}{inside}</organizer></entry>"
        "</section></component>"
    )


_NOT_MEASURED = _unmeasured()


def _attached(pdf: bytes | None, ids: str) -> str:
    """Section FR-Documents-ajoutés: the copy of the document when there is one, else an attachment that is not there.

    The checklist of the model closes the types of FR-Type-document-attache and knows neither: a simple observation says them."""
    media, value, said = '<value nullFlavor="UNK"/>', '<value xsi:type="CD" nullFlavor="UNK"/>', "Aucun document ajouté"
    show = ""
    if pdf is not None:
        said, show = "Copie du document au format PDF", '<renderMultiMedia referencedObject="pdf"/>'
        media = (
            f'<value mediaType="application/pdf" representation="B64">{pybase64.b64encode(pdf).decode("ascii")}</value>'
        )
        value = (
            '<value xsi:type="CD" code="55108-5" displayName="Copie du document" codeSystem="2.16.840.1.113883.6.1"'
            ' codeSystemName="LOINC"/>'
        )
    top = sections.head(27, "Documents ajoutés", "55107-7", "Documents ajoutés", "1.2.250.1.213.1.1.2.37")
    return (
        f'{top.replace("{ids}", ids, 1)}<text><paragraph ID="copie">{said}</paragraph>{show}</text>'
        '<entry><organizer classCode="CLUSTER" moodCode="EVN"><templateId root="1.2.250.1.213.1.1.3.18"/>'
        f'<id root="{ids}.27.1"/><code code="55107-7" displayName="Document attaché" codeSystem="2.16.840.1.113883.6.1"/>'
        f'<statusCode code="completed"/><component><observation classCode="OBS" moodCode="EVN">{_SIMPLE}<id root="{ids}.27.2"/>'
        '<code code="69764-9" displayName="Type de document" codeSystem="2.16.840.1.113883.6.1"/>'
        '<text><reference value="#copie"/></text><statusCode code="completed"/><effectiveTime nullFlavor="NA"/>'
        f"{value}</observation></component>"
        f'<component><observationMedia classCode="OBS" moodCode="EVN" ID="pdf">{media}</observationMedia></component>'
        "</organizer></entry></section></component>"
    )


def _optional(parts: tuple[tuple[Rubric, list[Any]], ...], ids: str) -> tuple[str, str]:
    """Sections that have an entry, and the list items of those that have none."""
    inside, missing = "", ""
    for part, rows in parts:
        if any(rubrics.stated(row) for row in rows):
            inside += part.section(rows, ids)
        else:
            missing += rubrics.absent(part, rows)
    return inside, missing


def _closed(inside: str, missing: str, ids: str) -> str:
    if missing:
        inside += rubrics.note("Rubriques sans information", f"<list>{missing}</list>", ids, 28)
    return f"<component><structuredBody>{inside}</structuredBody></component>"


def _dlu(record: Record, ids: str, pdf: bytes | None = None) -> str:
    ids = f"{q(ids)}.0"
    problems = rubrics.by_rubric(record)
    before, missing = _optional(
        (
            (rubrics.PROBLEMS, problems["active"]),
            (rubrics.HISTORY, problems["history"]),
            (rubrics.ALLERGIES, record.get("allergy", [])),
        ),
        ids,
    )
    after, more = _optional(((rubrics.VACCINES, record.get("immunization", [])),), ids)
    inside = (
        f"{_HOSPITAL.replace('{ids}', ids)}{before}{rubrics.TREATMENTS.section(record.get('treatment', []), ids)}"
        f"{(_DIRECTIVES + _PATIENT_STATE + _GERMS).replace('{ids}', ids)}{after}{_attached(pdf, ids)}"
    )
    return _closed(inside, missing + more, ids)


def _fludt(record: Record, ids: str, pdf: bytes | None = None) -> str:
    ids = f"{q(ids)}.0"
    measured = record.get("vital_sign", [])
    signs = rubrics.signs(measured).section(measured, ids) if measured else _NOT_MEASURED.replace("{ids}", ids)
    copy = sections.pdf_copy(pdf, ids, 27) if pdf is not None else ""
    inside = (
        f"{_TRANSFER_REASON.replace('{ids}', ids)}{signs}{_AWARENESS.replace('{ids}', ids)}"
        f"{rubrics.TREATMENTS.section(record.get('treatment', []), ids)}"
        f"{(_LAST_MEAL + _PERSONAL_ITEMS).replace('{ids}', ids)}{copy}"
    )
    return _closed(inside, "", ids)


def _fludr(record: Record, ids: str, pdf: bytes | None = None) -> str:
    ids = f"{q(ids)}.0"
    inside = (
        f"{_RETURN_REASON.replace('{ids}', ids)}{rubrics.DIAGNOSES.section(rubrics.by_rubric(record)['active'], ids)}"
        f"{rubrics.DISCHARGE_TREATMENTS.section(record.get('treatment', []), ids)}{_PERSONAL_ITEMS.replace('{ids}', ids)}"
        f"{_attached(pdf, ids)}"
    )
    return _closed(inside, "", ids)


@dataclass(frozen=True, slots=True)
class Model:
    """A document model, with the names that the other models have as modules.

    `body(record, ids, pdf=None)` gives the component holding the structured body; `ids` is an OID of this patient's document, the same
    for all its versions: entries take `ids.0.<table>.<n>` as root and the key of their row as extension. `pdf` is the copy of the
    document in PDF, when there is one."""

    TEMPLATES: str
    TYPE_CODE: str
    TITLE: str
    EVENT: str
    body: Callable[..., str]


def _templates(arc: int) -> str:
    return f'<templateId root="1.2.250.1.213.1.1.1.{arc}" extension="2022.01"/>'


_MOVED = '<code code="28651-8" displayName="Transfert du patient au service des urgences" codeSystem="2.16.840.1.113883.6.1"/>'

# Rows of problem, allergy, treatment, immunization. The header wants the médecin traitant (`vsm.attending_participant`).
DLU = Model(
    _templates(22),
    "74207-2",
    "DOCUMENT DE LIAISON D'URGENCE",
    '<code code="34117-2" displayName="Historique et clinique" codeSystem="2.16.840.1.113883.6.1"/>',
    _dlu,
)
# Rows of vital_sign and treatment.
FLUDT = Model(
    _templates(23),
    "74207-2",
    "FICHE DE LIAISON D'URGENCE/DOCUMENT DE TRANSFERT DE L'EHPAD VERS LE SERVICE DES URGENCES",
    _MOVED,
    _fludt,
)
# Rows of problem (active: the diagnoses) and treatment: the caller gives those of the stay.
FLUDR = Model(
    _templates(24),
    "74207-2",
    "FICHE DE LIAISON D'URGENCE/DOCUMENT DE RETOUR DU SERVICE DES URGENCES VERS L'EHPAD",
    _MOVED,
    _fludr,
)

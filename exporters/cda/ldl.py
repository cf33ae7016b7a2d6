"""The « lettres de liaison »: to a hospital (LDL-EES_2022.01, by the attending doctor) and from it (LDL-SES_2022.01).

Sheet `cda-header-ci-sis.md`, section 11. What a letter says of the stay is a value of this module, for no table of the record holds
it; entries belong to `entries/`, the header to `header.py`. The caller writes `header.document(Heading(templates=ENTRY.templates,
type_code=ENTRY.type_code, title=ENTRY.title, event=EVENT, ...), ..., entry_body(record, letter, ids))`, and so for DISCHARGE.
Family history, risk factors, vital signs and vaccinations are no part of these models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from transvase.exporters.cda import sections
from transvase.exporters.cda.entries import allergy, problem, procedure, result, treatment
from transvase.exporters.cda.entries.coding import ABSENCE
from transvase.exporters.cda.entries.dating import point, shown
from transvase.exporters.cda.entries.wording import NEGATION, words
from transvase.formats.xml_text import attribute as q
from transvase.model.record import ROW, Record


class Model(NamedTuple):
    """What the header takes from a model."""

    templates: str
    type_code: str
    title: str


ENTRY = Model(
    '<templateId root="1.2.250.1.213.1.1.1.21" extension="2022.01"/>',
    "18761-7",
    "Lettre de liaison à l'entrée en établissement de santé",
)
DISCHARGE = Model(
    '<templateId root="1.2.250.1.213.1.1.1.29" extension="2022.01"/>',
    "11490-0",
    "Lettre de liaison à la sortie de l'établissement de santé",
)
# The documented act of both letters.
EVENT = (
    '<code code="IMP" displayName="Hospitalisation (établissement, y compris HAD)" codeSystem="2.16.840.1.113883.5.4"'
    ' codeSystemName="HL7:ActCode"/>'
)

_SNOMED = "2.16.840.1.113883.6.96"
_ANS = "1.2.250.1.213.1.1.4.322"
_PLACES = "1.2.250.1.213.1.6.1.8"


class Choice(NamedTuple):
    """A concept of a closed list."""

    code: str
    system: str
    display: str


# JDV_ModaliteEntree, JDV_ModaliteSortie, JDV_StatutDoc (a test compares them with the official files).
ARRIVALS = {
    "urgent": Choice("183452005", _SNOMED, "hospitalisation en urgence"),
    "planned": Choice("8715000", _SNOMED, "hospitalisation programmée"),
    "transfer": Choice("107724000", _SNOMED, "transfert du patient"),
    "other": Choice("GEN-092.06.07", _ANS, "Autre modalité d'entrée"),
}
DEPARTURES = {
    "home": Choice("160849004", _SNOMED, "retour au domicile"),
    "rehabilitation": Choice("109", _PLACES, "Etablissement de santé privé autorisé en SSR"),
    "hospital_at_home": Choice("127", _PLACES, "Hospitalisation à Domicile"),
    "nursing_home": Choice("500", _PLACES, "Etablissement d'hébergement pour personnes âgées dépendantes"),
    "hospital": Choice("GEN-092.06.01", _ANS, "Autre établissement de santé"),
    "other": Choice("GEN-092.06.03", _ANS, "Autre destination"),
}
STATES = {
    "in_progress": Choice("385651009", _SNOMED, "en cours d'exécution"),
    "done": Choice("398166005", _SNOMED, "réalisé"),
    "approved": Choice("9571008", _SNOMED, "approuvé"),
    "closed": Choice("29179001", _SNOMED, "clôturé"),
}


@dataclass(frozen=True, slots=True)
class EntryLetter:
    """What the attending doctor tells the hospital, in words: why, and anything else. Empty: said not recorded."""

    reason: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay as its discharge letter tells it. `state`, `arrival` and `departure` are keys of STATES, ARRIVALS and DEPARTURES;
    days are ISO dates; None is unknown, never no. `stopped` holds rows of `treatment` given during the stay and stopped."""

    reason: str = ""
    state: str = "done"
    arrival: str = "other"
    arrived: str | None = None
    departure: str = "other"
    left: str | None = None
    synthesis: str = ""
    adverse: str = ""
    resistance_searched: bool | None = None
    resistance_found: str = ""
    transfused: bool | None = None
    transfusion_accidents: str = ""
    blood_products: bool | None = None
    blood_product_events: str = ""
    stopped: Sequence[Any] = ()
    expected: str = ""
    plan: str = ""


Writer = Callable[[list[Any], str, str], tuple[str, str]]


class _Rows(NamedTuple):
    """A section of coded rows: its title, code and templateIds, how its rows are written, the last arc of their identifiers, the
    first letter of its XML IDs, and the row that says that nothing is known: a section wants one entry."""

    title: str
    loinc: tuple[str, str]
    templates: tuple[str, ...]
    columns: tuple[str, ...]
    write: Writer
    arc: int
    mark: str
    unknown: Any


def _absence(table: str, code: str, display: str, assertion: str, **others: str) -> Any:
    kind = ROW[table]
    filled = {"key": code, "label": display, "code": code, "system": ABSENCE, "assertion": assertion} | others
    return kind(**{name: filled.get(name) for name in kind._fields})


# Codes of the IPS (JDV_AbsentOrUnknown*). The assertion is the one under which each writer leaves the code unnegated.
_NO_TREATMENT_INFO = _absence(
    "treatment", "no-medication-info", "Pas d'information sur les traitements médicamenteux", "affirmed"
)
_NO_ALLERGY_INFO = _absence(
    "allergy", "no-allergy-info", "Pas d’information sur les allergies/hypersensibilités", "denied"
)
_NO_PROBLEM_INFO = _absence(
    "problem", "no-problem-info", "Pas d'information sur les problèmes", "affirmed", category="history"
)
_NO_PROCEDURE_INFO = _absence(
    "problem", "no-procedure-info", "Pas d'information sur les actes et interventions", "affirmed"
)
# Last arcs of the identifiers of rows: those of the synthesis, so that a row keeps its number.
_PROBLEM_ROWS, _ALLERGY_ROWS, _TREATMENT_ROWS = 101, 102, 103


def _treatments(title: str, loinc: tuple[str, str], templates: tuple[str, ...], mark: str) -> _Rows:
    return _Rows(title, loinc, templates, treatment.COLUMNS, treatment.write, _TREATMENT_ROWS, mark, _NO_TREATMENT_INFO)


_AT_ENTRY = _treatments(
    "Traitements à l'admission",
    ("42346-7", "Traitements à l'admission"),
    ("1.3.6.1.4.1.19376.1.5.3.1.3.20", "1.2.250.1.213.1.1.2.144"),
    "t",
)
_GIVEN = _treatments(
    "Traitements arrêtés durant le séjour",
    ("18610-6", "Traitements administrés"),
    ("1.3.6.1.4.1.19376.1.5.3.1.3.21", "1.2.250.1.213.1.1.2.145"),
    "g",
)
_AT_DISCHARGE = _treatments(
    "Traitements à la sortie",
    ("10183-2", "Traitements à la sortie"),
    ("1.3.6.1.4.1.19376.1.5.3.1.3.22", "1.2.250.1.213.1.1.2.146"),
    "t",
)
_ALLERGIES = _Rows(
    "Allergies et hypersensibilités",
    ("48765-2", "Allergies et hypersensibilités"),
    ("2.16.840.1.113883.10.20.1.2", "1.3.6.1.4.1.19376.1.5.3.1.3.13", "1.2.250.1.213.1.1.2.137"),
    allergy.COLUMNS,
    allergy.write,
    _ALLERGY_ROWS,
    "a",
    _NO_ALLERGY_INFO,
)


def _problems(rows: list[Any], ids: str, mark: str) -> tuple[str, str]:
    """Active problems stay active in a section of history: the entry letter has no other place for them."""
    parts = (
        problem.write([row for row in rows if not _active(row)], ids, mark, active=False),
        problem.write([row for row in rows if _active(row)], ids, f"{mark}a", active=True),
    )
    return "".join(part[0] for part in parts), "".join(part[1] for part in parts)


def _active(row: Any) -> bool:
    return row.category != "history" and not row.resolved


_HISTORY = _Rows(
    "Antécédents médicaux",
    ("11348-0", "Antécédents médicaux"),
    ("1.3.6.1.4.1.19376.1.5.3.1.3.8", "1.2.250.1.213.1.1.2.134"),
    problem.COLUMNS,
    _problems,
    _PROBLEM_ROWS,
    "p",
    _NO_PROBLEM_INFO,
)
_SURGERY = _Rows(
    "Antécédents chirurgicaux",
    ("47519-4", "Historique des actes"),
    (
        "2.16.840.1.113883.10.20.1.12",
        "1.3.6.1.4.1.19376.1.5.3.1.3.11",
        "1.3.6.1.4.1.19376.1.5.3.1.3.12",
        "1.2.250.1.213.1.1.2.136",
    ),
    procedure.COLUMNS,
    procedure.write,
    _PROBLEM_ROWS,
    "s",
    _NO_PROCEDURE_INFO,
)


def _of_rows(part: _Rows, rows: list[Any], ids: str, arc: int) -> str:
    """A section of rows. Without an affirmed or denied one, its entry says that nothing is known; rows not recorded are lines for the
    reader and no entry."""
    under = f"{ids}.{part.arc}"
    lines, entries = part.write(rows, under, part.mark)
    told = ""
    if not any(row.assertion in NEGATION for row in rows):
        # The writers number rows from 1; the sentence of the section is number 0.
        entries = part.write([part.unknown], under, part.mark)[1]
        mark = f"{part.mark}0"
        entries = entries.replace(f'"#{part.mark}1', f'"#{mark}')
        told = f'<paragraph ID="{mark}"><content ID="{mark}p">{sections.NOT_RECORDED}</content></paragraph>'
    table = f"{sections.columns(part.columns)}{lines}</tbody></table>" if rows else ""
    head = sections.head(arc, part.title, *part.loinc, *part.templates).replace("{ids}", ids, 1)
    return f"{head}<text>{told}{table}</text>{entries}</section></component>"


def _paragraphs(said: str) -> str:
    """Words of the letter: a line break stays one, nothing at all is said not recorded."""
    lines = said.replace("\r\n", "\n").replace("\r", "\n").split("\n") if said else [sections.NOT_RECORDED]
    return "".join(f"<paragraph>{words(line)}</paragraph>" for line in lines)


def _of_words(ids: str, arc: int, title: str, loinc: tuple[str, str], templates: tuple[str, ...], text: str) -> str:
    head = sections.head(arc, title, *loinc, *templates).replace("{ids}", ids, 1)
    return f"{head}<text>{text}</text></section></component>"


def _reason(ids: str, said: str) -> str:
    return _of_words(
        ids,
        1,
        "Motif d'hospitalisation",
        ("42349-1", "Raison de la recommandation"),
        ("1.3.6.1.4.1.19376.1.5.3.1.3.1", "1.2.250.1.213.1.1.2.127"),
        _paragraphs(said),
    )


def _body(parts: str, ids: str, pdf: bytes | None) -> str:
    copy = sections.pdf_copy(pdf, ids, 20) if pdf is not None else ""
    return f"<component><structuredBody>{parts}{copy}</structuredBody></component>"


def entry_body(record: Record, letter: EntryLetter, ids: str, pdf: bytes | None = None) -> str:
    """The component of an entry letter. `ids` as for the synthesis (`vsm.body`): the same for all versions of the letter.

    Each affirmed or denied row of `treatment`, `allergy` and `problem` (but family history, no part of the model) is one entry."""
    ids = f"{q(ids)}.0"
    problems = record.get("problem", ())
    history = [row for row in problems if row.category not in ("surgery", "family")]
    surgery = [row for row in problems if row.category == "surgery"]
    parts = (
        _reason(ids, letter.reason),
        _of_rows(_AT_ENTRY, record.get("treatment", []), ids, 2),
        _of_rows(_ALLERGIES, record.get("allergy", []), ids, 3),
        _of_rows(_HISTORY, history, ids, 4) if history else "",
        _of_rows(_SURGERY, surgery, ids, 5) if surgery else "",
        _of_words(
            ids,
            6,
            "Autres informations",
            ("55112-7", "Commentaire"),
            ("2.16.840.1.113883.10.12.201", "1.3.6.1.4.1.19376.1.4.1.2.16", "1.2.250.1.213.1.1.2.73"),
            _paragraphs(letter.comment),
        ),
    )
    return _body("".join(parts), ids, pdf)


def _observation(
    ids: str, arc: str, templates: str, code: tuple[str, str], ref: str, when: str | None, value: str
) -> str:
    """FR-Simple-observation of the given narrower templates."""
    return (
        '<entry><observation classCode="OBS" moodCode="EVN"><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13"/>'
        f'<templateId root="1.2.250.1.213.1.1.3.48"/>{templates}<id root="{ids}.{arc}"/>'
        f'<code code="{code[0]}" displayName="{code[1]}" codeSystem="{_ANS}" codeSystemName="TA_ASIP"/>'
        f'<text><reference value="#{ref}"/></text><statusCode code="completed"/><effectiveTime {point(when)}/>{value}'
        "</observation></entry>"
    )


def _template(*arcs: str) -> str:
    return "".join(f'<templateId root="1.2.250.1.213.1.1.3.48.{arc}"/>' for arc in arcs)


def _chosen(tag: str, choice: Choice) -> str:
    return f'<value xsi:type="{tag}" code="{choice.code}" displayName="{words(choice.display)}" codeSystem="{choice.system}"/>'


def _yes_no(said: bool | None) -> tuple[str, str]:
    """Words and value of a question: unknown is neither yes nor no."""
    if said is None:
        return sections.NOT_RECORDED, '<value xsi:type="BL" nullFlavor="UNK"/>'
    return ("Oui" if said else "Non"), f'<value xsi:type="BL" value="{"true" if said else "false"}"/>'


def _state(ids: str, stay: Stay) -> str:
    choice = STATES[stay.state]
    head = sections.head(
        7, "Statut du document", "33557-0", "Etat d'achèvement", "1.2.250.1.213.1.1.2.35", "1.2.250.1.213.1.1.2.35.1"
    ).replace("{ids}", ids, 1)
    entry = _observation(
        ids, "7.1", _template("16", "16.1"), ("GEN-065", "Statut du document"), "etat", stay.left, _chosen("CD", choice)
    )
    return f'{head}<text><paragraph ID="etat">{words(choice.display)}</paragraph></text>{entry}</section></component>'


def _events(ids: str, stay: Stay) -> str:
    """FR-Resultats-evenements: six observations that the model shows once each, four more when there is something to say."""
    lines: list[str] = []
    entries: list[str] = []

    def tell(arc: str, code: str, display: str, told: str, when: str | None, value: str) -> None:
        ref = f"ev{arc}"
        day = f"{shown(when)} " if when else ""
        lines.append(f'<tr><td>{display}</td><td><content ID="{ref}">{day}{told}</content></td></tr>')
        entries.append(_observation(ids, f"8.{arc}", _template(arc), (code, display), ref, when, value))

    def words_of(arc: str, code: str, display: str, said: str) -> None:
        if said:
            tell(arc, code, display, words(said), stay.left, f'<value xsi:type="ST">{words(said)}</value>')

    arrival, departure = ARRIVALS[stay.arrival], DEPARTURES[stay.departure]
    tell("6", "ORG-070", "Modalité d'entrée", words(arrival.display), stay.arrived, _chosen("CE", arrival))
    tell("7", "ORG-074", "Modalité de sortie", words(departure.display), stay.left, _chosen("CE", departure))
    if stay.synthesis:
        words_of("9", "MED-142", "Synthèse médicale", stay.synthesis)
    else:
        unknown = '<value xsi:type="ST" nullFlavor="UNK"/>'
        tell("9", "MED-142", "Synthèse médicale", sections.NOT_RECORDED, None, unknown)
    words_of("3", "MED-143", "Evènements indésirables survenus pendant l'hospitalisation", stay.adverse)
    for arc, code, display, said, found in (
        (
            "8",
            "MED-309",
            "Recherche de microorganismes multi-résistants ou émergents effectuée",
            stay.resistance_searched,
            ("5", "MED-144", "Identification de micro-organismes multirésistants", stay.resistance_found),
        ),
        (
            "10",
            "MED-145",
            "Transfusion de produits sanguins",
            stay.transfused,
            ("1", "MED-146", "Accidents transfusionnels", stay.transfusion_accidents),
        ),
        (
            "2",
            "MED-147",
            "Administration de dérivés du sang",
            stay.blood_products,
            (
                "4",
                "MED-148",
                "Evènements indésirables suite à l'administration de dérivés du sang",
                stay.blood_product_events,
            ),
        ),
    ):
        told, value = _yes_no(said)
        tell(arc, code, display, told, stay.left, value)
        words_of(*found)
    head = sections.head(
        8,
        "Synthèse médicale du séjour",
        "42545-4",
        "Evènements observés",
        "1.3.6.1.4.1.19376.1.5.3.1.1.21.2.9",
        "1.3.6.1.4.1.19376.1.7.3.1.1.13.7",
        "1.2.250.1.213.1.1.2.163",
        "1.2.250.1.213.1.1.2.163.1",
    ).replace("{ids}", ids, 1)
    table = f"{sections.columns(('Élément', 'Valeur'))}{''.join(lines)}</tbody></table>"
    return f"{head}<text>{table}</text>{''.join(entries)}</section></component>"


def _results(ids: str, rows: list[Any], expected: str) -> str:
    """Results of the stay as a table, the section of the model holds text only, and those still expected in words."""
    text = f"{sections.columns(result.COLUMNS)}{result.write(rows)}</tbody></table>" if rows else ""
    text += _paragraphs(expected) if expected else ""
    if not text:
        return ""
    return _of_words(
        ids,
        11,
        "Résultats d'examens",
        ("30954-2", "Résultats d'examens"),
        ("1.3.6.1.4.1.19376.1.5.3.1.3.27", "1.2.250.1.213.1.1.2.150"),
        text,
    )


def _plan(ids: str, said: str) -> str:
    if not said:
        return ""
    return _of_words(
        ids,
        12,
        "Suites à donner",
        ("18776-5", "Plan de soins"),
        ("2.16.840.1.113883.10.20.1.10", "1.3.6.1.4.1.19376.1.5.3.1.3.36", "1.2.250.1.213.1.1.2.158"),
        _paragraphs(said),
    )


def discharge_body(record: Record, stay: Stay, ids: str, pdf: bytes | None = None) -> str:
    """The component of a discharge letter. `record` holds what is true when the patient leaves: rows of `treatment` are those at
    discharge, of `allergy` those found, of `lab_result` those of the stay. `ids` as for the synthesis (`vsm.body`).

    KeyError when `state`, `arrival` or `departure` is no key of its list."""
    ids = f"{q(ids)}.0"
    stopped = list(stay.stopped)
    allergies = record.get("allergy", [])
    parts = (
        _state(ids, stay),
        _reason(ids, stay.reason),
        _events(ids, stay),
        _of_rows(_GIVEN, stopped, ids, 9) if stopped else "",
        _of_rows(_AT_DISCHARGE, record.get("treatment", []), ids, 10),
        _results(ids, record.get("lab_result", []), stay.expected),
        _plan(ids, stay.plan),
        _of_rows(_ALLERGIES, allergies, ids, 13) if allergies else "",
    )
    return _body("".join(parts), ids, pdf)

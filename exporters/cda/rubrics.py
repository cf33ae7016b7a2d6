"""Sections of the record that several structured models hold alike, each with the entries of its rows.

Which of them a model has, in what order, inside which others and what it says of an empty one belong to the model (`ips_fr.py`, `dlu.py`,
`vsm.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from transvase.exporters.cda import sections
from transvase.exporters.cda.entries import (
    allergy,
    family,
    habit,
    immunization,
    problem,
    procedure,
    summary_result,
    treatment,
    vital_sign,
)
from transvase.exporters.cda.entries.coding import ABSENCE
from transvase.exporters.cda.entries.wording import NEGATION, NO_INFORMATION, label
from transvase.model.record import ROW, Record

# Last arc of the identifiers of entries, one for each table, the same in every model: a row that changes section keeps its own.
PROBLEM_ROWS, ALLERGY_ROWS, TREATMENT_ROWS, FACTOR_ROWS, SIGN_ROWS, VACCINE_ROWS, RESULT_ROWS = range(101, 108)

Writer = Callable[[list[Any], str, str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Rubric:
    """A section. `arc` ends the OID of its entries, `mark` starts its XML IDs; `unknown` is the row that says, with a code of
    absence, that the record holds nothing: None when the model has no such entry for it."""

    title: str
    head: str
    arc: int
    mark: str
    columns: str
    write: Writer
    unknown: Any = None

    def section(self, rows: list[Any], ids: str) -> str:
        """The section with its rows. Without any affirmed or denied row, the one entry that the rules demand says `unknown`."""
        if self.unknown is not None and not any(stated(row) for row in rows):
            rows = [*rows, self.unknown]
        lines, entries = self.write(rows, f"{ids}.{self.arc}", self.mark)
        return (
            f"{self.head.replace('{ids}', ids, 1)}<text>{self.columns}{lines}</tbody></table></text>{entries}"
            "</section></component>"
        )


def stated(row: Any) -> bool:
    """Whether a row becomes an entry: measures and results always, other rows when affirmed or denied."""
    return getattr(row, "assertion", "affirmed") in NEGATION


def absent(rubric: Rubric, rows: list[Any]) -> str:
    """One list item for a section that is not there: what was asked and not recorded is named."""
    asked = f" ({' ; '.join(label(row.label) for row in rows)})" if rows else ""
    return f"<item>{rubric.title} : {sections.NOT_RECORDED.lower()}{asked}</item>"


def note(title: str, inner: str, ids: str, arc: int) -> str:
    """Section FR-Commentaire-non-code: text alone."""
    top = sections.head(
        arc,
        title,
        "55112-7",
        "Commentaire",
        "2.16.840.1.113883.10.12.201",
        "1.3.6.1.4.1.19376.1.4.1.2.16",
        "1.2.250.1.213.1.1.2.73",
    )
    return f"{top.replace('{ids}', ids, 1)}<text>{inner}</text></section></component>"


def by_rubric(record: Record) -> dict[str, list[Any]]:
    """Rows of `problem` by the section they belong to: `active`, `history`, `surgery`, `family`."""
    sorted_rows: dict[str, list[Any]] = {"active": [], "history": [], "surgery": [], "family": []}
    for row in record.get("problem", ()):
        if row.category in ("family", "surgery"):
            place = row.category
        else:
            place = "history" if row.category == "history" or row.resolved else "active"
        sorted_rows[place].append(row)
    return sorted_rows


def signs(rows: list[Any]) -> Rubric:
    """The section of vital signs that these rows can fill."""
    return SIGNS if any(vital_sign.listed(row.code) for row in rows) else OTHER_SIGNS


def _unknown(table: str, code: str, text: str, **columns: Any) -> Any:
    # An arc of its own would need a second root; no key of a record is this one, for it holds a space.
    values = {"key": f"{table} inconnu", "label": text, "code": code, "system": ABSENCE, "assertion": NO_INFORMATION}
    kind = ROW[table]
    return kind(**(dict.fromkeys(kind._fields) | values | columns))


_NO_PROBLEM = _unknown("problem", "no-problem-info", "Pas d'information sur les problèmes", category="problem")
_NO_ACT = _unknown("problem", "no-procedure-info", "Pas d'information sur les actes", category="surgery")
_NO_ALLERGY = _unknown("allergy", "no-allergy-info", "Pas d'information sur les allergies")
_NO_TREATMENT = _unknown("treatment", "no-medication-info", "Pas d'information sur les traitements médicamenteux")


def rubric(
    section: int,
    arc: int,
    mark: str,
    title: str,
    loinc: tuple[str, str],
    columns: tuple[str, ...],
    write: Writer,
    *roots: str,
    unknown: Any = None,
) -> Rubric:
    """A section; `section` is its arc under the root of identifiers, `roots` its templateIds."""
    return Rubric(
        title, sections.head(section, title, *loinc, *roots), arc, mark, sections.columns(columns), write, unknown
    )


PROBLEMS = rubric(
    4, PROBLEM_ROWS, "p", "Problèmes actifs", ("11450-4", "Liste des problèmes actifs"), problem.COLUMNS,
    partial(problem.write, active=True),
    "2.16.840.1.113883.10.20.1.11", "1.3.6.1.4.1.19376.1.5.3.1.3.6", "1.2.250.1.213.1.1.2.132", unknown=_NO_PROBLEM,
)  # fmt: skip
HISTORY = rubric(
    5, PROBLEM_ROWS, "h", "Antécédents médicaux", ("11348-0", "Antécédents médicaux"), problem.COLUMNS,
    partial(problem.write, active=False),
    "1.3.6.1.4.1.19376.1.5.3.1.3.8", "1.2.250.1.213.1.1.2.134",
)  # fmt: skip
DIAGNOSES = rubric(
    4, PROBLEM_ROWS, "p", "Diagnostics de sortie", ("11535-2", "Diagnostics de sortie"), problem.COLUMNS,
    partial(problem.write, active=True),
    "1.3.6.1.4.1.19376.1.5.3.1.3.7", "1.2.250.1.213.1.1.2.133", unknown=_NO_PROBLEM,
)  # fmt: skip
SURGERY = rubric(
    6, PROBLEM_ROWS, "s", "Historique des actes", ("47519-4", "Historique des actes"), procedure.COLUMNS, procedure.write,
    "2.16.840.1.113883.10.20.1.12", "1.3.6.1.4.1.19376.1.5.3.1.3.11", "1.3.6.1.4.1.19376.1.5.3.1.3.12",
    "1.2.250.1.213.1.1.2.136", unknown=_NO_ACT,
)  # fmt: skip
ALLERGIES = rubric(
    7, ALLERGY_ROWS, "a", "Allergies et hypersensibilités", ("48765-2", "Allergies et hypersensibilités"), allergy.COLUMNS,
    allergy.write,
    "2.16.840.1.113883.10.20.1.2", "1.3.6.1.4.1.19376.1.5.3.1.3.13", "1.2.250.1.213.1.1.2.137", unknown=_NO_ALLERGY,
)  # fmt: skip
HABITS = rubric(
    9, FACTOR_ROWS, "r", "Habitus, mode de vie", ("29762-2", "Habitus, Mode de vie"), habit.COLUMNS, habit.write,
    "2.16.840.1.113883.10.20.1.15", "1.3.6.1.4.1.19376.1.5.3.1.3.16", "1.3.6.1.4.1.19376.1.5.3.1.3.16.1",
    "1.2.250.1.213.1.1.2.141",
)  # fmt: skip
OCCUPATIONAL = rubric(
    10, FACTOR_ROWS, "o", "Facteurs de risque professionnels", ("10161-8", "Facteurs de risques professionnels"),
    habit.OCCUPATIONAL_COLUMNS, habit.occupational,
    "1.3.6.1.4.1.19376.1.5.3.1.1.5.3.1", "1.2.250.1.213.1.1.2.74",
)  # fmt: skip
FAMILY = rubric(
    11, PROBLEM_ROWS, "f", "Antécédents familiaux", ("10157-6", "Historique des pathologies familiales"), family.COLUMNS,
    family.write,
    "2.16.840.1.113883.10.20.1.4", "1.3.6.1.4.1.19376.1.5.3.1.3.14", "1.3.6.1.4.1.19376.1.5.3.1.3.15",
    "1.2.250.1.213.1.1.2.139",
)  # fmt: skip
TREATMENTS = rubric(
    14, TREATMENT_ROWS, "t", "Traitements", ("10160-0", "Traitements"), treatment.COLUMNS, treatment.write,
    "2.16.840.1.113883.10.20.1.8", "1.3.6.1.4.1.19376.1.5.3.1.3.19", "1.2.250.1.213.1.1.2.143", unknown=_NO_TREATMENT,
)  # fmt: skip
DISCHARGE_TREATMENTS = rubric(
    14, TREATMENT_ROWS, "t", "Traitements à la sortie", ("10183-2", "Traitements à la sortie"), treatment.COLUMNS,
    treatment.write,
    "1.3.6.1.4.1.19376.1.5.3.1.3.22", "1.2.250.1.213.1.1.2.146", unknown=_NO_TREATMENT,
)  # fmt: skip
SIGNS = rubric(
    16, SIGN_ROWS, "v", "Signes vitaux", ("8716-3", "Signes vitaux"), vital_sign.COLUMNS, vital_sign.write,
    "2.16.840.1.113883.10.20.1.16", "1.3.6.1.4.1.19376.1.5.3.1.3.25", "1.3.6.1.4.1.19376.1.5.3.1.1.5.3.2",
    "1.2.250.1.213.1.1.2.75",
)  # fmt: skip
# The same section without its coded form, which wants a measure of the national list.
OTHER_SIGNS = rubric(
    16, SIGN_ROWS, "v", "Signes vitaux", ("8716-3", "Signes vitaux"), vital_sign.COLUMNS, vital_sign.write,
    "2.16.840.1.113883.10.20.1.16", "1.3.6.1.4.1.19376.1.5.3.1.3.25",
)  # fmt: skip
VACCINES = rubric(
    17, VACCINE_ROWS, "i", "Vaccinations", ("11369-6", "Historique des vaccinations"), immunization.COLUMNS,
    partial(immunization.write, known={}),
    "2.16.840.1.113883.10.20.1.6", "1.3.6.1.4.1.19376.1.5.3.1.3.23", "1.2.250.1.213.1.1.2.147",
)  # fmt: skip
RESULTS = rubric(
    12, RESULT_ROWS, "l", "Résultats d'examens", ("30954-2", "Résultats d'examens"), summary_result.COLUMNS,
    summary_result.write, "1.2.250.1.213.1.1.2.244",
)  # fmt: skip

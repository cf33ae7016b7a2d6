"""The Composition: which rows make which section, in which order, and what an empty section says.

How a row becomes a resource is in the module of its concept; the envelope is in `bundle`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from transvase.exporters.fhir import (
    allergy,
    family_history,
    immunization,
    lab_result,
    problem,
    risk_factor,
    surgery,
    treatment,
    vital_sign,
)
from transvase.exporters.fhir.absence import AFFIRMED, DENIED, NOT_ASKED, NOT_RECORDED, UNAVAILABLE
from transvase.exporters.fhir.narrative import listing, shown, statement
from transvase.exporters.fhir.primitive import Resource, Written, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject, names
from transvase.exporters.fhir.terminology import LOINC, fixed
from transvase.model.record import Record


class Section(NamedTuple):
    """A section: LOINC code and title, the table and (for `problem`) the categories that fill it, resource and line of an item."""

    title: str
    loinc: str
    table: str
    write: Callable[[Any, Subject, str, Written], Resource]
    line: Callable[[Any], Written]
    categories: frozenset[str] = frozenset()


# LOINC codes of the IPS sections (Composition-uv-ips); family history is not one of them and has its own LOINC code.
SECTIONS = (
    Section("Problèmes", "11450-4", "problem", problem.condition, problem.line, frozenset({"problem"})),
    Section("Allergies et intolérances", "48765-2", "allergy", allergy.allergy_intolerance, allergy.line),
    Section("Traitements", "10160-0", "treatment", treatment.medication_statement, treatment.line),
    Section("Vaccinations", "11369-6", "immunization", immunization.immunization, immunization.line),
    Section("Résultats", "30954-2", "lab_result", lab_result.observation, lab_result.line),
    Section("Constantes", "8716-3", "vital_sign", vital_sign.observation, vital_sign.line),
    Section("Interventions", "47519-4", "problem", surgery.procedure, problem.line, frozenset({"surgery"})),
    Section("Antécédents", "11348-0", "problem", problem.condition, problem.line, frozenset({"history", "trauma"})),
    Section(
        "Antécédents familiaux",
        "10157-6",
        "problem",
        family_history.family_history,
        problem.line,
        frozenset({"family"}),
    ),
    Section("Mode de vie et facteurs de risque", "29762-2", "risk_factor", risk_factor.observation, risk_factor.line),
)
_TYPE = fixed(LOINC, "60591-5")
_META = f',"meta":{written({"profile": [ips_profile("Composition")]})}'
_TITLE = written("Synthèse du dossier médical")
_SILENT, _ABSENT = shown("Non renseigné : "), shown("Absence affirmée : ")
# What begins a section, and what one without rows says.
_HEADS = {
    section.loinc: f'{{"title":{written(section.title)},"code":{fixed(LOINC, section.loinc)},"text":'
    for section in SECTIONS
}
_MISSING = {
    loinc: f'{head}{statement("Aucune information dans le dossier du cabinet.")},"emptyReason":{UNAVAILABLE}}}'
    for loinc, head in _HEADS.items()
}


# The section of a problem, by its category.
_PLACES = {category: section.loinc for section in SECTIONS for category in section.categories}


def _problems(record: Record) -> dict[str, list[Any]]:
    """The rows of `problem`, by section."""
    found: dict[str, list[Any]] = {}
    for row in record.get("problem") or ():
        if place := _PLACES.get(row.category):
            found.setdefault(place, []).append(row)
    return found


def _items(section: Section, record: Record, problems: dict[str, list[Any]]) -> Sequence[Any]:
    if section.categories:
        return problems.get(section.loinc) or ()
    rows = record.get(section.table) or ()
    return vital_sign.measures(rows) if section.table == "vital_sign" else rows


def sections(record: Record, subject: Subject) -> tuple[list[Written], list[Resource]]:
    """The sections, and the resources that they hold, in the same order.

    A row that was not recorded makes no resource: it is named in the narrative, and the section without any other row is "not
    asked". A section without rows is "unavailable".
    """
    found: list[Written] = []
    resources: list[Resource] = []
    problems = _problems(record)
    for section in SECTIONS:
        items = _items(section, record, problems)
        if not items:
            found.append(_MISSING[section.loinc])
            continue
        write, line = section.write, section.line
        stated = section.table not in ("lab_result", "vital_sign")
        lines: list[Written] = []
        held: list[str] = []
        keys = [first.key for first, *_ in items] if section.table == "vital_sign" else [row.key for row in items]
        uuids = names(subject.practice, section.table, keys)
        for item, name, number in zip(items, uuids, subject.identifiers(section.table, keys), strict=True):
            words = line(item)
            if stated and (assertion := item.assertion) != AFFIRMED:
                if assertion == NOT_RECORDED:
                    lines.append(_SILENT + words)
                    continue
                if assertion == DENIED:
                    words = _ABSENT + words
            lines.append(words)
            resources.append(write(item, subject, name, number))
            held.append(name)
        if held:
            entries = '"},{"reference":"urn:uuid:'.join(held)
            end = f',"entry":[{{"reference":"urn:uuid:{entries}"}}]}}'
        else:
            end = f',"emptyReason":{NOT_ASKED}}}'
        found.append(f"{_HEADS[section.loinc]}{listing(lines)}{end}")
    return found, resources


def composition(
    identifier: Written,
    name: str,
    created: str,
    authors: list[Written],
    custodian: Written,
    subject: Subject,
    found: list[Written],
    ips: bool,
) -> Resource:
    """The Composition of the sections `found`. `identifier` is that of the document, `name` that of this resource, `ips` whether the
    rest of the document is what IPS requires."""
    content = (
        f'{{"resourceType":"Composition","id":"{name}"{_META if ips else ""},"language":"fr-FR","identifier":{identifier}'
        f',"status":"final","type":{_TYPE},"subject":{subject.patient},"date":"{created}","author":[{",".join(authors)}]'
        f',"title":{_TITLE},"confidentiality":"N","custodian":{custodian},"section":[{",".join(found)}]}}'
    )
    return "Composition", name, content

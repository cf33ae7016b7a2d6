"""The Composition: which rows make which section, in which order, and what an empty section says.

How a row becomes a resource is in the module of its concept; the envelope is in `bundle`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from orjson import Fragment

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
from transvase.exporters.fhir.absence import DENIED, NOT_ASKED, NOT_RECORDED, UNAVAILABLE
from transvase.exporters.fhir.narrative import listing, statement
from transvase.exporters.fhir.primitive import Json, written
from transvase.exporters.fhir.release import ips_profile
from transvase.exporters.fhir.subject import Subject
from transvase.exporters.fhir.terminology import LOINC, fixed
from transvase.model.record import Record


class Section(NamedTuple):
    """A section: LOINC code and title, the table and (for `problem`) the categories that fill it, resource and line of an item."""

    title: str
    loinc: str
    table: str
    write: Callable[[Any, Subject], Json]
    line: Callable[[Any], str]
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
_CODES = {section.loinc: fixed(LOINC, section.loinc) for section in SECTIONS}
_TYPE = fixed(LOINC, "60591-5")
_META = written({"profile": [ips_profile("Composition")]})
_MISSING = {
    section.loinc: written(
        {
            "title": section.title,
            "code": _CODES[section.loinc],
            "text": statement("Aucune information dans le dossier du cabinet."),
            "emptyReason": UNAVAILABLE,
        }
    )
    for section in SECTIONS
}


def _items(section: Section, record: Record) -> Sequence[Any]:
    rows = record.get(section.table) or ()
    if section.categories:
        return [row for row in rows if row.category in section.categories]
    return vital_sign.measures(rows) if section.table == "vital_sign" else rows


def sections(record: Record, subject: Subject) -> tuple[list[Json | Fragment], list[tuple[str, Json]]]:
    """The sections, and the resources that they hold, each with its URN, in the same order.

    A row that was not recorded makes no resource: it is named in the narrative, and the section without any other row is "not
    asked". A section without rows is "unavailable".
    """
    found: list[Json | Fragment] = []
    resources: list[tuple[str, Json]] = []
    for section in SECTIONS:
        items = _items(section, record)
        if not items:
            found.append(_MISSING[section.loinc])
            continue
        write, line = section.write, section.line
        stated = section.table not in ("lab_result", "vital_sign")
        lines: list[str] = []
        entries: list[Json] = []
        for item in items:
            words = line(item)
            if stated:
                if item.assertion == NOT_RECORDED:
                    lines.append(f"Non renseigné : {words}")
                    continue
                if item.assertion == DENIED:
                    words = f"Absence affirmée : {words}"
            lines.append(words)
            resource = write(item, subject)
            name = f"urn:uuid:{resource['id']}"
            resources.append((name, resource))
            entries.append({"reference": name})
        part: Json = {"title": section.title, "code": _CODES[section.loinc], "text": listing(lines)}
        if entries:
            part["entry"] = entries
        else:
            part["emptyReason"] = NOT_ASKED
        found.append(part)
    return found, resources


def composition(
    identifier: str,
    resource: str,
    created: str,
    authors: list[Fragment],
    custodian: Fragment,
    subject: Subject,
    found: list[Json | Fragment],
    ips: bool,
) -> Json:
    """The Composition of the sections `found`. `identifier` is the OID of the document, `resource` the name of this resource,
    `ips` whether the rest of the document is what IPS requires."""
    result: Json = {"resourceType": "Composition", "id": resource}
    if ips:
        result["meta"] = _META
    result["language"] = "fr-FR"
    result["identifier"] = {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{identifier}"}
    result["status"] = "final"
    result["type"] = _TYPE
    result["subject"] = subject.patient
    result["date"] = created
    result["author"] = authors
    result["title"] = "Synthèse du dossier médical"
    result["confidentiality"] = "N"
    result["custodian"] = custodian
    result["section"] = found
    return result

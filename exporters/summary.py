"""The record as a person reads it: the blocks of the synthesis PDF. Choosing and ordering only; drawing belongs to `pdf.writer`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from transvase.exporters.pdf.writer import Block, Heading, Paragraph, Table
from transvase.model.record import Record

_SAID = {"affirmed": "", "denied": "absence affirmée", "not_recorded": "non renseigné"}
# A page of results is what fits a consultation; the JSON beside it holds every row.
SHOWN = 60


# The same few thousand days come back from one record to the next.
@lru_cache(maxsize=8192)
def _date(value: str | None) -> str:
    """A date as French readers write it, with the precision it has; an impossible one as recorded."""
    if not value:
        return ""
    day = value[:10].split("-")
    return "/".join(reversed(day)) if all(p.isdigit() for p in day) else value


def _section(
    title: str, head: tuple[str, ...], rows: Sequence[Any], cells: Callable[[Any], tuple[str, ...]]
) -> list[Block]:
    if not rows:
        return [Heading(title, 2), Paragraph("Aucune donnée enregistrée.")]
    blocks: list[Block] = [Heading(title, 2), Table([head, *map(cells, rows[:SHOWN])])]
    if len(rows) > SHOWN:
        blocks.append(Paragraph(f"{len(rows) - SHOWN} lignes de plus dans DONNEES.JSON."))
    return blocks


def blocks(patient: Any, record: Record) -> list[Block]:
    """The pages of one patient: identity, problems, allergies, treatments, risk factors, vaccinations, last results, documents."""
    names = " ".join(v for v in (patient.birth_family, patient.birth_given) if v)
    used = " ".join(v for v in (patient.used_family, patient.used_given) if v)
    who = [
        ("Nom et prénoms de naissance", names),
        ("Nom et prénom utilisés", used),
        ("Date de naissance", _date(patient.birth_date)),
        ("Sexe", patient.sex or ""),
        ("Numéro de dossier", patient.key),
    ]
    out: list[Block] = [Table([row for row in who if row[1]], header=False)]
    if patient.important:
        out.append(Paragraph(patient.important, bold=True))
    out += _section(
        "Pathologies et antécédents",
        ("Libellé", "Code", "Début", "Fin", "Mention"),
        record.get("problem", []),
        lambda r: (r.label, r.code or "", _date(r.onset), _date(r.resolved), _SAID[r.assertion]),
    )
    out += _section(
        "Allergies et intolérances",
        ("Substance", "Réaction", "Mention"),
        record.get("allergy", []),
        lambda r: (r.label, r.reaction or "", _SAID[r.assertion]),
    )
    out += _section(
        "Traitements",
        ("Libellé", "Posologie", "Début", "Fin", "Mention"),
        record.get("treatment", []),
        lambda r: (r.label, r.dosage or "", _date(r.start), _date(r.stop), _SAID[r.assertion]),
    )
    out += _section(
        "Facteurs de risque",
        ("Libellé", "Valeur", "Mention"),
        record.get("risk_factor", []),
        lambda r: (r.label, r.value or "", _SAID[r.assertion]),
    )
    out += _section(
        "Vaccinations",
        ("Vaccin", "Date", "Lot"),
        record.get("immunization", []),
        lambda r: (r.label, _date(r.given), r.lot or ""),
    )
    newest = sorted(record.get("lab_result", []), key=lambda r: (r.measured or "", r.key), reverse=True)
    out += _section(
        "Derniers résultats de biologie",
        ("Examen", "Valeur", "Unité", "Date"),
        newest,
        lambda r: (r.label, r.value or r.value_text or "", r.unit or "", _date(r.measured)),
    )
    return out

"""Canonical table `personal_note`."""

from __future__ import annotations

from transvase.model.columns import ENCOUNTER, KEY, PATIENT, PRACTITIONER
from transvase.model.table import Column, Kind, Table

PERSONAL_NOTE = Table(
    "personal_note",
    "A professional's personal note: outside a single-patient export unless required by a judge (PORT-21).",
    "Une note personnelle du professionnel.",
    (
        KEY,
        PATIENT,
        PRACTITIONER,
        ENCOUNTER,
        Column("recorded", Kind.INSTANT, "When it was written.", "Date de rédaction."),
        Column("title", Kind.TEXT, "Heading in the software.", "Intitulé."),
        Column("text", Kind.TEXT, "The note, as written.", "Texte.", required=True),
    ),
    unitary=False,
    dated="recorded",
)

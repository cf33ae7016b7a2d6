"""Canonical table `note`."""

from __future__ import annotations

from transvase.model.columns import ENCOUNTER, KEY, PATIENT, PRACTITIONER
from transvase.model.table import Column, Kind, Table

NOTE = Table(
    "note",
    "A consultation note.",
    "Une note de consultation.",
    (
        KEY,
        PATIENT,
        PRACTITIONER,
        ENCOUNTER,
        Column("recorded", Kind.INSTANT, "When it was written.", "Date de rédaction."),
        Column("title", Kind.TEXT, "Heading in the software.", "Intitulé."),
        Column("text", Kind.TEXT, "The note, as written.", "Texte.", required=True),
    ),
    dated="recorded",
)

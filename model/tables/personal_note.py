"""Canonical table `personal_note`."""

from __future__ import annotations

from transvase.model.table import Column, Kind, Table

PERSONAL_NOTE = Table(
    "personal_note",
    "A professional's personal note: outside a single-patient export unless required by a judge (PORT-21).",
    "Une note personnelle du professionnel.",
    (
        Column(
            "key",
            Kind.TEXT,
            "Key of the record in the practice's software.",
            "Clé de l'enregistrement dans le logiciel.",
            required=True,
        ),
        Column(
            "patient",
            Kind.TEXT,
            "Patient the record belongs to.",
            "Patient concerné.",
            required=True,
            references="patient",
        ),
        Column(
            "practitioner",
            Kind.TEXT,
            "Professional who made the record.",
            "Professionnel auteur.",
            references="practitioner",
        ),
        Column("encounter", Kind.TEXT, "Encounter it belongs to.", "Consultation liée.", references="encounter"),
        Column("recorded", Kind.INSTANT, "When it was written.", "Date de rédaction."),
        Column("title", Kind.TEXT, "Heading in the software.", "Intitulé."),
        Column("text", Kind.TEXT, "The note, as written.", "Texte.", required=True),
    ),
    unitary=False,
)

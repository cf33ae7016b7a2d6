"""Canonical table `note`."""

from __future__ import annotations

from transvase.model.table import Column, Kind, Table

NOTE = Table(
    "note",
    "A consultation note.",
    "Une note de consultation.",
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
)

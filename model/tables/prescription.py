"""Canonical table `prescription`."""

from __future__ import annotations

from transvase.model.table import Column, Kind, Table

PRESCRIPTION = Table(
    "prescription",
    "A prescription signed here.",
    "Une ordonnance.",
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
        Column("document", Kind.TEXT, "Its document.", "Document lié.", references="document"),
        Column(
            "category",
            Kind.TEXT,
            "What is prescribed.",
            "Nature.",
            required=True,
            values=("medication", "laboratory", "imaging", "care", "device", "other"),
        ),
        Column("prescribed", Kind.INSTANT, "When it was signed.", "Date de signature.", required=True),
    ),
)

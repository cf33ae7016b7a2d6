"""Canonical table `prescription`."""

from __future__ import annotations

from transvase.model.columns import ENCOUNTER, KEY, PATIENT, PRACTITIONER
from transvase.model.table import Column, Kind, Table

PRESCRIPTION = Table(
    "prescription",
    "A prescription signed here.",
    "Une ordonnance.",
    (
        KEY,
        PATIENT,
        PRACTITIONER,
        ENCOUNTER,
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
    dated="prescribed",
)

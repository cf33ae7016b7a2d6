"""Canonical table `prescription_line`."""

from __future__ import annotations

from transvase.model.columns import KEY, PATIENT, SYSTEM
from transvase.model.table import Column, Kind, Table

PRESCRIPTION_LINE = Table(
    "prescription_line",
    "One line of a prescription.",
    "Une ligne d'ordonnance.",
    (
        KEY,
        PATIENT,
        Column(
            "prescription",
            Kind.TEXT,
            "Prescription it belongs to.",
            "Ordonnance.",
            required=True,
            references="prescription",
        ),
        Column("code", Kind.TEXT, "Code as recorded (CIP13, LOINC, CCAM).", "Code."),
        SYSTEM,
        Column("label", Kind.TEXT, "Label as written.", "Libellé.", required=True),
        Column("dosage", Kind.TEXT, "Dosage as written.", "Posologie."),
        Column("duration", Kind.TEXT, "Duration as written.", "Durée."),
        Column("renewals", Kind.INTEGER, "Renewals allowed.", "Renouvellements."),
        Column("long_term", Kind.FLAG, "In relation with a long-term condition (ALD).", "En rapport avec une ALD."),
    ),
)

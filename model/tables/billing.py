"""Canonical table `billing`."""

from __future__ import annotations

from transvase.model.table import Column, Kind, Table

BILLING = Table(
    "billing",
    "A billing line, outside the pivot scope, kept in its original form.",
    "Une ligne de facturation.",
    (
        Column(
            "key",
            Kind.TEXT,
            "Key of the record in the practice's software.",
            "Clé de l'enregistrement dans le logiciel.",
            required=True,
        ),
        Column("patient", Kind.TEXT, "Patient.", "Patient.", references="patient"),
        Column("at", Kind.DATE, "Day.", "Date."),
        Column("label", Kind.TEXT, "Label.", "Libellé."),
        Column("amount", Kind.DECIMAL, "Amount in EUR.", "Montant en euros."),
    ),
    pivot=False,
    unitary=False,
)

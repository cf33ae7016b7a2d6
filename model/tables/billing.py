"""Canonical table `billing`."""

from __future__ import annotations

from transvase.model.columns import KEY
from transvase.model.table import Column, Kind, Table

BILLING = Table(
    "billing",
    "A billing line, outside the pivot scope, kept in its original form.",
    "Une ligne de facturation.",
    (
        KEY,
        Column("patient", Kind.TEXT, "Patient.", "Patient.", references="patient"),
        Column("at", Kind.DATE, "Day.", "Date."),
        Column("label", Kind.TEXT, "Label.", "Libellé."),
        Column("amount", Kind.DECIMAL, "Amount in EUR.", "Montant en euros."),
    ),
    pivot=False,
    unitary=False,
    dated="at",
)

"""Canonical table `dispensation`."""

from __future__ import annotations

from transvase.model.columns import KEY, PATIENT, SYSTEM
from transvase.model.table import Column, Kind, Table

DISPENSATION = Table(
    "dispensation",
    "A dispensation known to the practice.",
    "Une dispensation connue du cabinet.",
    (
        KEY,
        PATIENT,
        Column("prescription", Kind.TEXT, "Prescription dispensed.", "Ordonnance.", references="prescription"),
        Column("code", Kind.TEXT, "Code (CIP13).", "Code."),
        SYSTEM,
        Column("label", Kind.TEXT, "Label.", "Libellé.", required=True),
        Column("quantity", Kind.TEXT, "Quantity as written.", "Quantité."),
        Column("dispensed", Kind.DATE, "Day of dispensation.", "Date de délivrance."),
    ),
    dated="dispensed",
)

"""Canonical table `dispensation`."""

from __future__ import annotations

from transvase.model.table import Column, Kind, Table

DISPENSATION = Table(
    "dispensation",
    "A dispensation known to the practice.",
    "Une dispensation connue du cabinet.",
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
        Column("prescription", Kind.TEXT, "Prescription dispensed.", "Ordonnance.", references="prescription"),
        Column("code", Kind.TEXT, "Code (CIP13).", "Code."),
        Column("system", Kind.TEXT, "OID of the code system.", "OID du système de codage."),
        Column("label", Kind.TEXT, "Label.", "Libellé.", required=True),
        Column("quantity", Kind.TEXT, "Quantity as written.", "Quantité."),
        Column("dispensed", Kind.DATE, "Day of dispensation.", "Date de délivrance."),
    ),
)

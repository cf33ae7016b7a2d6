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
        Column("valid_until", Kind.DATE, "Last day on which it may be dispensed.", "Dernier jour de validité."),
        Column(
            "e_prescription",
            Kind.TEXT,
            "Number of the national e-prescription (EPU).",
            "Numéro de l'ordonnance numérique (EPU).",
        ),
        Column("two_zones", Kind.FLAG, "Written on the two-zone form (ALD).", "Ordonnance bizone."),
        Column(
            "exceptional",
            Kind.FLAG,
            "Written on the form of exceptional medicines.",
            "Ordonnance de médicaments d'exception.",
        ),
        Column("secured", Kind.FLAG, "Written on the secured form (narcotics).", "Ordonnance sécurisée."),
        Column("urgent", Kind.FLAG, "To be carried out urgently.", "Exécution en urgence."),
        Column("at_home", Kind.FLAG, "To be carried out at home.", "Exécution à domicile."),
    ),
    dated="prescribed",
)

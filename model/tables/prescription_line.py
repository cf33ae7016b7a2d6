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
        Column(
            "work_related",
            Kind.FLAG,
            "In relation with a work accident or an occupational disease.",
            "En rapport avec un accident du travail ou une maladie professionnelle.",
        ),
        Column("prevention", Kind.FLAG, "In relation with prevention.", "En rapport avec la prévention."),
        Column("not_reimbursed", Kind.FLAG, "Not to be reimbursed.", "Non remboursable."),
        Column(
            "off_label", Kind.FLAG, "Outside the marketing authorisation.", "Hors autorisation de mise sur le marché."
        ),
        Column("unsubstitutable", Kind.FLAG, "No generic may replace it.", "Non substituable."),
        Column("unsubstitutable_reason", Kind.TEXT, "Why, as written.", "Motif de la non-substitution."),
        Column("start", Kind.DATE, "First day of the treatment.", "Début du traitement."),
        Column("stop", Kind.DATE, "Last day of the treatment.", "Fin du traitement."),
        Column("dose", Kind.DECIMAL, "Dose of one intake.", "Dose par prise."),
        Column("dose_unit", Kind.TEXT, "Unit of the dose as written.", "Unité de la dose."),
        Column("frequency", Kind.INTEGER, "Intakes in one period.", "Nombre de prises par période."),
        Column("period", Kind.DECIMAL, "Length of the period, in its unit.", "Durée de la période."),
        Column(
            "period_unit",
            Kind.TEXT,
            "Unit of the period (UCUM): hour, day, week or month.",
            "Unité de la période (UCUM) : heure, jour, semaine ou mois.",
            values=("h", "d", "wk", "mo"),
        ),
        Column("route", Kind.TEXT, "Route as written.", "Voie d'administration."),
        Column("route_code", Kind.TEXT, "EDQM code of the route.", "Code EDQM de la voie."),
        Column("quantity", Kind.DECIMAL, "Quantity to dispense.", "Quantité à délivrer."),
        Column("quantity_unit", Kind.TEXT, "Unit of the quantity as written.", "Unité de la quantité."),
        Column("instruction", Kind.TEXT, "Instruction to the patient.", "Consigne au patient."),
        Column("dispenser_instruction", Kind.TEXT, "Instruction to the dispenser.", "Consigne au dispensateur."),
    ),
)

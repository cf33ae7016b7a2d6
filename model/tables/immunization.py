"""Canonical table `immunization`."""

from __future__ import annotations

from transvase.model.table import Column, Kind, Table

IMMUNIZATION = Table(
    "immunization",
    "A vaccination given or reported.",
    "Une vaccination.",
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
        Column("code", Kind.TEXT, "Code of the vaccine as recorded.", "Code du vaccin."),
        Column("system", Kind.TEXT, "OID of the code system.", "OID du système de codage."),
        Column("label", Kind.TEXT, "Vaccine as recorded.", "Vaccin.", required=True),
        Column("lot", Kind.TEXT, "Lot number.", "Lot."),
        Column("given", Kind.DATE, "Day it was given.", "Date d'administration."),
        Column("dose", Kind.INTEGER, "Rank of the dose.", "Rang de la dose."),
        Column(
            "assertion",
            Kind.TEXT,
            "Affirmed, denied (absence asserted) or not recorded: never merged (PORT-26).",
            "Affirmé, nié (absence affirmée) ou non renseigné.",
            required=True,
            values=("affirmed", "denied", "not_recorded"),
        ),
    ),
)

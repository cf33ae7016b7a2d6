"""Canonical table `allergy`."""

from __future__ import annotations

from transvase.model.table import Column, Kind, Table

ALLERGY = Table(
    "allergy",
    "An allergy or intolerance, or its asserted absence.",
    "Une allergie ou intolérance, ou son absence affirmée.",
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
        Column("code", Kind.TEXT, "Code of the substance as recorded.", "Code de la substance."),
        Column("system", Kind.TEXT, "OID of the code system.", "OID du système de codage."),
        Column("label", Kind.TEXT, "Substance as recorded.", "Substance.", required=True),
        Column("reaction", Kind.TEXT, "Reaction as recorded.", "Réaction."),
        Column("severity", Kind.TEXT, "Severity.", "Gravité.", values=("mild", "moderate", "severe", "unknown")),
        Column(
            "assertion",
            Kind.TEXT,
            "Affirmed, denied (absence asserted) or not recorded: never merged (PORT-26).",
            "Affirmé, nié (absence affirmée) ou non renseigné.",
            required=True,
            values=("affirmed", "denied", "not_recorded"),
        ),
        Column("onset", Kind.DATE, "First known.", "Première manifestation."),
        Column("recorded", Kind.INSTANT, "When it was recorded.", "Date de saisie."),
    ),
)

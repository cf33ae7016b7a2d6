"""Canonical table `risk_factor`."""

from __future__ import annotations

from transvase.model.table import Column, Kind, Table

RISK_FACTOR = Table(
    "risk_factor",
    "Tobacco, alcohol, occupation and other factors.",
    "Un facteur de risque.",
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
            "category",
            Kind.TEXT,
            "Kind of factor.",
            "Nature.",
            required=True,
            values=("tobacco", "alcohol", "activity", "occupational", "social", "other"),
        ),
        Column("label", Kind.TEXT, "Label as recorded.", "Libellé.", required=True),
        Column("value", Kind.TEXT, "Value as recorded.", "Valeur."),
        Column(
            "assertion",
            Kind.TEXT,
            "Affirmed, denied (absence asserted) or not recorded: never merged (PORT-26).",
            "Affirmé, nié (absence affirmée) ou non renseigné.",
            required=True,
            values=("affirmed", "denied", "not_recorded"),
        ),
        Column("recorded", Kind.INSTANT, "When it was recorded.", "Date de saisie."),
    ),
)

"""Canonical table `risk_factor`."""

from __future__ import annotations

from transvase.model.columns import ASSERTION, KEY, PATIENT
from transvase.model.table import Column, Kind, Table

RISK_FACTOR = Table(
    "risk_factor",
    "Tobacco, alcohol, occupation and other factors.",
    "Un facteur de risque.",
    (
        KEY,
        PATIENT,
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
        ASSERTION,
        Column("recorded", Kind.INSTANT, "When it was recorded.", "Date de saisie."),
    ),
)

"""Canonical table `vital_sign`."""

from __future__ import annotations

from transvase.model.columns import ENCOUNTER, KEY, PATIENT
from transvase.model.table import Column, Kind, Table

VITAL_SIGN = Table(
    "vital_sign",
    "A measure taken in the practice.",
    "Une constante mesurée au cabinet.",
    (
        KEY,
        PATIENT,
        ENCOUNTER,
        Column("code", Kind.TEXT, "LOINC code.", "Code LOINC.", required=True),
        Column("label", Kind.TEXT, "Label.", "Libellé.", required=True),
        Column("value", Kind.DECIMAL, "Value, as written.", "Valeur.", required=True),
        Column("unit", Kind.TEXT, "Unit, UCUM.", "Unité UCUM."),
        Column("measured", Kind.INSTANT, "When it was measured.", "Date de mesure.", required=True),
    ),
    dated="measured",
)

"""Canonical table `lab_result`."""

from __future__ import annotations

from transvase.model.columns import KEY, PATIENT, SYSTEM
from transvase.model.table import Column, Kind, Table

LAB_RESULT = Table(
    "lab_result",
    "A laboratory result received in coded form.",
    "Un résultat de biologie reçu sous forme codée.",
    (
        KEY,
        PATIENT,
        Column("document", Kind.TEXT, "Report it came with.", "Compte rendu lié.", references="document"),
        Column("code", Kind.TEXT, "LOINC code or the laboratory's own.", "Code."),
        SYSTEM,
        Column("label", Kind.TEXT, "Label as received.", "Libellé.", required=True),
        Column("value", Kind.DECIMAL, "Numeric value, digits as received.", "Valeur numérique."),
        Column("value_text", Kind.TEXT, "Value when not a number.", "Valeur textuelle."),
        Column("unit", Kind.TEXT, "Unit as received.", "Unité."),
        Column("low", Kind.DECIMAL, "Lower bound of reference.", "Borne basse."),
        Column("high", Kind.DECIMAL, "Upper bound of reference.", "Borne haute."),
        Column("flag", Kind.TEXT, "Interpretation.", "Interprétation.", values=("N", "L", "H", "LL", "HH", "A")),
        Column("measured", Kind.INSTANT, "When the sample was taken.", "Date du prélèvement.", required=True),
    ),
    dated="measured",
)

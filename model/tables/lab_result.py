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
        Column(
            "flag",
            Kind.TEXT,
            "Interpretation (S, I and R: susceptibility of a germ).",
            "Interprétation (S, I et R : sensibilité d'un germe).",
            values=("N", "L", "H", "LL", "HH", "A", "AA", "S", "I", "R"),
        ),
        Column("measured", Kind.INSTANT, "When the sample was taken.", "Date du prélèvement.", required=True),
        Column("chapter", Kind.TEXT, "Chapter of the report, as titled.", "Chapitre du compte rendu."),
        Column(
            "panel", Kind.TEXT, "Examination it is part of, as titled (blood count).", "Examen dont il fait partie."
        ),
        Column("specimen", Kind.TEXT, "Nature of the sample, as received.", "Nature de l'échantillon."),
        Column("method", Kind.TEXT, "Technique, as received.", "Technique."),
        Column(
            "status",
            Kind.TEXT,
            "State of the result: partial, given before its examination was finished; corrected, in place of an earlier one.",
            "État : partiel, rendu avant la fin de l'examen ; corrigé, à la place d'un précédent.",
            values=("final", "partial", "corrected", "cancelled"),
        ),
        Column("laboratory", Kind.TEXT, "Laboratory that performed it, as named.", "Laboratoire exécutant."),
        Column("validated_by", Kind.TEXT, "Who validated it, as named.", "Biologiste qui a validé."),
        Column("validated", Kind.INSTANT, "When it was validated.", "Date de validation."),
        Column("comment", Kind.TEXT, "Remark of the laboratory.", "Commentaire du laboratoire."),
    ),
    dated="measured",
)

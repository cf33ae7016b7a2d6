"""Canonical table `problem`."""

from __future__ import annotations

from transvase.model.table import Column, Kind, Table

PROBLEM = Table(
    "problem",
    "A problem, history item or family history.",
    "Une pathologie, un antécédent personnel ou familial.",
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
        Column(
            "category",
            Kind.TEXT,
            "Where the software files it.",
            "Rubrique.",
            required=True,
            values=("problem", "history", "surgery", "family", "trauma"),
        ),
        Column("code", Kind.TEXT, "Code as recorded.", "Code enregistré."),
        Column("system", Kind.TEXT, "OID of the code system.", "OID du système de codage."),
        Column("label", Kind.TEXT, "Label as recorded.", "Libellé.", required=True),
        Column(
            "assertion",
            Kind.TEXT,
            "Affirmed, denied (absence asserted) or not recorded: never merged (PORT-26).",
            "Affirmé, nié (absence affirmée) ou non renseigné.",
            required=True,
            values=("affirmed", "denied", "not_recorded"),
        ),
        Column("onset", Kind.DATE, "Start, with its precision.", "Début."),
        Column("resolved", Kind.DATE, "End, with its precision.", "Fin."),
        Column("recorded", Kind.INSTANT, "When it was recorded.", "Date de saisie."),
    ),
)

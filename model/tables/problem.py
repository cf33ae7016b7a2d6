"""Canonical table `problem`."""

from __future__ import annotations

from transvase.model.columns import ASSERTION, KEY, PATIENT, PRACTITIONER, SYSTEM
from transvase.model.table import Column, Kind, Table

PROBLEM = Table(
    "problem",
    "A problem, history item or family history.",
    "Une pathologie, un antécédent personnel ou familial.",
    (
        KEY,
        PATIENT,
        PRACTITIONER,
        Column(
            "category",
            Kind.TEXT,
            "Where the software files it.",
            "Rubrique.",
            required=True,
            values=("problem", "history", "surgery", "family", "trauma"),
        ),
        Column("code", Kind.TEXT, "Code as recorded.", "Code enregistré."),
        SYSTEM,
        Column("label", Kind.TEXT, "Label as recorded.", "Libellé.", required=True),
        ASSERTION,
        Column("onset", Kind.DATE, "Start, with its precision.", "Début."),
        Column("resolved", Kind.DATE, "End, with its precision.", "Fin."),
        Column("recorded", Kind.INSTANT, "When it was recorded.", "Date de saisie."),
    ),
)

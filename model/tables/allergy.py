"""Canonical table `allergy`."""

from __future__ import annotations

from transvase.model.columns import ASSERTION, KEY, PATIENT, PRACTITIONER, SYSTEM
from transvase.model.table import Column, Kind, Table

ALLERGY = Table(
    "allergy",
    "An allergy or intolerance, or its asserted absence.",
    "Une allergie ou intolérance, ou son absence affirmée.",
    (
        KEY,
        PATIENT,
        PRACTITIONER,
        Column("code", Kind.TEXT, "Code of the substance as recorded.", "Code de la substance."),
        SYSTEM,
        Column("label", Kind.TEXT, "Substance as recorded.", "Substance.", required=True),
        Column("reaction", Kind.TEXT, "Reaction as recorded.", "Réaction."),
        Column("severity", Kind.TEXT, "Severity.", "Gravité.", values=("mild", "moderate", "severe", "unknown")),
        ASSERTION,
        Column("onset", Kind.DATE, "First known.", "Première manifestation."),
        Column("recorded", Kind.INSTANT, "When it was recorded.", "Date de saisie."),
    ),
)

"""Canonical table `immunization`."""

from __future__ import annotations

from transvase.model.columns import ASSERTION, KEY, PATIENT, PRACTITIONER, SYSTEM
from transvase.model.table import Column, Kind, Table

IMMUNIZATION = Table(
    "immunization",
    "A vaccination given or reported.",
    "Une vaccination.",
    (
        KEY,
        PATIENT,
        PRACTITIONER,
        Column("code", Kind.TEXT, "Code of the vaccine as recorded.", "Code du vaccin."),
        SYSTEM,
        Column("label", Kind.TEXT, "Vaccine as recorded.", "Vaccin.", required=True),
        Column("lot", Kind.TEXT, "Lot number.", "Lot."),
        Column("given", Kind.DATE, "Day it was given.", "Date d'administration."),
        Column("dose", Kind.INTEGER, "Rank of the dose.", "Rang de la dose."),
        ASSERTION,
    ),
)

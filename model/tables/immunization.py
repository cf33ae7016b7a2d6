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
        Column("booster", Kind.FLAG, "A booster; no: a first series.", "Rappel ; non : première série."),
        Column("route", Kind.TEXT, "Route as written.", "Voie d'administration."),
        Column("route_code", Kind.TEXT, "EDQM code of the route.", "Code EDQM de la voie."),
        Column("site", Kind.TEXT, "Place of the body as written.", "Région d'administration."),
        Column("site_code", Kind.TEXT, "SNOMED CT code of that place.", "Code SNOMED CT de cette région."),
        Column("performer", Kind.TEXT, "Who gave it, as written.", "Vaccinateur."),
        Column("reaction", Kind.TEXT, "Reaction observed.", "Réaction observée."),
        Column("comment", Kind.TEXT, "Comment as written.", "Commentaire."),
        ASSERTION,
    ),
)

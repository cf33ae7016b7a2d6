"""Canonical table `correspondent`."""

from __future__ import annotations

from transvase.model.columns import KEY
from transvase.model.table import Column, Kind, Table

CORRESPONDENT = Table(
    "correspondent",
    "A professional outside the practice with whom it corresponds.",
    "Un correspondant extérieur.",
    (
        KEY,
        Column(
            "patient",
            Kind.TEXT,
            "Patient, when the link is for one patient only.",
            "Patient, si le lien ne vaut que pour lui.",
            references="patient",
        ),
        Column("idnat", Kind.TEXT, "National identifier with its prefix.", "Identifiant national."),
        Column("family", Kind.TEXT, "Name.", "Nom.", required=True),
        Column("given", Kind.TEXT, "Given name.", "Prénom."),
        Column(
            "specialty",
            Kind.TEXT,
            "Profession and specialty, JDV_J01, or text of the source.",
            "Profession et savoir-faire.",
        ),
        Column("organisation", Kind.TEXT, "Structure.", "Structure."),
        Column("mssante", Kind.TEXT, "MSSanté address.", "Adresse MSSanté."),
        Column("phone", Kind.TEXT, "Telephone.", "Téléphone."),
        Column("city", Kind.TEXT, "City.", "Commune."),
    ),
)

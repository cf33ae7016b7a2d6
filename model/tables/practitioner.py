"""Canonical table `practitioner`."""

from __future__ import annotations

from transvase.model.columns import KEY
from transvase.model.table import Column, Kind, Table

PRACTITIONER = Table(
    "practitioner",
    "A professional of the practice, past or present.",
    "Un professionnel du cabinet, présent ou passé.",
    (
        KEY,
        Column("practice", Kind.TEXT, "Structure of exercise.", "Structure d'exercice.", references="practice"),
        Column(
            "idnat", Kind.TEXT, "National identifier with its prefix (PS_IdNat).", "Identifiant national (PS_IdNat)."
        ),
        Column("family", Kind.TEXT, "Name of exercise.", "Nom d'exercice.", required=True),
        Column("given", Kind.TEXT, "Given name of exercise.", "Prénom d'exercice."),
        Column("prefix", Kind.TEXT, "Civility.", "Civilité.", values=("M", "MME")),
        Column("suffix", Kind.TEXT, "Title.", "Titre.", values=("DR", "MC", "MG", "PC", "PG", "PR")),
        Column("specialty", Kind.TEXT, "Profession and specialty, JDV_J01.", "Profession et savoir-faire, JDV_J01."),
        Column("phone", Kind.TEXT, "Telephone.", "Téléphone."),
        Column("active", Kind.FLAG, "Still exercises in the practice.", "Exerce encore au cabinet."),
    ),
)

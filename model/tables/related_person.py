"""Canonical table `related_person`."""

from __future__ import annotations

from transvase.model.columns import KEY, PATIENT
from transvase.model.table import Column, Kind, Table

RELATED_PERSON = Table(
    "related_person",
    "Guardian, trusted person, relative, legal representative.",
    "Tuteur, personne de confiance, proche, représentant légal.",
    (
        KEY,
        PATIENT,
        Column(
            "role",
            Kind.TEXT,
            "Link with the patient.",
            "Lien avec le patient.",
            required=True,
            values=("guardian", "trusted", "emergency", "parent", "child", "other"),
        ),
        Column(
            "legal_representative",
            Kind.FLAG,
            "Legal representative of a minor or protected adult.",
            "Représentant légal.",
        ),
        Column("family", Kind.TEXT, "Name.", "Nom.", required=True),
        Column("given", Kind.TEXT, "Given name.", "Prénom."),
        Column("birth_date", Kind.DATE, "Date of birth.", "Date de naissance."),
        Column("phone", Kind.TEXT, "Telephone.", "Téléphone."),
    ),
)

"""Canonical table `practice`."""

from __future__ import annotations

from transvase.model.columns import KEY
from transvase.model.table import Column, Kind, Table

PRACTICE = Table(
    "practice",
    "The practice, one row per structure it holds.",
    "Le cabinet, une ligne par structure.",
    (
        KEY,
        Column("name", Kind.TEXT, "Name of the structure.", "Nom de la structure.", required=True),
        Column(
            "struct_idnat",
            Kind.TEXT,
            "National structure identifier with its prefix (Struct_IdNat).",
            "Identifiant national de structure (Struct_IdNat).",
        ),
        Column(
            "oid",
            Kind.TEXT,
            "OID under which the practice numbers its patients and documents.",
            "OID sous lequel le cabinet numérote ses patients et documents.",
            required=True,
        ),
        Column(
            "facility_type",
            Kind.TEXT,
            "Kind of structure, JDV_J02 (SA07, SA08...).",
            "Secteur d'activité, JDV_J02.",
            required=True,
        ),
        Column(
            "practice_setting", Kind.TEXT, "Practice setting, JDV_J04.", "Cadre d'exercice, JDV_J04.", required=True
        ),
        Column("address", Kind.TEXT, "Street.", "Voie."),
        Column("postal_code", Kind.TEXT, "Postal code.", "Code postal."),
        Column("city", Kind.TEXT, "City.", "Commune."),
        Column("phone", Kind.TEXT, "Telephone.", "Téléphone."),
        Column("email", Kind.TEXT, "E-mail.", "Courriel."),
    ),
)

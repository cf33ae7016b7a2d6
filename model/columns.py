"""Columns that several canonical tables share, declared once."""

from __future__ import annotations

from transvase.model.table import Column, Kind

KEY = Column(
    "key",
    Kind.TEXT,
    "Key of the record in the practice's software.",
    "Clé de l'enregistrement dans le logiciel.",
    required=True,
)
PATIENT = Column(
    "patient",
    Kind.TEXT,
    "Patient the record belongs to.",
    "Patient concerné.",
    required=True,
    references="patient",
)
PRACTITIONER = Column(
    "practitioner",
    Kind.TEXT,
    "Professional who made the record.",
    "Professionnel auteur.",
    references="practitioner",
)
SYSTEM = Column("system", Kind.TEXT, "OID of the code system.", "OID du système de codage.")
ASSERTION = Column(
    "assertion",
    Kind.TEXT,
    "Affirmed, denied (absence asserted) or not recorded: never merged (PORT-26).",
    "Affirmé, nié (absence affirmée) ou non renseigné.",
    required=True,
    values=("affirmed", "denied", "not_recorded"),
)
ENCOUNTER = Column("encounter", Kind.TEXT, "Encounter it belongs to.", "Consultation liée.", references="encounter")

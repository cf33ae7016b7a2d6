"""Canonical table `appointment`."""

from __future__ import annotations

from transvase.model.table import Column, Kind, Table

APPOINTMENT = Table(
    "appointment",
    "An appointment, past or future.",
    "Un rendez-vous.",
    (
        Column(
            "key",
            Kind.TEXT,
            "Key of the record in the practice's software.",
            "Clé de l'enregistrement dans le logiciel.",
            required=True,
        ),
        Column("patient", Kind.TEXT, "Patient, when the slot has one.", "Patient.", references="patient"),
        Column(
            "practitioner",
            Kind.TEXT,
            "Professional who made the record.",
            "Professionnel auteur.",
            references="practitioner",
        ),
        Column("start", Kind.INSTANT, "Start, local time.", "Début.", required=True),
        Column("end", Kind.INSTANT, "End, local time.", "Fin."),
        Column("status", Kind.TEXT, "State.", "État.", values=("booked", "arrived", "cancelled", "noshow")),
        Column("label", Kind.TEXT, "Label.", "Libellé."),
    ),
    unitary=False,
)

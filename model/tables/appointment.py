"""Canonical table `appointment`."""

from __future__ import annotations

from transvase.model.columns import KEY, PRACTITIONER
from transvase.model.table import Column, Kind, Table

APPOINTMENT = Table(
    "appointment",
    "An appointment, past or future.",
    "Un rendez-vous.",
    (
        KEY,
        Column("patient", Kind.TEXT, "Patient, when the slot has one.", "Patient.", references="patient"),
        PRACTITIONER,
        Column("start", Kind.INSTANT, "Start, local time.", "Début.", required=True),
        Column("end", Kind.INSTANT, "End, local time.", "Fin."),
        Column("status", Kind.TEXT, "State.", "État.", values=("booked", "arrived", "cancelled", "noshow")),
        Column("label", Kind.TEXT, "Label.", "Libellé."),
    ),
    unitary=False,
    dated="start",
)

"""Canonical table `access_log`."""

from __future__ import annotations

from transvase.model.columns import KEY
from transvase.model.table import Column, Kind, Table

ACCESS_LOG = Table(
    "access_log",
    "A trace of access to a record.",
    "Une trace d'accès.",
    (
        KEY,
        Column("patient", Kind.TEXT, "Patient whose record was accessed.", "Patient.", references="patient"),
        Column("actor", Kind.TEXT, "Account of the software.", "Compte utilisateur."),
        Column("at", Kind.INSTANT, "When.", "Date.", required=True),
        Column("action", Kind.TEXT, "What was done.", "Action.", required=True),
        Column("object", Kind.TEXT, "On what.", "Objet."),
    ),
    unitary=False,
    dated="at",
)

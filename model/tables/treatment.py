"""Canonical table `treatment`."""

from __future__ import annotations

from transvase.model.columns import ASSERTION, KEY, PATIENT, PRACTITIONER, SYSTEM
from transvase.model.table import Column, Kind, Table

TREATMENT = Table(
    "treatment",
    "A treatment the patient takes, ordered here or not.",
    "Un traitement en cours ou passé.",
    (
        KEY,
        PATIENT,
        PRACTITIONER,
        Column("code", Kind.TEXT, "Code as recorded (CIP, CIS, ATC).", "Code."),
        SYSTEM,
        Column("label", Kind.TEXT, "Label as recorded.", "Libellé.", required=True),
        Column("dosage", Kind.TEXT, "Dosage as written.", "Posologie."),
        Column("start", Kind.DATE, "Start.", "Début."),
        Column("stop", Kind.DATE, "End; empty while it goes on.", "Fin."),
        Column("long_term", Kind.FLAG, "Long-term treatment.", "Traitement au long cours."),
        ASSERTION,
    ),
)

"""Canonical table `encounter`."""

from __future__ import annotations

from transvase.model.columns import KEY, PATIENT, PRACTITIONER
from transvase.model.table import Column, Kind, Table

ENCOUNTER = Table(
    "encounter",
    "A visit, home visit or remote consultation.",
    "Une consultation, visite ou téléconsultation.",
    (
        KEY,
        PATIENT,
        PRACTITIONER,
        Column("start", Kind.INSTANT, "Start, local time.", "Début, heure locale.", required=True),
        Column("end", Kind.INSTANT, "End, local time.", "Fin, heure locale."),
        Column(
            "mode",
            Kind.TEXT,
            "Kind of encounter (HL7 ActEncounterCode).",
            "Mode de prise en charge.",
            values=("AMB", "HH", "VR", "EMER", "IMP", "FLD"),
        ),
        Column("reason", Kind.TEXT, "Reason as written.", "Motif."),
    ),
    dated="start",
)

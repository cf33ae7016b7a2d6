"""Canonical table `objection`."""

from __future__ import annotations

from transvase.model.columns import KEY, PATIENT
from transvase.model.table import Column, Kind, Table

OBJECTION = Table(
    "objection",
    "An objection or restriction of the patient, with its author and date.",
    "Une opposition du patient.",
    (
        KEY,
        PATIENT,
        Column("document", Kind.TEXT, "Document concerned; empty for all.", "Document visé.", references="document"),
        Column(
            "practitioner",
            Kind.TEXT,
            "Professional whose documents are concerned; empty for all.",
            "Professionnel dont les documents sont visés.",
            references="practitioner",
        ),
        Column(
            "scope",
            Kind.TEXT,
            "What the patient objects to.",
            "Portée.",
            required=True,
            values=("dmp", "mss_pro", "mss_patient", "all"),
        ),
        Column("recorded", Kind.INSTANT, "When it was recorded.", "Date."),
        Column("recorded_by", Kind.TEXT, "Who recorded it.", "Auteur.", references="practitioner"),
        Column("reason", Kind.TEXT, "Reason.", "Motif."),
    ),
)

"""Canonical table `treatment`."""

from __future__ import annotations

from transvase.model.table import Column, Kind, Table

TREATMENT = Table(
    "treatment",
    "A treatment the patient takes, ordered here or not.",
    "Un traitement en cours ou passé.",
    (
        Column(
            "key",
            Kind.TEXT,
            "Key of the record in the practice's software.",
            "Clé de l'enregistrement dans le logiciel.",
            required=True,
        ),
        Column(
            "patient",
            Kind.TEXT,
            "Patient the record belongs to.",
            "Patient concerné.",
            required=True,
            references="patient",
        ),
        Column(
            "practitioner",
            Kind.TEXT,
            "Professional who made the record.",
            "Professionnel auteur.",
            references="practitioner",
        ),
        Column("code", Kind.TEXT, "Code as recorded (CIP, CIS, ATC).", "Code."),
        Column("system", Kind.TEXT, "OID of the code system.", "OID du système de codage."),
        Column("label", Kind.TEXT, "Label as recorded.", "Libellé.", required=True),
        Column("dosage", Kind.TEXT, "Dosage as written.", "Posologie."),
        Column("start", Kind.DATE, "Start.", "Début."),
        Column("stop", Kind.DATE, "End; empty while it goes on.", "Fin."),
        Column("long_term", Kind.FLAG, "Long-term treatment.", "Traitement au long cours."),
        Column(
            "assertion",
            Kind.TEXT,
            "Affirmed, denied (absence asserted) or not recorded: never merged (PORT-26).",
            "Affirmé, nié (absence affirmée) ou non renseigné.",
            required=True,
            values=("affirmed", "denied", "not_recorded"),
        ),
    ),
)

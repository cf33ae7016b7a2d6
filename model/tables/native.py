"""Canonical table `native`: every cell of the source that no mapping claims."""

from __future__ import annotations

from transvase.model.table import Column, Kind, Table

NATIVE = Table(
    "native",
    "Cells of the source that no mapping claims, kept in their original form; filled by extraction, never by a query.",
    "Cellules de la source qu'aucune correspondance ne reprend, conservées telles quelles.",
    (
        Column("key", Kind.TEXT, "Source table and key of the row.", "Table et clé d'origine.", required=True),
        Column("patient", Kind.TEXT, "Patient, when the row names one.", "Patient.", references="patient"),
        Column("cells", Kind.INTEGER, "Number of cells carried here.", "Nombre de cellules.", required=True),
        Column(
            "content", Kind.TEXT, "JSON object: column to value; binary values in base64.", "Objet JSON.", required=True
        ),
    ),
    pivot=False,
    unitary=False,
)

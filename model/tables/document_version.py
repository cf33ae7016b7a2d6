"""Canonical table `document_version`."""

from __future__ import annotations

from transvase.model.columns import KEY
from transvase.model.table import Column, Kind, Table

DOCUMENT_VERSION = Table(
    "document_version",
    "One stored version of a document, with its body.",
    "Une version d'un document, avec son contenu.",
    (
        KEY,
        Column("patient", Kind.TEXT, "Patient.", "Patient concerné.", references="patient"),
        Column(
            "document", Kind.TEXT, "Document it is a version of.", "Document.", required=True, references="document"
        ),
        Column("version", Kind.INTEGER, "Rank, from 1.", "Rang.", required=True),
        Column("created", Kind.INSTANT, "When this version was made.", "Date de création."),
        Column("media_type", Kind.TEXT, "Media type as declared by the software.", "Type déclaré."),
        Column("file_name", Kind.TEXT, "File name as filed.", "Nom de fichier."),
        Column(
            "sha256",
            Kind.TEXT,
            "SHA-256 of the body in the store; empty when the software holds none.",
            "Empreinte du contenu.",
        ),
        Column("size", Kind.INTEGER, "Size of the body in bytes.", "Taille en octets."),
        Column(
            "declared_size",
            Kind.INTEGER,
            "Size of the body in bytes as the software states it; empty when it does not.",
            "Taille annoncée par le logiciel.",
        ),
        Column(
            "detected",
            Kind.TEXT,
            "What the first bytes say.",
            "Nature constatée.",
            values=("pdf", "cda", "rtf", "text", "jpeg", "tiff", "png", "html", "xml", "zip", "empty", "unknown"),
        ),
        Column(
            "damage",
            Kind.TEXT,
            "What a cheap look at the structure finds wrong with the body; empty when nothing.",
            "Défaut de structure constaté dans le contenu.",
        ),
        Column(
            "own_unique_id",
            Kind.TEXT,
            "uniqueId that the body carries, when it is a CDA of its own; empty otherwise.",
            "uniqueId porté par le contenu lorsqu'il est un CDA.",
        ),
    ),
)

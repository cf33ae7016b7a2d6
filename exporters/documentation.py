"""DOCUMENTATION/ of the archive, produced from the model (PORT-84 to PORT-87): a stranger can write a reader from it alone."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import orjson

from transvase.formats.ascii_text import readme
from transvase.model.table import Column, Kind, Table
from transvase.model.tables import TABLES

_SCHEMA = Path(__file__).with_name("manifest.xsd")

FILES = (
    ("PAnnnnnnnnTnnnnnn.ZIP", "ZIP", "-", "Archive du cabinet", "nom : date et heure locales de l'export"),
    (
        "README.TXT",
        "texte ASCII, CRLF",
        "US-ASCII",
        "Emetteur, logiciel, structure",
        "trois niveaux : archive, patient, transverse",
    ),
    ("MANIFEST.XML", "XML", "UTF-8", "Liste des archives, tailles, SHA-256", "schema : DOCUMENTATION/MANIFEST.XSD"),
    (
        "SIGN.XML",
        "XAdES-BES 1.3.2",
        "UTF-8",
        "Signature de MANIFEST.XML et des archives",
        "si l'archive est signee ; ds:Manifest : SHA-256 par nom ; exportId dans DataObjectFormat",
    ),
    (
        "TRANSVERSE.ZIP",
        "ZIP",
        "-",
        "Donnees du cabinet hors dossiers",
        "agenda, traces, facturation, donnees natives, orphelins",
    ),
    (
        "TRANSVERSE/EXTRACTION.JSON",
        "JSON",
        "UTF-8",
        "Compte de l'extraction",
        "date de lecture, lignes par table, cellules reprises, natives et exclues",
    ),
    ("PATnnnnn.ZIP", "IHE XDM", "-", "Un patient", "numero d'ordre a partir de 00001"),
    ("IHE_XDM/SUBSET01/DOC0001.XML", "CDA R2 niveau 3", "UTF-8", "Volet de synthese medicale", "VSM 1.4 (2022.01)"),
    (
        "IHE_XDM/SUBSET01/DOCnnnn.XML",
        "CDA R2",
        "UTF-8 ou celui du document",
        "Documents",
        "niveau 1 (IHE XDS-SD), niveau 3 pour ordonnances et biologie codées, sauf CDA d'origine, repris octet pour octet",
    ),
    (
        "IHE_XDM/SUBSET01/DOCnnnn.PDF",
        "PDF",
        "-",
        "Documents sans en-tete CDA possible",
        "traits du patient insuffisants ; voir DONNEES.JSON",
    ),
    (
        "IHE_XDM/SUBSET01/METADATA.XML",
        "ebRIM (XDS)",
        "UTF-8",
        "Metadonnees des documents",
        "hash SHA-1, size et URI de chaque fichier",
    ),
    ("PDF/*.pdf", "PDF", "-", "Copie lisible de chaque document", "AAAAMMJJ_type_NOM_prenom[_numero].pdf"),
    ("DONNEES.JSON", "JSON", "UTF-8", "Toutes les donnees du dossier", "schema : DOCUMENTATION/DONNEES.SCHEMA.JSON"),
    (
        "VIEWER/*",
        "HTML, JavaScript, CSS",
        "UTF-8",
        "Lecture des dossiers dans un navigateur : ouvrir VIEWER/index.html",
        "facultatif, peut etre retire ; VIEWER/SHA256.TXT : empreintes ; VIEWER/dossier.html : export d'un seul dossier",
    ),
    (
        "PARQUET/*.parquet",
        "Apache Parquet (zstd)",
        "UTF-8",
        "Les lignes de DONNEES.JSON et de TRANSVERSE.ZIP, une table par fichier",
        "facultatif, peut etre retire ; PARQUET/SHA256.TXT : empreintes ; colonnes : DOCUMENTATION/DICTIONNAIRE.CSV ; "
        "une table hors de la portee n'a pas de fichier",
    ),
    (
        "FHIR/*.ndjson",
        "FHIR R4, NDJSON",
        "UTF-8",
        "Les dossiers en ressources, un type par fichier, une ressource par ligne",
        "facultatif, peut etre retire ; FHIR/SHA256.TXT : empreintes ; FHIR/manifest.json : types et comptes (Bulk Data Access 2.0) ; "
        "sans documents, notes, agenda ni traces",
    ),
    ("ORIGINAUX/DOCnnnn.*", "divers", "-", "Contenus d'origine convertis", "meme numero que le document"),
)


def files(
    cells: list[dict[str, Any]],
    unserved: dict[str, str],
    software: str,
    schema_checked: bool,
    signed: bool,
    rungs: dict[str, int],
) -> list[tuple[str, bytes]]:
    """(path, bytes) of the folder. `cells` and `unserved` come from the extraction's manifest, `rungs` counts documents by how their PDF
    was had."""
    return [
        ("DOCUMENTATION/LISEZMOI.TXT", _conventions(cells, unserved, software, schema_checked, signed, rungs)),
        ("DOCUMENTATION/FICHIERS.CSV", _csv(("nom", "format", "codage", "contenu", "interpretation"), FILES)),
        ("DOCUMENTATION/DICTIONNAIRE.CSV", _dictionary()),
        ("DOCUMENTATION/DONNEES.SCHEMA.JSON", orjson.dumps(data_schema(), option=orjson.OPT_INDENT_2)),
        ("DOCUMENTATION/MANIFEST.XSD", _SCHEMA.read_bytes()),
    ]


def _csv(head: tuple[str, ...], rows: Any) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue().encode("utf-8-sig")


def _dictionary() -> bytes:
    rows = []
    for table in TABLES.values():
        for column in table.columns:
            rows.append(
                (
                    table.name,
                    table.meaning_fr,
                    column.name,
                    column.meaning_fr,
                    column.meaning,
                    column.kind.value,
                    "1..1" if column.required else "0..1",
                    " | ".join(column.values),
                    column.references,
                    "oui" if table.pivot else "non",
                )
            )
    head = ("table", "sens", "colonne", "libelle", "label", "type", "cardinalite", "valeurs", "reference", "pivot")
    return _csv(head, rows)


def _property(column: Column) -> dict[str, Any]:
    kind = {Kind.INTEGER: "integer", Kind.FLAG: "boolean"}.get(column.kind, "string")
    # Rows leave as they were found: what a declaration requires may be missing in the software, or unreadable in its type. The
    # three columns that name a row are always there.
    always = column.name in ("key", "source_table", "source_key")
    found: dict[str, Any] = {"type": kind if always else [kind, "null"], "description": column.meaning_fr}
    if column.values:
        found["enum"] = [*column.values, None]
    return found


def _object(table: Table) -> dict[str, Any]:
    return {
        "type": "object",
        "description": table.meaning_fr,
        "properties": {c.name: _property(c) for c in table.columns},
        "required": [c.name for c in table.columns],
        "additionalProperties": False,
    }


def data_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of DONNEES.JSON."""
    text = {"type": "string"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "DONNEES.JSON",
        "type": "object",
        "properties": {
            "version": {"const": 1},
            "patient": _object(TABLES["patient"]),
            "tables": {
                "type": "object",
                "properties": {
                    n: {"type": "array", "items": _object(t)}
                    for n, t in TABLES.items()
                    if t.of_patient and n != "patient"
                },
                "additionalProperties": False,
            },
            "documents": {
                "type": "array",
                "description": "Ce qu'est devenue chaque version de document : carried (CDA d'origine), structured (CDA niveau 3), written (CDA niveau 1), "
                "plain (PDF sans CDA), repeated (même CDA qu'un autre document), absent (aucun contenu dans le logiciel).",
                "items": {
                    "type": "object",
                    "properties": {
                        "document": text,
                        "version": text,
                        "uri": text,
                        "form": {"enum": ["carried", "structured", "written", "plain", "repeated", "absent"]},
                        "rung": text,
                        "reasons": {"type": "array", "items": text},
                        "unique_id": text,
                        "checked": {"type": "boolean"},
                    },
                },
            },
        },
        "required": ["version", "patient", "tables", "documents"],
        "additionalProperties": False,
    }


# What was done with the PDF of the practice, by rung of `exporters.pdf.ladder`.
_RUNGS = {
    "untouched": "se declarent PDF/A-1, structure controlee : repris tels quels",
    "mended": "mis en PDF/A-1b sans changer ce qui se voit, structure controlee ; le PDF d'origine est dans ORIGINAUX",
    "rasterised": "pages reproduites en images PDF/A-1b, texte cherchable ; le PDF d'origine est dans ORIGINAUX",
    "carried": "repris tels quels sans etre PDF/A-1 ; le motif est dans DONNEES.JSON (reasons) ou sur la page _AVIS",
}


def _brought(rungs: dict[str, int]) -> list[str]:
    lines = ["   . PDF produits par Transvase : PDF/A-1b. PDF du cabinet :"]
    lines += [f"       {rungs[rung]} {said}" for rung, said in _RUNGS.items() if rungs.get(rung)]
    return [
        *lines,
        "     Non controles : largeurs et contours dans les polices, operateurs des pages posterieurs a PDF 1.4.",
    ]


def _conventions(
    cells: list[dict[str, Any]],
    unserved: dict[str, str],
    software: str,
    schema_checked: bool,
    signed: bool,
    rungs: dict[str, int],
) -> bytes:
    totals = {name: sum(line[name] for line in cells) for name in ("source", "mapped", "native", "excluded")}
    return readme(
        [
            f"Documentation de l'archive, produite par {software}.",
            "",
            "Conventions",
            "===========",
            "   . Valeur absente : null. Jamais remplacee par une valeur par defaut.",
            "   . assertion = affirmed : affirme ; denied : absence affirmee ; not_recorded : non renseigne.",
            "   . Dates : ISO 8601, heure locale du cabinet (Europe/Paris) ; la longueur dit la precision (2019, 2019-03, 2019-03-28).",
            "   . Une date impossible est gardee telle qu'enregistree.",
            "   . source_table et source_key : ligne d'origine dans le logiciel quitte.",
            "   . Profondeur d'historique : toutes les donnees presentes dans le logiciel a la date de l'export.",
            "   . Volets : VSM 1.4 (2022.01) ; documents de niveau 1 IHE XDS-SD ;",
            "     eP-MED-DM et CR-BIO 2024.01 quand leurs lignes sont au dossier ;",
            "     CDA d'origine dans leur version de production ou de reception.",
            "",
            "Cellules de la source",
            "=====================",
            f"   . total {totals['source']} = reprises {totals['mapped']} + natives {totals['native']} + exclues {totals['excluded']}",
            "",
            "Ce qui n'existe pas dans le logiciel d'origine",
            "==============================================",
            *(f"   . {name} : {reason}" for name, reason in unserved.items()),
            "",
            "Controles",
            "=========",
            "   . CDA ecrits : relus ; "
            + ("valides par le schema XSD CI-SIS." if schema_checked else "schema XSD non fourni, non valides."),
            *_brought(rungs),
            "   . SIGN.XML : couvre MANIFEST.XML et chaque archive interne, non README.TXT ni DOCUMENTATION."
            if signed
            else "   . SIGN.XML absent : archive non signee.",
        ]
    )

"""Lire la base du cabinet : tables canoniques, contenus, somme des cellules. / Read the practice's database."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from transvase.commands.session import counted, run_of, with_json, with_settings

# Lines of what was not read, before the rest is counted; --json and the manifest have them all.
_SHOWN = 40


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "--again",
        action="store_true",
        help="tout extraire à nouveau, même si rien n'a changé / extract everything again, even if nothing changed",
    )
    with_settings(parser)
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Extract, then print rows and the sum of cells. Exit 1 when something of a folder could not be read: it is listed, and kept."""
    import orjson

    from transvase.formats import canonical
    from transvase.pipelines.execute import execute

    session = replace(run_of(options), again=options.again)
    execute("extract", session)
    manifest = canonical.manifest(session.work)
    if options.json:
        print(orjson.dumps(manifest).decode())
        return 1 if _unread(session.work, manifest) else 0
    for name, rows in manifest["rows"].items():
        print(f"  {name:<18} {rows:>9}")
    print(cells_line(manifest, options.lang))
    if "changes" in manifest:
        print(changes_line(manifest["changes"], options.lang))
    if manifest["files"]["named"]:
        print(files_line(manifest["files"], options.lang))
    if manifest["unreadable"]:
        print(
            counted(
                manifest["unreadable"],
                "valeur illisible dans son type, conservée dans native.",
                "valeurs illisibles dans leur type, conservées dans native.",
                "value that its type cannot hold, kept in native.",
                "values that their type cannot hold, kept in native.",
                options.lang,
            )
        )
    if "received" in manifest:
        print(received_line(manifest["received"], options.lang))
    unread = _unread(session.work, manifest)
    word = "non lu" if options.lang == "fr" else "not read"
    for line in unread[:_SHOWN]:
        print(f"  {word} : {line}")
    if len(unread) > _SHOWN:
        print(f"  {word} : + {len(unread) - _SHOWN}")
    return 1 if unread else 0


def _unread(work: Path, manifest: dict[str, Any]) -> list[str]:
    """One sentence for each line or file of a folder that could not be read, by reference; all of them are kept."""
    import duckdb

    from transvase.sources.engines.fhir_ndjson import ASIDE

    if not any(c["table"] == ASIDE for c in manifest["cells"]):
        return list(manifest.get("unread", ()))
    lines = duckdb.execute(
        "SELECT content->>'$.file', content->>'$.line', content->>'$.reason' FROM read_parquet(?) WHERE source_table = ? "
        "ORDER BY 1, CAST(content->>'$.line' AS BIGINT)",
        [str(work / "canonical" / "native.parquet"), ASIDE],
    ).fetchall()
    return [f"{file}, line {line}: {reason}." for file, line, reason in lines]


def received_line(received: dict[str, int], language: str) -> str:
    """Files of a folder of documents and entries of its archives, with their bytes: documents, packaging, set aside."""
    words = {
        "documents": ("document", "documents", "document", "documents"),
        "packaging": ("habillage XDM", "habillage XDM", "packaging of XDM", "packaging of XDM"),
        "aside": ("mis de côté et conservé", "mis de côté et conservés", "set aside and kept", "set aside and kept"),
    }
    files = counted(received["items"], "fichier", "fichiers", "file", "files", language)
    weight = counted(received["bytes"], "octet", "octets", "byte", "bytes", language)
    return f"{files} ({weight}) = " + " + ".join(
        f"{counted(received[name], *forms, language)} ({received[f'{name}_bytes']})" for name, forms in words.items()
    )


def changes_line(changes: dict[str, dict[str, int]], language: str) -> str:
    """What changed in the source since the extraction before."""
    new, changed, gone = (sum(c[k] for c in changes.values()) for k in ("new", "changed", "gone"))
    if not changes:
        return (
            "rien n'a changé dans la source depuis l'extraction précédente : ses tables restent"
            if language == "fr"
            else "nothing changed in the source since the extraction before: its tables stay"
        )
    parts = (
        counted(new, "ligne nouvelle", "lignes nouvelles", "new row", "new rows", language),
        counted(changed, "modifiée", "modifiées", "changed", "changed", language),
        counted(gone, "disparue", "disparues", "gone", "gone", language),
    )
    since = "depuis l'extraction précédente : " if language == "fr" else "since the extraction before: "
    return since + ", ".join(parts)


def files_line(files: dict[str, int], language: str) -> str:
    """Documents that lie beside the database: named, read, absent."""
    named = counted(
        files["named"],
        "fichier nommé par la base :",
        "fichiers nommés par la base :",
        "file named by the database:",
        "files named by the database:",
        language,
    )
    read = counted(files["read"], "lu", "lus", "read", "read", language)
    absent = counted(files["absent"], "absent", "absents", "absent", "absent", language)
    return f"{named} {read}, {absent} ([source] documents)"


def cells_line(manifest: dict[str, object], language: str) -> str:
    """The sum of cells, always printed."""
    cells: list[dict[str, int]] = manifest["cells"]  # type: ignore[assignment]
    total = {k: sum(c[k] for c in cells) for k in ("source", "mapped", "native", "excluded")}
    words = {
        "source": ("cellule de la source", "cellules de la source", "cell of the source", "cells of the source"),
        "mapped": ("reprise", "reprises", "mapped", "mapped"),
        "native": ("native", "natives", "native", "native"),
        "excluded": ("exclue", "exclues", "excluded", "excluded"),
    }
    source, *parts = (counted(total[name], *forms, language) for name, forms in words.items())
    return f"{source} = {' + '.join(parts)}"

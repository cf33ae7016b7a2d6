"""Lire la base du cabinet : tables canoniques, contenus, somme des cellules. / Read the practice's database."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from transvase.commands.session import run_of, with_json, with_settings

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
        print(f"{manifest['unreadable']} valeurs illisibles dans leur type, conservées dans native.")
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
    words = ("fichiers", "octets", "documents", "habillage XDM", "mis de côté et conservés")
    if language == "en":
        words = ("files", "bytes", "documents", "packaging of XDM", "set aside and kept")
    parts = (
        (received[n], received[f"{n}_bytes"], word)
        for n, word in zip(("documents", "packaging", "aside"), words[2:], strict=True)
    )
    return f"{received['items']} {words[0]} ({received['bytes']} {words[1]}) = " + " + ".join(
        f"{n} {word} ({b})" for n, b, word in parts
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
    if language == "fr":
        return f"depuis l'extraction précédente : {new} lignes nouvelles, {changed} modifiées, {gone} disparues"
    return f"since the extraction before: {new} new rows, {changed} changed, {gone} gone"


def files_line(files: dict[str, int], language: str) -> str:
    """Documents that lie beside the database: named, read, absent."""
    if language == "fr":
        return f"{files['named']} fichiers nommés par la base : {files['read']} lus, {files['absent']} absents ([source] documents)"
    return f"{files['named']} files named by the database: {files['read']} read, {files['absent']} absent ([source] documents)"


def cells_line(manifest: dict[str, object], language: str) -> str:
    """The sum of cells, always printed."""
    cells: list[dict[str, int]] = manifest["cells"]  # type: ignore[assignment]
    total = {k: sum(c[k] for c in cells) for k in ("source", "mapped", "native", "excluded")}
    words = ("cellules de la source", "reprises", "natives", "exclues")
    if language == "en":
        words = ("cells of the source", "mapped", "native", "excluded")
    return f"{total['source']} {words[0]} = {total['mapped']} {words[1]} + {total['native']} {words[2]} + {total['excluded']} {words[3]}"

"""Lire la base du cabinet : tables canoniques, contenus, somme des cellules. / Read the practice's database."""

from __future__ import annotations

import argparse

from transvase.commands.session import run_of, with_json, with_settings


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    with_settings(parser)
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Extract, then print rows and the sum of cells."""
    import orjson

    from transvase.formats import canonical
    from transvase.pipelines.execute import execute

    session = run_of(options)
    execute("extract", session)
    manifest = canonical.manifest(session.work)
    if options.json:
        print(orjson.dumps(manifest).decode())
        return 0
    for name, rows in manifest["rows"].items():
        print(f"  {name:<18} {rows:>9}")
    print(cells_line(manifest, options.lang))
    if manifest["files"]["named"]:
        print(files_line(manifest["files"], options.lang))
    if manifest["unreadable"]:
        print(f"{manifest['unreadable']} valeurs illisibles dans leur type, conservées dans native.")
    return 0


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

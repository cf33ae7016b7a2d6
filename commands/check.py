"""Contrôler sans rien produire : la correspondance couvre-t-elle la base, et que disent les verdicts ?
/ Check without producing: does the mapping cover the database, and what do the verdicts say?"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from transvase.commands.session import counted, run_of, with_json, with_settings


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    with_settings(parser)
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Coverage of the live schema; then verdicts, when an extraction is there. Exit 1 when something blocks."""
    import orjson

    from transvase.assets.pace import pace_of
    from transvase.model.verdict import CATALOGUE
    from transvase.settings import require_source, source_password
    from transvase.sources import mapping
    from transvase.sources.connection import ARCHIVES, opened
    from transvase.sources.extract import check_schema
    from transvase.sources.fitness import check_whole, fitted

    session = run_of(options)
    where = require_source(session.settings)
    found = mapping.load(session.settings.source.product)
    password = source_password(session.settings)
    live, version = {}, ""
    # A folder of documents has no schema to compare.
    if found.kind not in ARCHIVES:
        with (
            TemporaryDirectory() as scratch,
            opened(found.kind, where, password, Path(scratch), pace_of(session), found.named) as view,
        ):
            found, version = fitted(found, view)
            live = check_schema(found, view)
            check_whole(found, view)
    uses = [found.columns[t, c].disposition for t, columns in live.items() for c in columns]
    coverage = {"product": found.product, "version": version, "tables": len(live), "columns": len(uses)}
    coverage |= {name: uses.count(name) for name in mapping.DISPOSITIONS}
    answer: dict[str, object] = {"coverage": coverage, "unserved": dict(found.unserved)}
    blocked = 0
    if (session.work / "canonical" / "extraction.json").is_file():
        # Loaded here: a mistake in the settings, the mapping or the database answers at once.
        from transvase.pipelines.execute import execute

        execute("check", session)
        counts = orjson.loads((session.work / "verdicts" / "counts.json").read_bytes())
        answer["verdicts"] = counts
        blocked = sum(v["count"] for v in counts["verdicts"] if v["severity"] == "block")
    if options.json:
        print(orjson.dumps(answer).decode())
        return 1 if blocked else 0
    at = 0 if options.lang == "fr" else 1
    words = (("non servi", "bloque", "signale"), ("not served", "blocks", "reports"))[at]
    columns, tables, *parts = (
        counted(int(coverage[name]), *forms, options.lang)  # type: ignore[call-overload]
        for name, forms in {
            "columns": ("colonne dans", "colonnes dans", "column in", "columns in"),
            "tables": ("table", "tables", "table", "tables"),
            "mapped": ("reprise", "reprises", "mapped", "mapped"),
            "native": ("native", "natives", "native", "native"),
            "excluded": (
                "exclue avec motif",
                "exclues avec motif",
                "excluded with a reason",
                "excluded with a reason",
            ),
        }.items()
    )
    print(f"{found.product} : {columns} {tables} = {' + '.join(parts)}")
    for name, reason in found.unserved.items():
        print(f"  {words[0]} : {name} ({reason})")
    if "verdicts" in answer:
        for verdict in counts["verdicts"]:
            effect = words[1] if verdict["severity"] == "block" else words[2]
            print(
                f"  {verdict['count']:>7}  {verdict['rule']:<20} {effect} {verdict['destination']:<12} {CATALOGUE[verdict['rule']][1 + at]}"
            )
    else:
        print(
            (
                "Pas encore d'extraction : `transvase extract` pour obtenir les verdicts.",
                "No extraction yet: `transvase extract` gives the verdicts.",
            )[at]
        )
    return 1 if blocked else 0

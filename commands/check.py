"""Contrôler sans rien produire : la correspondance couvre-t-elle la base, et que disent les verdicts ?
/ Check without producing: does the mapping cover the database, and what do the verdicts say?"""

from __future__ import annotations

import argparse

from transvase.commands.session import run_of, with_json, with_settings


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    with_settings(parser)
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Coverage of the live schema; then verdicts, when an extraction is there. Exit 1 when something blocks."""
    import orjson

    from transvase.model.verdict import CATALOGUE
    from transvase.pipelines.execute import execute
    from transvase.settings import require_source
    from transvase.sources import mapping
    from transvase.sources.extract import check_schema
    from transvase.sources.sqlite import snapshot

    session = run_of(options)
    path = require_source(session.settings)
    found = mapping.load(session.settings.source.product)
    with snapshot(path) as connection:
        live = check_schema(found, connection, path)
    uses = [found.columns[t, c].disposition for t, columns in live.items() for c in columns]
    coverage = {"product": found.product, "tables": len(live), "columns": len(uses)}
    coverage |= {name: uses.count(name) for name in mapping.DISPOSITIONS}
    answer: dict[str, object] = {"coverage": coverage, "unserved": dict(found.unserved)}
    blocked = 0
    if (session.work / "canonical" / "extraction.json").is_file():
        execute("check", session)
        counts = orjson.loads((session.work / "verdicts" / "counts.json").read_bytes())
        answer["verdicts"] = counts
        blocked = sum(v["count"] for v in counts["verdicts"] if v["severity"] == "block")
    if options.json:
        print(orjson.dumps(answer).decode())
        return 1 if blocked else 0
    print(
        f"{found.product} : {coverage['columns']} colonnes dans {coverage['tables']} tables = {coverage['mapped']} reprises + "
        f"{coverage['native']} natives + {coverage['excluded']} exclues avec motif"
    )
    for name, reason in found.unserved.items():
        print(f"  non servi : {name} ({reason})")
    if "verdicts" in answer:
        for verdict in counts["verdicts"]:
            rule = CATALOGUE[verdict["rule"]]
            effect = "bloque" if verdict["severity"] == "block" else "signale"
            print(
                f"  {verdict['count']:>7}  {verdict['rule']:<20} {effect} {verdict['destination']:<12} {rule[1 if options.lang == 'fr' else 2]}"
            )
    else:
        print("Pas encore d'extraction : `transvase extract` pour obtenir les verdicts.")
    return 1 if blocked else 0

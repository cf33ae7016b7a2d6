"""Écrire le rapport d'audit : ce qui était dû, fait, bloqué, et qui peut agir. / Write the audit report."""

from __future__ import annotations

import argparse

from transvase.commands.session import run_of, with_json, with_settings


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    with_settings(parser)
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Write both pages, print the totals. Exit 1 when documents due are not fed."""
    import orjson

    from transvase.assets.report import findings
    from transvase.model.outcome import GROUPS
    from transvase.pipelines.execute import execute

    session = run_of(options)
    execute("audit", session)
    found = findings(session)
    missing = sum(o[g] for o in found.obligations for g in ("pending", "refused", "blocked"))
    if options.json:
        print(
            orjson.dumps(
                {"documents": found.documents, "groups": found.groups, "outcomes": found.outcomes, "missing": missing}
            ).decode()
        )
    else:
        for group, n in found.groups.items():
            print(f"  {GROUPS[group][0 if options.lang == 'fr' else 1]:<12} {n:>8}")
        french = options.lang == "fr"
        words = (
            ("documents sur", "ont une issue", "dus et non alimentés")
            if french
            else ("documents of", "have an outcome", "due and not fed")
        )
        print(f"{sum(found.groups.values())} {words[0]} {found.documents} {words[1]} ; {missing} {words[2]}")
        print(session.settings.export.folder / ("rapport.html" if french else "report.html"))
    return 1 if missing else 0

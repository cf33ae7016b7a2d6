"""Alimenter le DMP : chaque document dû, une fois et une seule. / Feed the DMP, each document due exactly once."""

from __future__ import annotations

import argparse

from transvase.commands.session import run_of, with_json, with_settings


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    with_settings(parser)
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Feed, then print the ledger's states. Exit 1 when something was refused, set aside or is still waiting."""
    import orjson

    from transvase.assets.dmp import LEDGER
    from transvase.ledger.submissions import Ledger
    from transvase.pipelines.execute import execute

    session = run_of(options)
    execute("feed", session)
    with Ledger(session.work / LEDGER) as ledger:
        counts, broken = ledger.counts(), ledger.broken()
    if options.json:
        print(orjson.dumps({"states": counts, "chain_broken_at": broken}).decode())
    else:
        for state, n in sorted(counts.items()):
            print(f"  {state:<12} {n:>8}")
        if broken:
            print(f"  chaîne du registre rompue à l'événement {broken}")
    return (
        1 if broken or any(counts.get(s) for s in ("refused", "set_aside", "to_submit", "to_query", "submitted")) else 0
    )

"""What the commands that send say of their ledger: its states, its problems, what an operator did. What each sends is its own."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from transvase.ledger.submissions import Ledger, Submission


def acted(options: argparse.Namespace, ledger: Ledger, clock: datetime) -> list[Submission]:
    """Do what `retry` or `skip` asks of the ledger; the submissions that it reached."""
    from transvase.ledger import acts

    if options.act == "retry":
        return acts.retry(ledger, clock, document=options.document or "", code=options.code or "", state=options.state)
    return acts.skip(ledger, clock, options.document, options.reason)


def told(options: argparse.Namespace, found: list[Submission]) -> dict[str, Any]:
    """What the run record keeps of an act. The ledger names the documents; the record says by what they were chosen, how many they are, and
    why."""
    chosen = next(n for n in ("document", "code", "state") if getattr(options, n, None) is not None)
    kept: dict[str, Any] = {
        "chosen_by": chosen,
        "submissions": len(found),
        "documents": len({s.document for s in found}),
    }
    return kept if options.reason is None else {**kept, "reason": options.reason}


def problems_told(problems: list[Any], language: str) -> list[dict[str, Any]]:
    """One entry per problem, not per sending, with the sentence of its cause."""
    from transvase.gateways import causes

    return [
        {"state": state, "code": code, "count": n, "cause": causes.of(code).sentence(language)}
        for state, code, n in problems
    ]


def show_states(counts: dict[str, int], problems: list[Any], broken: int | None, language: str) -> None:
    """Print the states with their counts, the problems, and the first broken link of the chain if there is one."""
    for state, n in sorted(counts.items()):
        print(f"  {state:<12} {n:>8}")
    for problem in problems_told(problems, language):
        print(f"  {problem['state']} {problem['code']} × {problem['count']} : {problem['cause']}")
    if broken:
        print(
            f"  chaîne du registre rompue à l'événement {broken}"
            if language == "fr"
            else f"  the ledger's chain is broken at event {broken}"
        )

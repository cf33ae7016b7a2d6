"""The order in which the versions of a document leave: which one may go now, and which registered one it replaces.

A function of the ledger's rows alone (sheet dmp-transactions.md, 9: versionNumber follows, the target of a RPLC is approved).
Asking the registry for the target's entryUUID belongs to the feeder.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from transvase.ledger.states import LEAVING
from transvase.ledger.submissions import Submission

# Under our identifier the registry holds other bytes: the only reason to be set aside that leaves something there.
IN_THE_WAY = "XDSNonIdenticalHash"


class Turn(NamedTuple):
    """`send` as a first version, `replace` the submission `target`, `wait` for an older version, `overtaken` by a newer one, or
    `gap` when a version between the registered one and this one never left."""

    kind: Literal["send", "replace", "wait", "overtaken", "gap"]
    target: Submission | None = None


def turn(one: Submission, versions: Iterable[Submission]) -> Turn:
    """What to do with a submission in `to_submit`; `versions` are the rows of its document for the same destination."""
    others = [v for v in versions if v.id != one.id]
    newer = [v for v in others if v.rank > one.rank]
    older = sorted((v for v in others if v.rank < one.rank), key=lambda v: -v.rank)
    if any(v.state in ("registered", "adopted", "replaced") for v in newer):
        return Turn("overtaken")
    if any(v.state in ("submitted", "to_query") for v in newer):
        return Turn("wait")
    # A version on its way out may still stand: what would replace it waits for the answer.
    if any(v.state in LEAVING for v in others):
        return Turn("wait")
    held = next((v for v in older if v.state in ("registered", "adopted")), None)
    between = [v for v in older if held is None or v.rank > held.rank]
    # A doubt first: the registry may hold an older version, and then it must be replaced.
    if any(v.state in ("submitted", "to_query") or (v.state, v.code) == ("set_aside", IN_THE_WAY) for v in between):
        return Turn("wait")
    if held is None and any(v.state == "to_submit" for v in newer):
        return Turn("overtaken")
    if any(v.state == "to_submit" for v in between):
        return Turn("wait")
    if held is None:
        return Turn("send")
    return Turn("replace", held) if one.rank == held.rank + 1 else Turn("gap")

"""What an operator does to the ledger: try again, leave aside. Each act is an event with its instant and a code, never a free text,
since a text may name a patient. Who acted is not kept: the ledger knows no accounts.
"""

from __future__ import annotations

from datetime import datetime

from transvase.errors import Said
from transvase.ledger.states import NEXT, REOPENED, State
from transvase.ledger.submissions import Ledger, Step, Submission

# Code of the event of a retry.
OPERATOR = "operator"
# Why a document is left aside: the code kept in the event, and its meaning.
REASONS: dict[str, Said] = {
    "elsewhere": Said("déjà au DMP par un autre moyen", "in the DMP already by other means"),
    "withheld": Said("retenu par le professionnel", "withheld by the professional"),
    "unfit": Said("ne peut pas être corrigé", "cannot be mended"),
}
_SKIPPED_FROM: tuple[State, ...] = tuple(s for s, e in NEXT if e == "skip")


def retry(
    ledger: Ledger, at: datetime, *, document: str = "", code: str = "", state: State | None = None
) -> list[Submission]:
    """Open again what is refused, set aside or skipped, of a document, with a last code or in a state; what was opened, as it was.

    FeederLocked while a feeder runs."""
    with ledger.feeding():
        found = ledger.select((state,) if state else REOPENED, document, code)
        ledger.record([Step(s.id, "retry", OPERATOR) for s in found], at)
    return found


def skip(ledger: Ledger, at: datetime, document: str, reason: str) -> list[Submission]:
    """Leave aside every submission of a document that waits, is refused or set aside; `reason` is a key of REASONS. What was skipped,
    as it was. FeederLocked while a feeder runs."""
    if reason not in REASONS:
        raise ValueError("unknown reason")
    with ledger.feeding():
        found = ledger.select(_SKIPPED_FROM, document)
        ledger.record([Step(s.id, "skip", reason) for s in found], at)
    return found

"""What an operator does to the ledger: try again, leave aside, have deleted. Each act is an event with its instant and a code, never a
free text, since a text may name a patient. Of a deletion the operator's reference is kept.
"""

from __future__ import annotations

from datetime import datetime

from transvase.errors import Said
from transvase.ledger.states import LEAVING, NEXT, REOPENED, State
from transvase.ledger.submissions import Ledger, Step, Submission

# Code of the event of a retry.
OPERATOR = "operator"
# Why a document is left aside: the code kept in the event, and its meaning.
REASONS: dict[str, Said] = {
    "elsewhere": Said("déjà au DMP par un autre moyen", "in the DMP already by other means"),
    "withheld": Said("retenu par le professionnel", "withheld by the professional"),
    "unfit": Said("ne peut pas être corrigé", "cannot be mended"),
}
# Why what was fed is deleted.
DELETIONS: dict[str, Said] = {
    "identity": Said("identité corrigée ou dégradée depuis", "identity corrected or downgraded since"),
    "patient": Said("document d'un autre patient", "document of another patient"),
    "error": Said("document fait par erreur", "document made in error"),
    "request": Said(
        "demande du patient, retenue par le professionnel", "asked for by the patient, granted by the professional"
    ),
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


def delete(ledger: Ledger, at: datetime, document: str, by: str, reason: str) -> list[Submission]:
    """Have what this practice fed of a document deleted (TD3.3c): `by` is the operator's reference, `reason` a key of DELETIONS. Nothing
    of it leaves any more: its versions that wait are left aside. What is to be deleted, as it was; nothing when no version stands in the
    registry by our account or when one is in doubt. FeederLocked while a feeder runs."""
    if reason not in DELETIONS:
        raise ValueError("unknown reason")
    with ledger.feeding():
        if ledger.select(("submitted", "to_query", *LEAVING), document):
            return []
        found = ledger.select(("registered",), document)
        steps = [Step(s.id, "delete", reason, by=by) for s in found]
        if found:
            steps += [Step(s.id, "skip", "withheld") for s in ledger.select(_SKIPPED_FROM, document)]
        ledger.record(steps, at)
    return found

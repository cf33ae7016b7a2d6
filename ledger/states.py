"""The states of a submission and what moves it: one table, as a protocol specification would print it (dmp-transactions.md, 9 to 12;
xdm-mssante.md, 3).

The feeder looks up the next state here and nowhere else; the tests walk the table.
"""

from __future__ import annotations

from typing import Literal

State = Literal[
    "to_submit",
    "submitted",
    "to_query",
    "registered",
    "adopted",
    "replaced",
    "refused",
    "set_aside",
    "skipped",
    "to_delete",
    "deleting",
    "to_confirm",
    "deleted",
]
Event = Literal[
    "send",
    "accepted",
    "refused",
    "doubt",
    "not_sent",
    "turned_away",
    "apart",
    "restart",
    "present",
    "absent",
    "differs",
    "replace",
    "overtaken",
    "retry",
    "skip",
    "adopt",
    "give_up",
    "no_dmp",
    "receipt",
    "returned",
    "unsure",
    "delete",
    "withdraw",
    "withdrawn",
    "kept",
]

NEXT: dict[tuple[State, Event], State] = {
    # Written and synced before the first byte leaves.
    ("to_submit", "send"): "submitted",
    ("to_submit", "give_up"): "set_aside",
    # The existence of the patient's DMP was asked: there is none, or it is closed. Nothing was sent.
    ("to_submit", "no_dmp"): "refused",
    ("submitted", "accepted"): "registered",
    ("submitted", "refused"): "refused",
    # Time-out, cut, unreadable or partial answer: nobody knows what the registry did.
    ("submitted", "doubt"): "to_query",
    # The connection failed before the request left: nothing can have been registered.
    ("submitted", "not_sent"): "to_submit",
    # Nothing was said of this document: every one is refused alike (sheet, 11), or the service asked to wait before its turn.
    ("submitted", "turned_away"): "to_submit",
    ("refused", "turned_away"): "to_submit",
    # A set of several documents was refused whole, which says of none that it is guilty: each leaves again alone.
    ("submitted", "apart"): "to_submit",
    # Found in this state at start: the former run ended between the sending and the outcome.
    ("submitted", "restart"): "to_query",
    # The registry was asked by uniqueId.
    ("to_query", "present"): "registered",
    ("to_query", "absent"): "to_submit",
    ("to_query", "differs"): "set_aside",
    # The registry took the next version, which deprecates this one (sheet, 9).
    ("registered", "replace"): "replaced",
    ("adopted", "replace"): "replaced",
    # The registry does not hold it and a newer version stands in its place: it would only be replaced.
    ("to_submit", "overtaken"): "replaced",
    # Acts of the operator (design, 6). What is in doubt cannot be skipped: it may be in the patient's record.
    ("refused", "retry"): "to_submit",
    ("set_aside", "retry"): "to_query",
    ("to_submit", "skip"): "skipped",
    ("refused", "skip"): "skipped",
    ("set_aside", "skip"): "skipped",
    # It may have been set aside because the registry holds it: asked before anything is sent.
    ("skipped", "retry"): "to_query",
    ("to_submit", "adopt"): "adopted",
    # Messages (sheet xdm-mssante.md, 3): what the recipient's system says of one that was taken, and of one that came back.
    ("registered", "receipt"): "registered",
    ("replaced", "receipt"): "replaced",
    ("registered", "returned"): "refused",
    # An answer to a message proves that it left, whatever was believed.
    ("to_submit", "present"): "registered",
    ("set_aside", "present"): "registered",
    # No registry to ask and no trace of the message: a person decides.
    ("to_query", "unsure"): "set_aside",
    # Deletion of what this practice fed (TD3.3c; sheet, 4 and 9), by an operator's act; the same order: intent, request, outcome.
    ("registered", "delete"): "to_delete",
    ("to_delete", "withdraw"): "deleting",
    ("deleting", "withdrawn"): "deleted",
    # The registry refuses: the document stands.
    ("deleting", "kept"): "registered",
    ("deleting", "not_sent"): "to_delete",
    ("deleting", "doubt"): "to_confirm",
    ("deleting", "restart"): "to_confirm",
    # The registry was asked by uniqueId, before each deletion and after a doubt.
    ("to_confirm", "present"): "to_delete",
    ("to_confirm", "absent"): "deleted",
    ("to_delete", "absent"): "deleted",
}

# States that ask for nothing more unless an operator acts, or a newer version comes.
FINAL: tuple[State, ...] = ("registered", "adopted", "replaced", "refused", "set_aside", "skipped", "deleted")
# On the way out of the registry.
LEAVING: tuple[State, ...] = ("to_delete", "deleting", "to_confirm")
# What an operator's `retry` opens again.
REOPENED: tuple[State, ...] = tuple(s for s, e in NEXT if e == "retry")


def after(state: State, event: Event) -> State:
    """The next state; ValueError when the specification has none."""
    try:
        return NEXT[state, event]
    except KeyError:
        raise ValueError(f"no transition from {state} by {event}") from None

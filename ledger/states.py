"""The states of a submission and what moves it: one table, as a protocol specification would print it (dmp-transactions.md, 9 to 12).

The feeder looks up the next state here and nowhere else; the tests walk the table.
"""

from __future__ import annotations

from typing import Literal

State = Literal["to_submit", "submitted", "to_query", "registered", "adopted", "refused", "set_aside"]
Event = Literal[
    "send",
    "accepted",
    "refused",
    "doubt",
    "not_sent",
    "restart",
    "present",
    "absent",
    "differs",
    "retry",
    "adopt",
    "give_up",
    "no_dmp",
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
    # Found in this state at start: the former run ended between the sending and the outcome.
    ("submitted", "restart"): "to_query",
    # The registry was asked by uniqueId.
    ("to_query", "present"): "registered",
    ("to_query", "absent"): "to_submit",
    ("to_query", "differs"): "set_aside",
    ("refused", "retry"): "to_submit",
    ("set_aside", "retry"): "to_query",
    ("to_submit", "adopt"): "adopted",
}

# States that ask for nothing more unless an operator acts.
FINAL: tuple[State, ...] = ("registered", "adopted", "refused", "set_aside")


def after(state: State, event: Event) -> State:
    """The next state; ValueError when the specification has none."""
    try:
        return NEXT[state, event]
    except KeyError:
        raise ValueError(f"no transition from {state} by {event}") from None

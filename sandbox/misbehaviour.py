"""What a service may do wrong on demand: the plan that says which submission meets which trouble.

How each trouble looks on the wire belongs to the service that plays it.
"""

from __future__ import annotations

import enum
import math
from typing import Any, NamedTuple


class Trouble(enum.StrEnum):
    """The troubles, and whether the submission is registered although its sender cannot tell."""

    SLOW = "slow"
    """Registered; the answer comes after `seconds`."""
    HTTP_500 = "http_500"
    """Not registered; HTTP 500 without a SOAP body."""
    FAULT = "fault"
    """Not registered; SOAP fault Receiver."""
    CUT = "cut"
    """Not registered; the connection is closed once the request is read."""
    CUT_AFTER = "cut_after"
    """Registered; the connection is closed without an answer."""
    DUPLICATE_ANSWER = "duplicate_answer"
    """Registered; the answer is written twice, so the next request on the connection meets a stale one."""
    HTML_200 = "html_200"
    """Not registered; a proxy's HTML page with status 200."""
    HTML_502 = "html_502"
    """Not registered; a proxy's HTML page with status 502."""
    PARTIAL = "partial"
    """Registered, of several documents the first alone; the answer is PartialSuccess with a warning."""
    OVERLOADED = "overloaded"
    """Not registered; HTTP 503 with Retry-After."""


class Misbehaviour(NamedTuple):
    """A trouble; `seconds` is the wait of SLOW, and the Retry-After of OVERLOADED (whole seconds)."""

    trouble: Trouble
    seconds: float = 1.0


def read_plan(body: Any, received: int) -> dict[int, Misbehaviour]:
    """The plan of a control message: `{"plan": [{"nth": 1, "trouble": "slow", "seconds": 2}, ...]}`, nth counting from the
    next submission, 1 being the next; `received` submissions came before. Raises `ValueError` with the reason."""
    rows = body.get("plan") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise ValueError("the message is not an object with a list plan")
    plan: dict[int, Misbehaviour] = {}
    for row in rows:
        if not isinstance(row, dict) or not set(row) <= {"nth", "trouble", "seconds"}:
            raise ValueError("an item of plan is not an object of nth, trouble and seconds")
        nth, seconds = row.get("nth"), row.get("seconds", 1.0)
        if type(nth) is not int or nth < 1 or received + nth in plan:
            raise ValueError("nth is not a whole number from 1, or is repeated")
        if type(seconds) not in (int, float) or not math.isfinite(seconds) or not 0 <= seconds <= 3600:
            raise ValueError("seconds is not a number from 0 to 3600")
        try:
            plan[received + nth] = Misbehaviour(Trouble(str(row.get("trouble"))), float(seconds))
        except ValueError:
            raise ValueError(f"trouble is not one of {', '.join(Trouble)}") from None
    return plan

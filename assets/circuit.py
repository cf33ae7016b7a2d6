"""Stopping for one cause: answers that refuse everything alike are one problem, not one refusal for each document.

This module counts answers in their order; what a code means is data of `gateways.causes`, what follows is the feeder's.
"""

from __future__ import annotations

from transvase.gateways.causes import common
from transvase.gateways.dmp import Answer

# Refusals in a row for one cause. Two adjacent documents may well be wrong in the same way; the third costs little and tells.
ALIKE = 3


class Circuit:
    """The refusals of one common cause since the service last took or judged a document."""

    def __init__(self) -> None:
        self.code = ""
        self.alike: list[str] = []

    def note(self, submission: str, answer: Answer) -> None:
        """An answer about a submission. A doubt says nothing of the cause, so it does not interrupt."""
        if answer.kind == "refused" and common(answer.code):
            if answer.code != self.code:
                self.code, self.alike = answer.code, []
            if submission not in self.alike:
                self.alike.append(submission)
        elif answer.kind in ("accepted", "refused"):
            self.code, self.alike = "", []

    @property
    def open(self) -> bool:
        """Enough in a row: sending more would only refuse more."""
        return len(self.alike) >= ALIKE

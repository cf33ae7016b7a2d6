"""A portability request as a run: its scope and clock, and what the register keeps of its beginning and end. One code path for the
command and for the sensor.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from transvase.assets.run import Run
from transvase.errors import BadCall, Said
from transvase.exporters.archive_set import Delivery
from transvase.ledger.requests import PHASES, REQUESTS, Request, Requests

# The tag of a Dagster run that makes the archive of a request.
TAG = "transvase/request"


def find(run: Run, number: int) -> Request:
    """The request of that number; BadCall without one."""
    with Requests(run.work / REQUESTS) as requests:
        found = requests.find(number)
    if found is None:
        raise BadCall(
            what=Said(f"aucune demande {number}", f"no request {number}"),
            mend=Said("voyez `transvase request list`", "see `transvase request list`"),
        )
    return found


def run_for(run: Run, number: int) -> Run:
    """The run that makes the archive of a request; an interrupted one goes on with the clock it was started at, so that its finished
    parts serve. BadCall for an unknown request."""
    request = find(run, number)
    clock = request.at("started") if request.state == "started" else None
    return replace(run, clock=clock or run.clock, scope=request.next_scope, request=number)


def delivery(run: Run) -> Delivery | None:
    """Which delivery of its request the run makes; None when the request is not phased."""
    request = find(run, run.request) if run.request else None
    if request is None or request.rest_due is None:
        return None
    number = len(request.deliveries) + 1
    return Delivery(request.list_name, number, PHASES, request.rest_due.isoformat())


def begin(run: Run) -> None:
    """The making of the run's request begins, if it has one."""
    if run.request and find(run, run.request).state != "started":
        with Requests(run.work / REQUESTS) as requests:
            requests.record(run.request, run.clock, "started")


def end(run: Run, facts: dict[str, Any]) -> None:
    """The archive of the run's request is there, if it has one."""
    if run.request:
        kept = ["archive", "sha256", "size", "patients", "documents"]
        told = {name: facts[name] for name in kept}
        if facts["set"]:
            told |= {"set": facts["set"], "archives": [one["file"] for one in facts["archives"]]}
        if (phase := delivery(run)) is not None:
            told["phase"] = phase.number
        with Requests(run.work / REQUESTS) as requests:
            requests.record(run.request, run.clock, "delivered", **told)

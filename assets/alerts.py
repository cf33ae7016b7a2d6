"""What the people who keep the system must be told: one alert per problem, told once while it lasts, told again when it comes back. A
problem is named by its cause; the transport belongs to `gateways.alerts`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from transvase.assets.dmp import notices
from transvase.assets.ledger_place import ledger_place
from transvase.assets.run import Run
from transvase.errors import CertificateRefused, Said, TransvaseError
from transvase.formats import files
from transvase.gateways import alerts
from transvase.ledger import engines
from transvase.ledger.requests import NEAR, REQUESTS, Requests
from transvase.ledger.submissions import Ledger
from transvase.settings import alert_password

FOLDER, SUMMARY, REGISTER = "alerts", "summary.json", "register.json"
# Causes of a run's end, and those of what stands.
RUN, STATE = "run", "state"


class Problem(NamedTuple):
    """A problem: its cause (codes only: two problems of one cause are one), a sentence with what to do, how many records."""

    cause: str
    sentence: Said
    records: int = 1


def of_failure(job: str, error: TransvaseError) -> Problem:
    """A run that failed, by the class of its error: the text of an error stays on the machine."""
    name, code = type(error).__name__, error.exit_code
    return Problem(
        f"{RUN} {job} {name}",
        Said(
            f"Le travail {job} a échoué : {name}, code {code}. Voir OPERATING, « Exit codes », et l'écran de Dagster.",
            f"Job {job} failed: {name}, code {code}. See OPERATING, Exit codes, and Dagster's screen.",
        ),
    )


def standing(run: Run, now: datetime) -> list[Problem]:
    """What waits for a person: refusals by code, requests near or past their deadline, certificates that end. `now` is aware."""
    found = []
    if engines.exists(place := ledger_place(run.settings)):
        with Ledger(place, "dmp") as ledger:
            problems = ledger.problems()
        for state, code, count in problems:
            found.append(
                Problem(
                    f"{STATE} dmp {state} {code}",
                    Said(
                        f"{count} {'documents sont' if count > 1 else 'document est'} dans l'état {state} avec le code {code or '-'}. "
                        "Voir `transvase feed show`.",
                        f"{count} {'document is' if count == 1 else 'documents are'} in state {state} with code {code or '-'}. "
                        "See `transvase feed show`.",
                    ),
                    count,
                )
            )
    if (run.work / REQUESTS).is_file():
        with Requests(run.work / REQUESTS) as register:
            waiting = [r for r in register.all() if r.open]
        for r in waiting:
            missed, limit = r.late(now), f"{r.awaited:%Y-%m-%d %H:%M}"
            if missed:
                told = Said(
                    f"Demande de portabilité {r.number} : échéance manquée ; à remettre avant le {limit}. Voir `transvase request`.",
                    f"Portability request {r.number}: deadline missed; due before {limit}. See `transvase request`.",
                )
                found.append(Problem(f"{STATE} request {r.number} missed", told))
            elif r.scope.kind != "UNITAIRE" and r.awaited - now < NEAR:
                told = Said(
                    f"Demande de portabilité {r.number} : à remettre avant le {limit}. Voir `transvase request`.",
                    f"Portability request {r.number}: due before {limit}. See `transvase request`.",
                )
                found.append(Problem(f"{STATE} request {r.number} near", told))
    try:
        ending = notices(run, now)
    except CertificateRefused as refused:
        ending = [Said(refused.sentence("fr"), refused.sentence("en"))]
    found += [Problem(f"{STATE} certificate {n}", said) for n, said in enumerate(ending, 1)]
    return found


def tell(run: Run, scopes: Sequence[str], problems: Iterable[Problem], at: datetime) -> list[Said]:
    """Tell the problems that were not told yet, forget those of these scopes (starts of causes) that are gone, and write the summary; why
    some could not be told. These are tried again the next time. `at` is aware."""
    folder = files.private_folder(run.work / FOLDER)
    register = _read(folder / REGISTER)
    found = {p.cause: p for p in problems}
    for cause in [c for c in register if any(c == s or c.startswith(f"{s} ") for s in scopes) and c not in found]:
        del register[cause]
    refused: list[Said] = []
    for cause, one in found.items():
        entry = register.setdefault(cause, {"since": at.isoformat(), "told": ""})
        entry["count"] = one.records
        if not entry["told"]:
            why = _told(run, one, entry["since"], at)
            if not why:
                entry["told"] = at.isoformat()
            refused += why
        # What stands is written after each alert: a kill repeats one at most.
        files.write(folder / REGISTER, orjson.dumps(register, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    files.write(folder / REGISTER, orjson.dumps(register, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    summary = {
        "at": at.isoformat(),
        "problems": [
            {"cause": p.cause, "fr": p.sentence.fr, "en": p.sentence.en, "count": p.records} for p in found.values()
        ],
        "open": sorted(register),
        "not_told": [why.fr for why in refused],
    }
    files.write(folder / SUMMARY, orjson.dumps(summary, option=orjson.OPT_INDENT_2))
    return refused


def _read(path: Any) -> dict[str, dict[str, Any]]:
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        # Lost or never written: an alert twice is better than none.
        return {}
    return found if isinstance(found, dict) else {}


def _told(run: Run, one: Problem, since: str, at: datetime) -> list[Said]:
    """Send by every means of the settings; why one did not take it. Empty when none is set."""
    settings = run.settings.alerts
    refused: list[Said] = []
    ident = hashlib.sha256(f"{one.cause} {since}".encode()).hexdigest()[:32]
    try:
        context = alerts.tls(settings.authority)
    except alerts.NotTold as refusal:
        return [refusal.why]
    if settings.smtp:
        mail = alerts.Mail(
            settings.smtp,
            settings.sender,
            settings.recipients,
            settings.user,
            alert_password(settings),
            settings.timeout,
        )
        try:
            alerts.send(
                mail, context, f"Transvase : {one.cause}", f"{one.sentence.fr}\n\n{one.sentence.en}\n", ident, at
            )
        except alerts.NotTold as refusal:
            refused.append(refusal.why)
    if settings.webhook:
        body = orjson.dumps(
            {
                "id": ident,
                "cause": one.cause,
                "fr": one.sentence.fr,
                "en": one.sentence.en,
                "count": one.records,
                "since": since,
            }
        )
        try:
            alerts.post(settings.webhook, context, body, settings.timeout)
        except alerts.NotTold as refusal:
            refused.append(refusal.why)
    return refused

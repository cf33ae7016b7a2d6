"""Demandes de portabilité : les inscrire, en accuser réception, les exécuter, suivre leurs échéances.
/ Portability requests: register, acknowledge, run, follow their deadlines."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import TYPE_CHECKING, Any

from transvase.commands.session import moment, run_of, with_json, with_settings
from transvase.errors import BadCall, Said, TransvaseError

if TYPE_CHECKING:
    from transvase.assets.run import Run
    from transvase.ledger.requests import Request


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACTE", help="ce qui est fait / what is done")
    new = acts.add_parser("new", help="inscrire une demande / register a request")
    new.add_argument("kind", choices=("unitaire", "cible", "massif"), help="portée / scope")
    new.add_argument("--by", required=True, metavar="PS", help="professionnel qui demande / professional who asks")
    new.add_argument("--patient", default="", help="dossier (unitaire) / record")
    new.add_argument(
        "--practitioner", default="", metavar="PS", help="professionnel référent (cible) / referring professional"
    )
    new.add_argument(
        "--from", dest="start", default="", metavar="AAAA-MM-JJ", help="début de période (cible) / first day"
    )
    new.add_argument("--to", dest="end", default="", metavar="AAAA-MM-JJ", help="fin de période (cible) / last day")
    new.add_argument(
        "--type", action="append", default=[], metavar="TABLE", help="type de données (cible) / type of data"
    )
    new.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="DOCUMENT",
        help="document écarté (unitaire) / deselected document",
    )
    new.add_argument("--judicial", action="store_true", help="réquisition judiciaire / judicial requisition")
    new.add_argument("--means", default="logiciel", choices=_means(), help="voie de la demande / how it came")
    new.add_argument(
        "--received", default=None, metavar="ISO", help="date certaine de réception / certain date of reception"
    )
    new.add_argument(
        "--phased",
        default=None,
        metavar="AAAA-MM-JJ",
        help="massif en deux remises : patients actifs d'abord, le reste à cette date / in two deliveries, the rest due that day",
    )
    new.add_argument("--recipient", default="", help="destinataire / recipient")
    for name, help_ in (
        ("list", "toutes les demandes et leurs échéances / every request and its deadlines"),
        ("show", "une demande et ce qui lui est arrivé / one request and its history"),
        ("acknowledge", "en accuser réception / acknowledge it"),
        ("run", "produire son archive / make its archive"),
        ("cancel", "la retirer / withdraw it"),
    ):
        one = acts.add_parser(name, help=help_)
        if name != "list":
            one.add_argument("number", type=int, help="numéro de la demande / number of the request")
        with_settings(one)
        with_json(one)
    with_settings(new)
    with_json(new)


def _means() -> tuple[str, ...]:
    from transvase.ledger.requests import MEANS

    return MEANS


def run(options: argparse.Namespace) -> int:
    """Do the act, then print the requests it concerns. Exit 1 when a deadline was missed, or an archive is incomplete."""
    from transvase.assets.requests import find
    from transvase.ledger.requests import REQUESTS, Requests

    session = run_of(options)
    with Requests(session.work / REQUESTS) as requests:
        broken, code = requests.broken(), 0
        if options.act == "list":
            shown = requests.all()
        else:
            number = _new(options, session, requests) if options.act == "new" else options.number
            found = find(session, number)
            if options.act in ("acknowledge", "run", "cancel"):
                code = _act(options, session, requests, found)
            shown = [r for r in (requests.find(number),) if r is not None]
    _say(options, shown, session.clock, broken)
    return 1 if code or broken or any(r.late(session.clock) for r in shown) else 0


def _new(options: argparse.Namespace, session: Run, requests: Any) -> int:
    """Register; the number."""
    from transvase.formats import canonical
    from transvase.model.request import Scope, faults

    scope = Scope(
        options.kind.upper(),
        options.patient,
        options.practitioner,
        options.start,
        options.end,
        tuple(options.type),
        tuple(options.without),
        options.judicial,
    )
    wrong = faults(scope)
    for day in (options.start, options.end):
        if day and not _is_day(day):
            wrong.append(f"{day} is not a day written YYYY-MM-DD")
    if wrong:
        raise BadCall(
            what=Said(f"la portée se contredit ({wrong[0]})", f"the scope contradicts itself ({wrong[0]})"),
            mend=Said("corrigez la demande", "correct the request"),
        )
    with canonical.connect(session.work, threads=1) as base:
        for table, key in (
            ("practitioner", options.by),
            ("practitioner", scope.practitioner),
            ("patient", scope.patient),
        ):
            if key and not base.execute(f"SELECT 1 FROM {table} WHERE key = $key", {"key": key}).fetchall():
                raise BadCall(
                    what=Said(f"aucune ligne de {table} n'a cette clé", f"no row of {table} has that key"),
                    mend=Said("donnez la clé du logiciel du cabinet", "give the key of the practice's software"),
                )
    received = moment(options.received) if options.received else session.clock
    if received > session.clock:
        raise BadCall(
            what=Said("--received est dans l'avenir", "--received is in the future"),
            mend=Said("donnez la date de réception", "give the date of reception"),
        )
    rest = _rest_due(options.phased, scope.kind, received, session) if options.phased else None
    options.recording.begin(session)
    number: int = requests.receive(options.by, options.means, received, options.recipient, scope, rest).number
    # Whose record is asked for stands in the register alone.
    told = {"number": number, "kind": scope.kind, "means": options.means, "judicial": scope.judicial}
    options.recording.note("request", told | {"phased": rest is not None})
    return number


def _rest_due(day: str, kind: str, received: datetime, session: Run) -> datetime:
    """End of the day when the second delivery of a phased request is due, in the practice's time; BadCall for a plan that PORT-08 does
    not take."""
    from transvase.model.clock import zone
    from transvase.model.request import PLAN, due

    def refused(fr: str, en: str, mend_fr: str, mend_en: str) -> BadCall:
        return BadCall(what=Said(f"--phased : {fr}", f"--phased: {en}"), mend=Said(mend_fr, mend_en))

    if kind != "MASSIF":
        raise refused(
            "seule une demande massive se remet en phases",
            "only a massif request is delivered in phases",
            "retirez l'option",
            "leave it out",
        )
    if not _is_day(day):
        raise refused(
            "un jour AAAA-MM-JJ est attendu",
            "a day written YYYY-MM-DD is expected",
            "donnez le jour de la seconde remise",
            "give the day of the second delivery",
        )
    if session.clock - received > PLAN:
        raise refused(
            f"un plan en phases se propose dans les {PLAN.days} jours de la demande",
            f"a phased plan is offered within {PLAN.days} days of the request",
            "remettez tout à l'échéance de la demande",
            "deliver everything at the request's deadline",
        )
    rest = datetime.strptime(day, "%Y-%m-%d").replace(
        hour=23, minute=59, second=59, tzinfo=zone(session.settings.time_zone)
    )
    if rest <= due("MASSIF", received).delivered:
        raise refused(
            "le reste serait dû avant les patients actifs",
            "the rest would be due before the active patients",
            "donnez un jour après l'échéance de la demande",
            "give a day after the request's deadline",
        )
    return rest


def _is_day(text: str) -> bool:
    try:
        return datetime.strptime(text, "%Y-%m-%d").strftime("%Y-%m-%d") == text
    except ValueError:
        return False


def _act(options: argparse.Namespace, session: Run, requests: Any, request: Request) -> int:
    """Acknowledge, cancel or run; 1 when the archive is incomplete."""
    if not request.open:
        raise BadCall(
            what=Said(f"la demande {request.number} est close", f"request {request.number} is closed"),
            mend=Said("inscrivez-en une autre", "register another one"),
        )
    if options.act != "run":
        event = {"acknowledge": "acknowledged", "cancel": "cancelled"}[options.act]
        options.recording.begin(session)
        requests.record(request.number, session.clock, event)
        options.recording.note("request", {"number": request.number, "kind": request.scope.kind, "event": event})
        return 0
    import orjson

    from transvase.assets.requests import run_for
    from transvase.commands.export import incomplete
    from transvase.exporters.portability import facts_of
    from transvase.pipelines.execute import execute

    try:
        execute("export", run_for(session, request.number))
    except TransvaseError as error:
        requests.record(request.number, session.clock, "failed", error=type(error).__name__)
        raise
    facts = orjson.loads(facts_of(session.work, request.next_scope).read_bytes())
    return 1 if incomplete(facts) else 0


_WORDS: dict[str, dict[str, Any]] = {
    "fr": {
        "phases": ("remise 1, patients actifs :", "remise 2, les autres :"),
        "none": "Aucune demande.", "due": "à remettre", "ack": "accusé de réception", "late": "EN RETARD", "soon": "échéance proche",
        "received": "reçue", "acknowledged": "accusée", "started": "commencée", "delivered": "remise", "failed": "échouée",
        "phase": "remise en partie", "rest": "le reste", "cancelled": "retirée", "broken": "registre rompu à l'événement", "at once": "immédiate",
    },
    "en": {
        "phases": ("delivery 1, active patients:", "delivery 2, the others:"),
        "none": "No request.", "due": "to be delivered", "ack": "acknowledgement", "late": "LATE", "soon": "deadline near",
        "received": "received", "acknowledged": "acknowledged", "started": "started", "delivered": "delivered", "failed": "failed",
        "phase": "delivered in part", "rest": "the rest", "cancelled": "withdrawn", "broken": "register broken at event", "at once": "at once",
    },
}  # fmt: skip


def _say(options: argparse.Namespace, shown: list[Request], now: datetime, broken: int | None) -> None:
    if options.json:
        import orjson

        print(orjson.dumps({"requests": [facts(r, now) for r in shown], "chain_broken_at": broken}).decode())
        return
    say = _WORDS[options.lang]
    if not shown:
        print(say["none"])
    for request in shown:
        print("\n".join(lines(request, now, say, options.act != "list")))
    if broken:
        print(f"{say['broken']} {broken}")


def lines(request: Request, now: datetime, say: dict[str, Any], whole: bool) -> list[str]:
    """A request for a reader: one line, and its history when `whole`."""
    from transvase.ledger.requests import NEAR

    due, late = request.due, request.late(now)
    told = say["at once"] if request.scope.kind == "UNITAIRE" else f"{say['due']} {request.awaited:%Y-%m-%d %H:%M}"
    mark = (
        f" · {say['late']} ({', '.join(say['ack'] if d == 'acknowledged' else say[d] for d in late)})" if late else ""
    )
    if not late and request.open and request.awaited - now < NEAR and request.scope.kind != "UNITAIRE":
        mark = f" · {say['soon']}"
    out = [f"{request.number:>4}  {request.scope.kind:<9} {say[request.state]:<10} {told}{mark}"]
    if whole:
        if due.acknowledged is not None:
            out.append(f"      {say['ack']} {due.acknowledged:%Y-%m-%d %H:%M}")
        if request.rest_due is not None:
            out += [
                f"      {say['phases'][0]} {due.delivered:%Y-%m-%d %H:%M}",
                f"      {say['phases'][1]} {request.rest_due:%Y-%m-%d %H:%M}",
            ]
        out += [
            f"      {at:%Y-%m-%d %H:%M} {say[event]} {about.get('archive') or about.get('error') or ''}".rstrip()
            for at, event, about in request.events
        ]
    return out


def facts(request: Request, now: datetime) -> dict[str, Any]:
    """The same for a program."""
    due = request.due
    return {
        "number": request.number,
        "state": request.state,
        "author": request.author,
        "means": request.means,
        "recipient": request.recipient,
        "scope": request.scope._asdict(),
        "received": request.received.isoformat(),
        "acknowledgement_due": due.acknowledged.isoformat() if due.acknowledged else None,
        "delivery_due": due.delivered.isoformat(),
        "rest_due": request.rest_due.isoformat() if request.rest_due else None,
        "late": request.late(now),
        "events": [{"at": at.isoformat(), "event": event, **about} for at, event, about in request.events[1:]],
    }

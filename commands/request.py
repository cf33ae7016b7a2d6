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
                code = _act(options.act, session, requests, found)
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
    number: int = requests.receive(options.by, options.means, received, options.recipient, scope).number
    return number


def _is_day(text: str) -> bool:
    try:
        return datetime.strptime(text, "%Y-%m-%d").strftime("%Y-%m-%d") == text
    except ValueError:
        return False


def _act(act: str, session: Run, requests: Any, request: Request) -> int:
    """Acknowledge, cancel or run; 1 when the archive is incomplete."""
    if not request.open:
        raise BadCall(
            what=Said(f"la demande {request.number} est close", f"request {request.number} is closed"),
            mend=Said("inscrivez-en une autre", "register another one"),
        )
    if act != "run":
        requests.record(request.number, session.clock, {"acknowledge": "acknowledged", "cancel": "cancelled"}[act])
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
    facts = orjson.loads(facts_of(session.work, request.scope).read_bytes())
    return 1 if incomplete(facts) else 0


_WORDS = {
    "fr": {
        "none": "Aucune demande.", "due": "à remettre", "ack": "accusé de réception", "late": "EN RETARD", "soon": "échéance proche",
        "received": "reçue", "acknowledged": "accusée", "started": "commencée", "delivered": "remise", "failed": "échouée",
        "cancelled": "retirée", "broken": "registre rompu à l'événement", "at once": "immédiate",
    },
    "en": {
        "none": "No request.", "due": "to be delivered", "ack": "acknowledgement", "late": "LATE", "soon": "deadline near",
        "received": "received", "acknowledged": "acknowledged", "started": "started", "delivered": "delivered", "failed": "failed",
        "cancelled": "withdrawn", "broken": "register broken at event", "at once": "at once",
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


def lines(request: Request, now: datetime, say: dict[str, str], whole: bool) -> list[str]:
    """A request for a reader: one line, and its history when `whole`."""
    from transvase.ledger.requests import NEAR

    due, late = request.due, request.late(now)
    told = say["at once"] if request.scope.kind == "UNITAIRE" else f"{say['due']} {due.delivered:%Y-%m-%d %H:%M}"
    mark = (
        f" · {say['late']} ({', '.join(say['ack'] if d == 'acknowledged' else say['delivered'] for d in late)})"
        if late
        else ""
    )
    if not late and request.open and due.delivered - now < NEAR and request.scope.kind != "UNITAIRE":
        mark = f" · {say['soon']}"
    out = [f"{request.number:>4}  {request.scope.kind:<9} {say[request.state]:<10} {told}{mark}"]
    if whole:
        if due.acknowledged is not None:
            out.append(f"      {say['ack']} {due.acknowledged:%Y-%m-%d %H:%M}")
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
        "late": request.late(now),
        "events": [{"at": at.isoformat(), "event": event, **about} for at, event, about in request.events[1:]],
    }

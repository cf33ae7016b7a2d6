"""Messages MSSanté : envoyer les documents dus, lire ce qui arrive. / MSSanté messages: send documents due, read what arrives."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from transvase.commands.ledger_words import acted, problems_told, show_states, told
from transvase.commands.session import counted, run_of, with_json, with_settings
from transvase.errors import BadCall, Said
from transvase.ledger.states import REOPENED, State

if TYPE_CHECKING:
    from transvase.assets.run import Run
    from transvase.ledger.submissions import Ledger

# What each act takes; anything else with it is a slip that must not pass.
_TAKES: dict[str, tuple[str, ...]] = {
    "plan": (),
    "send": (),
    "show": ("state", "document"),
    "retry": ("state", "document", "code"),
    "skip": ("document", "reason"),
    "receive": ("into",),
}
_LISTED = 200


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    from transvase.ledger.acts import REASONS

    parser.add_argument(
        "act",
        choices=tuple(_TAKES),
        help="prévoir, envoyer, montrer, réessayer, écarter, recevoir / forecast, send, show, try again, leave aside, receive",
    )
    parser.add_argument("--state", choices=get_args(State), help="état du registre / state of the ledger")
    parser.add_argument("--document", metavar="KEY", help="clé du document / key of the document")
    parser.add_argument("--code", help="code de refus / code of the refusal")
    parser.add_argument(
        "--reason",
        choices=tuple(REASONS),
        help="motif de l'écart : " + ", ".join(f"{k} = {v.fr}" for k, v in REASONS.items()) + " / why it is left aside",
    )
    parser.add_argument(
        "--into",
        type=Path,
        metavar="FOLDER",
        help="dossier qui reçoit les archives / folder that receives the archives",
    )
    with_settings(parser)
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """`plan` says what would leave, to how many, and what stays here and why: nothing is sent or written. `send` sends; exit 1 when
    something was refused, set aside or still waits. `show` lists (`--state`, `--document`); `retry` (`--document`, `--code` or `--state`)
    opens again, `skip` (`--document`, `--reason`) leaves aside. `receive --into FOLDER` files the archives of the mailbox; exit 1 when a
    message could not be taken."""
    act = options.act
    given = {n for n in ("state", "document", "code", "reason", "into") if getattr(options, n) is not None}
    if wrong := given - set(_TAKES[act]):
        name = sorted(wrong)[0]
        raise BadCall(
            what=Said(f"--{name} ne va pas avec cet acte", f"--{name} does not go with this act"),
            mend=Said("voir `transvase mss --help`", "see `transvase mss --help`"),
        )
    if act == "retry" and (len(given) != 1 or (options.state and options.state not in REOPENED)):
        raise BadCall(
            what=Said("retry prend un seul critère", "retry takes one criterion"),
            mend=Said(
                f"donnez --document, --code, ou --state parmi {', '.join(REOPENED)}",
                f"give --document, --code, or --state among {', '.join(REOPENED)}",
            ),
        )
    if act == "skip" and given != {"document", "reason"}:
        raise BadCall(
            what=Said("skip prend un document et un motif", "skip takes a document and a reason"),
            mend=Said("donnez --document et --reason", "give --document and --reason"),
        )
    if act == "receive" and not given:
        raise BadCall(
            what=Said("receive prend un dossier", "receive takes a folder"),
            mend=Said("donnez --into", "give --into"),
        )
    session = run_of(options)
    acts = {"plan": _plan, "send": _send, "show": _show, "retry": _act, "skip": _act, "receive": _receive}
    return acts[act](options, session)


def _print(value: Any) -> None:
    import orjson

    print(orjson.dumps(value).decode())


def _held(held: Counter[tuple[str, str]], language: str) -> list[dict[str, Any]]:
    """What stays here: a rule of the catalogue, or a cause, with who can act."""
    from transvase.gateways import causes
    from transvase.model.verdict import CATALOGUE

    rows = []
    for (leg, code), n in sorted(held.items(), key=lambda item: (-item[1], item[0])):
        rule = CATALOGUE.get(code)
        why = causes.of(code).sentence(language) if rule is None else rule[1 if language == "fr" else 2]
        rows.append({"leg": leg, "code": code, "count": n, "why": why, "who": rule.unblock if rule else ""})
    return rows


def _plan(options: argparse.Namespace, session: Run) -> int:
    from transvase.assets.archive import job_of
    from transvase.assets.ledger_place import ledger_place
    from transvase.assets.messages import DESTINATIONS, PATIENT, candidates
    from transvase.assets.mss import post_of
    from transvase.errors import WorkMissing
    from transvase.ledger import engines
    from transvase.ledger.submissions import Ledger

    if not (session.work / "verdicts" / "counts.json").is_file():
        raise WorkMissing(path=session.work.name, what="verdicts", command="check")
    post, place = post_of(session), ledger_place(session.settings)
    if engines.exists(place):
        with Ledger(place, DESTINATIONS) as ledger:
            found, known = candidates(job_of(session), ledger, post), ledger.known()
            waits = {s.id for s in ledger.select(("to_submit",))}
    else:
        found, known, waits = candidates(job_of(session), None, post), set(), set()
    leaving = [target for ident, (_, target) in found.to_send.items() if ident not in known or ident in waits]
    patients = sum(target.destination == PATIENT for target in leaving)
    held = _held(found.held, options.lang)
    if options.json:
        _print({"patients": patients, "professionals": len(leaving) - patients, "held": held})
        return 0
    french = options.lang == "fr"
    print(f"  À envoyer aux patients : {patients}" if french else f"  To send to patients: {patients}")
    others = len(leaving) - patients
    print(f"  À envoyer aux professionnels : {others}" if french else f"  To send to professionals: {others}")
    if held:
        print("  Retenus ici :" if french else "  Held here:")
    for row in held:
        print(f"    {row['count']:>7}  {row['leg']} {row['code']} : {row['why']}")
        if row["who"]:
            print(f"             {row['who']}")
    print("  Rien n'a été envoyé ni écrit." if french else "  Nothing was sent or written.")
    return 0


def _send(options: argparse.Namespace, session: Run) -> int:
    from transvase.assets.ledger_place import ledger_place
    from transvase.assets.messages import DESTINATIONS
    from transvase.assets.mss import mailbox, mailer, notices, post_of
    from transvase.ledger.submissions import Ledger
    from transvase.pipelines.execute import execute

    # Before anything is judged: what is missing in the settings is said at once.
    post_of(session)
    mailer(session)
    mailbox(session)
    for said in notices(session, session.clock):
        print(f"transvase: {said.fr if options.lang == 'fr' else said.en}", file=sys.stderr)
    execute("messages", session)
    with Ledger(ledger_place(session.settings), DESTINATIONS) as ledger:
        counts, broken, problems = ledger.counts(), ledger.broken(), ledger.problems()
    if options.json:
        _print({"states": counts, "problems": problems_told(problems, options.lang), "chain_broken_at": broken})
    else:
        show_states(counts, problems, broken, options.lang)
    waiting = ("refused", "set_aside", "to_submit", "to_query", "submitted")
    return 1 if broken or any(counts.get(s) for s in waiting) else 0


def _opened(session: Run) -> Ledger:
    """The ledger; BadCall when nothing was ever sent."""
    from transvase.assets.ledger_place import ledger_place
    from transvase.assets.messages import DESTINATIONS
    from transvase.ledger import engines
    from transvase.ledger.submissions import Ledger

    if not engines.exists(place := ledger_place(session.settings)):
        raise BadCall(
            what=Said("il n'y a pas encore de registre des envois", "there is no ledger yet"),
            mend=Said("lancez `transvase mss send`", "run `transvase mss send`"),
        )
    return Ledger(place, DESTINATIONS)


def _show(options: argparse.Namespace, session: Run) -> int:
    with _opened(session) as ledger:
        counts, problems, broken = ledger.counts(), ledger.problems(), ledger.broken()
        listed = options.state or options.document
        states = (options.state,) if options.state else get_args(State)
        rows = ledger.select(states, options.document or "") if listed else []
        events = ledger.of_document(options.document) if options.document else []
    names = ("document", "destination", "rank", "state", "code", "attempts", "act")
    if options.json:
        answer: dict[str, Any] = {"states": counts, "problems": problems_told(problems, options.lang)}
        answer |= {"chain_broken_at": broken, "messages": [{n: getattr(r, n) for n in names} for r in rows]}
        answer["events"] = [dict(zip(("at", "event", "state", "code"), e, strict=True)) for e in events]
        _print(answer)
    elif not listed:
        show_states(counts, problems, broken, options.lang)
    else:
        for row in rows[:_LISTED]:
            print(f"  {row.document:<16} {row.destination:<20} {row.state:<11} {row.act:<10} {row.code}".rstrip())
        if len(rows) > _LISTED:
            more = counted(len(rows) - _LISTED, "autre", "autres", "more", "more", options.lang)
            print(f"  … et {more} (--json les donne tous)" if options.lang == "fr" else f"  … {more} (--json)")
        for at, event, state, code in events:
            print(f"    {at} {event} -> {state} {code}".rstrip())
    return 1 if broken else 0


def _act(options: argparse.Namespace, session: Run) -> int:
    with _opened(session) as ledger:
        options.recording.begin(session)
        found = acted(options, ledger, session.clock)
        after = ledger.counts()
    options.recording.note(options.act, told(options, found))
    if not found:
        raise BadCall(
            what=Said("rien dans le registre ne répond à ce critère", "nothing in the ledger meets that criterion"),
            mend=Said("voyez `transvase mss show`", "see `transvase mss show`"),
        )
    if options.json:
        _print({"act": options.act, "documents": sorted({s.document for s in found}), "states": after})
    elif options.act == "retry":
        done = counted(
            len(found),
            "message rouvert ; `transvase mss send` le reprend",
            "messages rouverts ; `transvase mss send` les reprend",
            "message opened again; `transvase mss send` takes it up",
            "messages opened again; `transvase mss send` takes them up",
            options.lang,
        )
        print(f"  {done}.")
    else:
        done = counted(
            len(found),
            "message écarté ; `transvase mss retry --document` le rouvre",
            "messages écartés ; `transvase mss retry --document` les rouvre",
            "message left aside; `transvase mss retry --document` opens it again",
            "messages left aside; `transvase mss retry --document` opens them again",
            options.lang,
        )
        print(f"  {done}.")
    return 0


# Why a message or an archive is not taken.
_REASONS = {
    "large": Said("il dépasse 50 Mo", "it is above 50 MB"),
    "parts": Said("il a trop de parties", "it has too many parts"),
    "archives": Said("il a trop d'archives", "it has too many archives"),
    "expands": Said("son archive est trop grosse une fois ouverte", "its archive is too large once opened"),
    "no-cda": Said("son archive ne contient aucun document CDA", "its archive holds no CDA document"),
    "patient": Said("son archive ne nomme pas un patient et un seul", "its archive does not name exactly one patient"),
    "hash": Said(
        "un document n'est pas celui que décrivent ses métadonnées", "a document is not the one its metadata describe"
    ),
    "size": Said(
        "un document n'est pas celui que décrivent ses métadonnées", "a document is not the one its metadata describe"
    ),
}
_UNSAFE = Said("son archive est abîmée ou dangereuse", "its archive is damaged or unsafe")


def _receive(options: argparse.Namespace, session: Run) -> int:
    from transvase.assets import inbox
    from transvase.assets.mss import mailbox, names
    from transvase.errors import SettingsInvalid

    opened = mailbox(session)
    if opened is None:
        raise SettingsInvalid(
            name="mss.imap",
            file="transvase.toml",
            what=Said("il est nécessaire pour lire la boîte", "it is needed to read the mailbox"),
            mend=SettingsInvalid.MISSING,
        )
    options.recording.begin(session)
    with opened() as box:
        taken = inbox.receive(box, options.into, names(session))
    counts = {"messages": taken.messages, "filed": taken.filed, "refused": len(taken.refused)}
    options.recording.note("receive", counts)
    french = options.lang == "fr"
    if options.json:
        refused = [{"message": name, "reason": reason} for name, reason in taken.refused]
        _print({"messages": taken.messages, "filed": taken.filed, "refused": refused})
    else:
        new = counted(
            taken.messages, "message nouveau", "messages nouveaux", "new message", "new messages", options.lang
        )
        filed = counted(
            taken.filed,
            "archive rangée dans",
            "archives rangées dans",
            "archive filed in",
            "archives filed in",
            options.lang,
        )
        print(f"  {new}, {filed} {inbox.ARCHIVES}.")
        for name, reason in taken.refused:
            said = _REASONS.get(reason.split(" ")[0], _UNSAFE)
            print(
                f"  message {name} : {said.fr} ; demandez à l'émetteur de le renvoyer."
                if french
                else f"  message {name}: {said.en}; ask its sender to send it again."
            )
    return 1 if taken.refused else 0

"""Alimenter le DMP : chaque document dû, une fois et une seule. / Feed the DMP, each document due exactly once."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, get_args

from transvase.commands.ledger_words import acted, problems_told, show_states, told
from transvase.commands.session import counted, run_of, with_json, with_settings
from transvase.errors import BadCall, Said
from transvase.ledger.states import LEAVING, REOPENED, State

if TYPE_CHECKING:
    from transvase.assets.run import Run
    from transvase.ledger.submissions import Ledger

ACTS = ("plan", "show", "retry", "skip", "delete")
# What each act takes; anything else with it is a slip that must not pass.
_TAKES: dict[str | None, tuple[str, ...]] = {
    None: (),
    "plan": (),
    "show": ("state", "document"),
    "retry": ("state", "document", "code"),
    "skip": ("document", "reason"),
    "delete": ("document", "reason", "by"),
}
_LISTED = 200


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    from transvase.ledger.acts import DELETIONS, REASONS

    parser.add_argument(
        "act",
        nargs="?",
        choices=ACTS,
        help="sans rien : alimenter ; sinon prévoir, montrer, réessayer, écarter, supprimer du DMP / nothing: feed; else forecast, show, "
        "try again, leave aside, delete from the DMP",
    )
    parser.add_argument("key", nargs="?", metavar="DOCUMENT", help="document à supprimer / document to delete")
    parser.add_argument("--state", choices=get_args(State), help="état du registre / state of the ledger")
    parser.add_argument("--document", metavar="KEY", help="clé du document / key of the document")
    parser.add_argument("--code", help="code de refus / code of the refusal")
    parser.add_argument(
        "--reason",
        choices=(*REASONS, *DELETIONS),
        help="motif de l'écart : "
        + ", ".join(f"{k} = {v.fr}" for k, v in REASONS.items())
        + " ; de la suppression : "
        + ", ".join(f"{k} = {v.fr}" for k, v in DELETIONS.items())
        + " / why it is left aside, or deleted",
    )
    parser.add_argument(
        "--by", metavar="REF", help="référence de qui supprime, pas un nom / reference of who deletes, no name"
    )
    with_settings(parser)
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Feed, then print the ledger's states and one line per problem; exit 1 when something was refused, set aside or still waits.

    `plan` says what would leave, when it would end, what is blocked and who can act: nothing is sent or written. `show` lists the
    ledger (`--state`, `--document`). `retry` (`--document`, `--code` or `--state`) opens again what is refused, set aside or skipped;
    `skip` (`--document`, `--reason`) leaves a document aside until a `retry`; `delete` (document, `--by`, `--reason`) has one that this
    practice fed deleted from the DMP."""
    from transvase.ledger.acts import DELETIONS, REASONS

    if options.key is not None and options.act == "delete" and options.document is None:
        options.document, options.key = options.key, None
    if options.key is not None:
        raise BadCall(
            what=Said("cet acte ne prend pas de document ainsi", "this act takes no document so"),
            mend=Said("voir `transvase feed --help`", "see `transvase feed --help`"),
        )
    given = {n for n in ("state", "document", "code", "reason", "by") if getattr(options, n) is not None}
    if wrong := given - set(_TAKES[options.act]):
        name = sorted(wrong)[0]
        raise BadCall(
            what=Said(f"--{name} ne va pas avec cet acte", f"--{name} does not go with this act"),
            mend=Said("voir `transvase feed --help`", "see `transvase feed --help`"),
        )
    if options.act == "retry" and len(given) != 1:
        raise BadCall(
            what=Said("retry prend un seul critère", "retry takes one criterion"),
            mend=Said("donnez --document, --code ou --state", "give --document, --code or --state"),
        )
    if options.act == "retry" and options.state and options.state not in REOPENED:
        raise BadCall(
            what=Said("cet état ne se rouvre pas", "that state is not opened again"),
            mend=Said(f"prenez {', '.join(REOPENED)}", f"take one of {', '.join(REOPENED)}"),
        )
    if options.act == "skip" and (given != {"document", "reason"} or options.reason not in REASONS):
        raise BadCall(
            what=Said(
                "skip prend un document et un motif d'écart", "skip takes a document and a reason to leave it aside"
            ),
            mend=Said(
                f"donnez --document et --reason ({', '.join(REASONS)})",
                f"give --document and --reason ({', '.join(REASONS)})",
            ),
        )
    if options.act == "delete" and (given != {"document", "reason", "by"} or options.reason not in DELETIONS):
        named = ", ".join(DELETIONS)
        raise BadCall(
            what=Said(
                "delete prend un document, qui supprime et un motif",
                "delete takes a document, who deletes and a reason",
            ),
            mend=Said(f"donnez DOCUMENT, --by et --reason ({named})", f"give DOCUMENT, --by and --reason ({named})"),
        )
    session = run_of(options)
    acts = {None: _feed, "plan": _plan, "show": _show, "retry": _act, "skip": _act, "delete": _delete}
    return acts[options.act](options, session)


def _print(value: Any) -> None:
    import orjson

    print(orjson.dumps(value).decode())


def _feed(options: argparse.Namespace, session: Run) -> int:
    from transvase.assets.dmp import notices
    from transvase.assets.ledger_place import ledger_place
    from transvase.ledger.submissions import Ledger
    from transvase.pipelines.execute import execute

    warned = notices(session, session.clock)
    for said in warned:
        print(f"transvase: {said.fr if options.lang == 'fr' else said.en}", file=sys.stderr)
    execute("feed", session)
    with Ledger(ledger_place(session.settings), "dmp") as ledger:
        counts, broken, problems = ledger.counts(), ledger.broken(), ledger.problems()
    if options.json:
        _print({"states": counts, "problems": problems_told(problems, options.lang), "chain_broken_at": broken})
    else:
        show_states(counts, problems, broken, options.lang)
    waiting = ("refused", "set_aside", "to_submit", "to_query", "submitted", *LEAVING)
    return 1 if broken or any(counts.get(s) for s in waiting) else 0


def _opened(session: Run) -> Ledger:
    """The ledger; BadCall when nothing was ever fed."""
    from transvase.assets.ledger_place import ledger_place
    from transvase.ledger import engines
    from transvase.ledger.submissions import Ledger

    if not engines.exists(place := ledger_place(session.settings)):
        raise BadCall(
            what=Said("il n'y a pas encore de registre des envois", "there is no ledger yet"),
            mend=Said(
                "lancez `transvase feed`, ou `transvase feed plan`", "run `transvase feed`, or `transvase feed plan`"
            ),
        )
    return Ledger(place, "dmp")


def _show(options: argparse.Namespace, session: Run) -> int:
    from transvase.assets.remedies import SAID, remedies

    with _opened(session) as ledger:
        amiss = [r for r in remedies(session.work, ledger) if options.document in (None, r.document)]
        counts, problems, broken = ledger.counts(), ledger.problems(), ledger.broken()
        listed = options.state or options.document
        states = (options.state,) if options.state else get_args(State)
        rows = ledger.select(states, options.document or "") if listed else []
        events = ledger.of_document(options.document) if options.document else []
        deletions = [d for d in ledger.deletions() if options.document in (None, d[0])]
    names = ("document", "unique_id", "rank", "state", "code", "attempts", "act")
    if options.json:
        answer: dict[str, Any] = {"states": counts, "problems": problems_told(problems, options.lang)}
        answer |= {"chain_broken_at": broken, "submissions": [{n: getattr(r, n) for n in names} for r in rows]}
        said = {kind: s.fr if options.lang == "fr" else s.en for kind, s in SAID.items()}
        answer["remedies"] = [{"document": r.document, "kind": r.kind, "remedy": said[r.kind]} for r in amiss]
        answer["deletions"] = [
            dict(zip(("document", "at", "by", "reason", "state"), d, strict=True)) for d in deletions
        ]
        answer["events"] = [dict(zip(("at", "event", "state", "code"), e, strict=True)) for e in events]
        _print(answer)
        return 1 if broken else 0
    for kind, sentence in SAID.items():
        if named := sorted({r.document for r in amiss if r.kind == kind}):
            print(f"  {sentence.fr if options.lang == 'fr' else sentence.en}\n    {', '.join(named[:_LISTED])}")
    if not listed:
        show_states(counts, problems, broken, options.lang)
        return 1 if broken else 0
    for row in rows[:_LISTED]:
        print(f"  {row.document:<16} {row.state:<11} {row.act:<10} {row.code}".rstrip())
    if len(rows) > _LISTED:
        more = counted(len(rows) - _LISTED, "autre", "autres", "more", "more", options.lang)
        print(f"  … et {more} (--json les donne tous)" if options.lang == "fr" else f"  … {more} (--json)")
    for at, event, state, code in events:
        print(f"    {at} {event} -> {state} {code}".rstrip())
    for document, at, by, reason, state in deletions if options.document or options.state in LEAVING else ():
        print(
            f"    {document} : suppression demandée le {at} par {by} ({reason}) -> {state}"
            if options.lang == "fr"
            else f"    {document}: deletion asked for at {at} by {by} ({reason}) -> {state}"
        )
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
            mend=Said("voyez `transvase feed show`", "see `transvase feed show`"),
        )
    if options.json:
        _print({"act": options.act, "documents": sorted({s.document for s in found}), "states": after})
    elif options.act == "retry":
        done = counted(
            len(found),
            "envoi rouvert ; `transvase feed` le reprend",
            "envois rouverts ; `transvase feed` les reprend",
            "submission opened again; `transvase feed` takes it up",
            "submissions opened again; `transvase feed` takes them up",
            options.lang,
        )
        print(f"  {done}.")
    else:
        done = counted(
            len(found),
            "envoi écarté ; `transvase feed retry --document` le rouvre",
            "envois écartés ; `transvase feed retry --document` les rouvre",
            "submission left aside; `transvase feed retry --document` opens it again",
            "submissions left aside; `transvase feed retry --document` opens them again",
            options.lang,
        )
        print(f"  {done}.")
    return 0


def _delete(options: argparse.Namespace, session: Run) -> int:
    """Write the act, then ask the DMP; what it does not answer the next `feed` takes up."""
    from transvase.assets.archive import job_of
    from transvase.assets.dmp import connector, guard, proofs
    from transvase.assets.withdrawal import withdraw
    from transvase.ledger import acts
    from transvase.settings import is_reference

    if not is_reference(options.by):
        raise BadCall(
            what=Said("--by attend une référence, pas un nom", "--by expects a reference, not a name"),
            mend=Said("lettres, chiffres, . _ @ -", "letters, digits, . _ @ -"),
        )
    if session.settings.feed.route == "fhir":
        # Three writings of it in one guide (sheet pdsm-fhir.md, 5): none is tried on a patient's record.
        raise BadCall(
            what=Said(
                "le guide de la voie fhir ne dit pas encore comment supprimer",
                "the guide of route fhir does not say yet how to delete",
            ),
            mend=Said(
                'supprimez par la voie soap (feed.route = "soap")', 'delete by the route soap (feed.route = "soap")'
            ),
        )
    # What is missing in the settings is said before anything is written.
    _, connect = connector(session)
    proven = proofs(session, session.clock)
    guard(session)
    with _opened(session) as ledger:
        options.recording.begin(session)
        found = acts.delete(ledger, session.clock, options.document, options.by, options.reason)
        options.recording.note("delete", {"by": options.by, "reason": options.reason, "submissions": len(found)})
        if not found:
            raise BadCall(
                what=Said(
                    "le registre ne tient rien de sûr au DMP pour ce document",
                    "the ledger holds nothing sure in the DMP of this document",
                ),
                mend=Said(
                    "voyez `transvase feed show --document` : en doute, lancez d'abord `transvase feed` ; alimenté par l'ancien logiciel, "
                    "supprimez avec lui",
                    "see `transvase feed show --document`: in doubt, run `transvase feed` first; fed by the former software, delete with it",
                ),
            )
        withdraw(job_of(session), ledger, connect, lambda: session.clock, proven)
        told = [e for e in ledger.of_document(options.document) if e[1] not in ("planned", "adopt", "skip")]
        _, _, state, code = told[-1]
    if options.json:
        _print({"act": "delete", "document": options.document, "state": state, "code": code})
    else:
        print(_ended(state, code, options.lang))
    return 0 if state == "deleted" else 1


def _ended(state: str, code: str, language: str) -> str:
    """How a deletion ended, for a reader."""
    from transvase.gateways import causes

    french = language == "fr"
    if state == "deleted":
        return "  Supprimé du DMP." if french else "  Deleted from the DMP."
    if state == "registered":
        why = causes.of(code).sentence(language)
        return (
            f"  Refusé, le document est toujours au DMP. {why}"
            if french
            else f"  Refused, the document still stands. {why}"
        )
    return (
        "  Sans réponse sûre du DMP : le prochain `transvase feed` le redemande."
        if french
        else "  No sure answer of the DMP: the next `transvase feed` asks again."
    )


def _plan(options: argparse.Namespace, session: Run) -> int:
    from transvase.assets.archive import job_of
    from transvase.assets.dmp import limits_of
    from transvase.assets.forecast import forecast
    from transvase.assets.ledger_place import ledger_place
    from transvase.ledger import engines
    from transvase.ledger.submissions import Ledger
    from transvase.model.clock import zone
    from transvase.model.codes.mandated_documents import CODES as MANDATED
    from transvase.model.verdict import CATALOGUE

    place = ledger_place(session.settings)
    now = session.clock.astimezone(zone(session.settings.time_zone))
    if engines.exists(place):
        with Ledger(place, "dmp") as ledger:
            found = forecast(job_of(session), ledger, limits_of(session), now)
    else:
        found = forecast(job_of(session), None, limits_of(session), now)
    problems = problems_told(found.problems, options.lang)
    at = 1 if options.lang == "fr" else 2
    blocked = [
        {"rule": b.rule, "documents": b.documents, "why": CATALOGUE[b.rule][at], "who": CATALOGUE[b.rule].unblock}
        for b in found.blocked
    ]
    shares = [
        {"category": MANDATED[s.obligation].label if s.obligation else "-", "month": s.month, "documents": s.documents}
        for s in found.shares
    ]
    end = found.end.isoformat(timespec="seconds") if found.end else None
    if options.json:
        answer = found._asdict() | {"end": end, "shares": shares, "blocked": blocked, "problems": problems}
        _print(answer)
        return 0
    lines = _lines(options.lang)

    def documents(n: int) -> str:
        return counted(n, "document", "documents", "document", "documents", options.lang)

    print(lines["waiting"].format(documents(found.waiting), found.replacing))
    print(lines["end"].format(end) if end else lines["never"])
    for share in shares:
        print(f"    {share['month']:<8} {share['documents']:>7}  {share['category']}")
    for name, n in (("doubtful", found.doubtful), ("withdrawn", found.withdrawn)):
        if n:
            print(lines[name].format(n))
    for problem in problems:
        print(f"  {problem['state']} {problem['code']} × {problem['count']} : {problem['cause']}")
    if blocked:
        print(lines["blocked"].format(documents(sum(b.documents for b in found.blocked))))
    for row in blocked:
        print(f"    {row['documents']:>7}  {row['rule']} : {row['why']}\n             {row['who']}")
    print(lines["nothing"].format(found.judged))
    return 0


def _lines(language: str) -> dict[str, str]:
    if language == "fr":
        return {
            "waiting": "  À envoyer : {}, dont {} à la suite d'une version antérieure",
            "end": "  Fin prévue sous les quotas réglés : {}",
            "never": "  Fin hors d'atteinte sous les quotas réglés : voyez [feed] daily_ceiling",
            "doubtful": "  En doute, à vérifier au DMP d'abord : {}",
            "withdrawn": "  Au registre, mais plus autorisés : {}",
            "blocked": "  Bloqués : {}",
            "nothing": "  Rien n'a été envoyé ni écrit (verdicts du {}).",
        }
    return {
        "waiting": "  To send: {}, {} of them after an earlier version",
        "end": "  Would end under the quotas set: {}",
        "never": "  Out of reach under the quotas set: see [feed] daily_ceiling",
        "doubtful": "  In doubt, the DMP is asked first: {}",
        "withdrawn": "  In the ledger, no longer allowed: {}",
        "blocked": "  Blocked: {}",
        "nothing": "  Nothing was sent or written (verdicts of {}).",
    }

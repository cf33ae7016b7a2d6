"""Alimenter le DMP : chaque document dû, une fois et une seule. / Feed the DMP, each document due exactly once."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, get_args

from transvase.commands.session import run_of, with_json, with_settings
from transvase.errors import BadCall, Said
from transvase.ledger.states import REOPENED, State

if TYPE_CHECKING:
    from transvase.assets.run import Run
    from transvase.ledger.submissions import Ledger

ACTS = ("plan", "show", "retry", "skip")
# What each act takes; anything else with it is a slip that must not pass.
_TAKES: dict[str | None, tuple[str, ...]] = {
    None: (),
    "plan": (),
    "show": ("state", "document"),
    "retry": ("state", "document", "code"),
    "skip": ("document", "reason"),
}
_LISTED = 200


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    from transvase.ledger.acts import REASONS

    parser.add_argument(
        "act",
        nargs="?",
        choices=ACTS,
        help="sans rien : alimenter ; sinon prévoir, montrer, réessayer, écarter / nothing: feed; else forecast, show, try again, "
        "leave aside",
    )
    parser.add_argument("--state", choices=get_args(State), help="état du registre / state of the ledger")
    parser.add_argument("--document", metavar="KEY", help="clé du document / key of the document")
    parser.add_argument("--code", help="code de refus / code of the refusal")
    parser.add_argument(
        "--reason",
        choices=tuple(REASONS),
        help="motif de l'écart : " + ", ".join(f"{k} = {v.fr}" for k, v in REASONS.items()) + " / why it is left aside",
    )
    with_settings(parser)
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Feed, then print the ledger's states and one line per problem; exit 1 when something was refused, set aside or still waits.

    `plan` says what would leave, when it would end, what is blocked and who can act: nothing is sent or written. `show` lists the
    ledger (`--state`, `--document`). `retry` (`--document`, `--code` or `--state`) opens again what is refused, set aside or skipped;
    `skip` (`--document`, `--reason`) leaves a document aside until a `retry`."""
    given = {n for n in ("state", "document", "code", "reason") if getattr(options, n) is not None}
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
    if options.act == "skip" and given != {"document", "reason"}:
        raise BadCall(
            what=Said("skip prend un document et un motif", "skip takes a document and a reason"),
            mend=Said("donnez --document et --reason", "give --document and --reason"),
        )
    session = run_of(options)
    return {None: _feed, "plan": _plan, "show": _show, "retry": _act, "skip": _act}[options.act](options, session)


def _print(value: Any) -> None:
    import orjson

    print(orjson.dumps(value).decode())


def _feed(options: argparse.Namespace, session: Run) -> int:
    from transvase.assets.dmp import LEDGER, notices
    from transvase.ledger.submissions import Ledger
    from transvase.pipelines.execute import execute

    warned = notices(session, session.clock)
    for said in warned:
        print(f"transvase: {said.fr if options.lang == 'fr' else said.en}", file=sys.stderr)
    execute("feed", session)
    with Ledger(session.work / LEDGER) as ledger:
        counts, broken, problems = ledger.counts(), ledger.broken(), ledger.problems()
    if options.json:
        _print({"states": counts, "problems": _problems(problems, options.lang), "chain_broken_at": broken})
    else:
        _states(counts, problems, broken, options.lang)
    waiting = ("refused", "set_aside", "to_submit", "to_query", "submitted")
    return 1 if broken or any(counts.get(s) for s in waiting) else 0


def _states(counts: dict[str, int], problems: list[Any], broken: int | None, language: str) -> None:
    for state, n in sorted(counts.items()):
        print(f"  {state:<12} {n:>8}")
    for problem in _problems(problems, language):
        print(f"  {problem['state']} {problem['code']} × {problem['count']} : {problem['cause']}")
    if broken:
        print(
            f"  chaîne du registre rompue à l'événement {broken}"
            if language == "fr"
            else f"  the ledger's chain is broken at event {broken}"
        )


def _problems(problems: list[Any], language: str) -> list[dict[str, Any]]:
    """One entry per problem, not per document."""
    from transvase.gateways import causes

    return [
        {"state": state, "code": code, "count": n, "cause": causes.of(code).sentence(language)}
        for state, code, n in problems
    ]


def _opened(session: Run) -> Ledger:
    """The ledger; BadCall when nothing was ever fed."""
    from transvase.assets.dmp import LEDGER
    from transvase.ledger.submissions import Ledger

    if not (session.work / LEDGER).is_file():
        raise BadCall(
            what=Said("il n'y a pas encore de registre des envois", "there is no ledger yet"),
            mend=Said(
                "lancez `transvase feed`, ou `transvase feed plan`", "run `transvase feed`, or `transvase feed plan`"
            ),
        )
    return Ledger(session.work / LEDGER)


def _show(options: argparse.Namespace, session: Run) -> int:
    with _opened(session) as ledger:
        counts, problems, broken = ledger.counts(), ledger.problems(), ledger.broken()
        listed = options.state or options.document
        states = (options.state,) if options.state else get_args(State)
        rows = ledger.select(states, options.document or "") if listed else []
        events = ledger.of_document(options.document) if options.document else []
    names = ("document", "unique_id", "rank", "state", "code", "attempts", "act")
    if options.json:
        answer: dict[str, Any] = {"states": counts, "problems": _problems(problems, options.lang)}
        answer |= {"chain_broken_at": broken, "submissions": [{n: getattr(r, n) for n in names} for r in rows]}
        answer["events"] = [dict(zip(("at", "event", "state", "code"), e, strict=True)) for e in events]
        _print(answer)
        return 1 if broken else 0
    if not listed:
        _states(counts, problems, broken, options.lang)
        return 1 if broken else 0
    for row in rows[:_LISTED]:
        print(f"  {row.document:<16} {row.state:<11} {row.act:<10} {row.code}".rstrip())
    if len(rows) > _LISTED:
        more = len(rows) - _LISTED
        print(f"  … et {more} autres (--json les donne tous)" if options.lang == "fr" else f"  … {more} more (--json)")
    for at, event, state, code in events:
        print(f"    {at} {event} -> {state} {code}".rstrip())
    return 1 if broken else 0


def _act(options: argparse.Namespace, session: Run) -> int:
    from transvase.ledger import acts

    with _opened(session) as ledger:
        if options.act == "retry":
            found = acts.retry(
                ledger,
                session.clock,
                document=options.document or "",
                code=options.code or "",
                state=options.state,
            )
        else:
            found = acts.skip(ledger, session.clock, options.document, options.reason)
        after = ledger.counts()
    if not found:
        raise BadCall(
            what=Said("rien dans le registre ne répond à ce critère", "nothing in the ledger meets that criterion"),
            mend=Said("voyez `transvase feed show`", "see `transvase feed show`"),
        )
    if options.json:
        _print({"act": options.act, "documents": sorted({s.document for s in found}), "states": after})
    elif options.act == "retry":
        print(
            f"  {len(found)} envois rouverts ; `transvase feed` les reprend."
            if options.lang == "fr"
            else f"  {len(found)} submissions opened again; `transvase feed` takes them up."
        )
    else:
        print(
            f"  {len(found)} envois écartés ; `transvase feed retry --document` les rouvre."
            if options.lang == "fr"
            else f"  {len(found)} submissions left aside; `transvase feed retry --document` opens them again."
        )
    return 0


def _plan(options: argparse.Namespace, session: Run) -> int:
    from transvase.assets.archive import job_of
    from transvase.assets.dmp import LEDGER, limits_of
    from transvase.assets.forecast import forecast
    from transvase.ledger.submissions import Ledger
    from transvase.model.clock import zone
    from transvase.model.codes.mandated_documents import CODES as MANDATED
    from transvase.model.verdict import CATALOGUE

    path = session.work / LEDGER
    now = session.clock.astimezone(zone(session.settings.time_zone))
    if path.is_file():
        with Ledger(path) as ledger:
            found = forecast(job_of(session), ledger, limits_of(session), now)
    else:
        found = forecast(job_of(session), None, limits_of(session), now)
    problems = _problems(found.problems, options.lang)
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
    print(lines["waiting"].format(found.waiting, found.replacing))
    print(lines["end"].format(end) if end else lines["never"])
    for share in shares:
        print(f"    {share['month']:<8} {share['documents']:>7}  {share['category']}")
    for name, n in (("doubtful", found.doubtful), ("withdrawn", found.withdrawn)):
        if n:
            print(lines[name].format(n))
    for problem in problems:
        print(f"  {problem['state']} {problem['code']} × {problem['count']} : {problem['cause']}")
    if blocked:
        print(lines["blocked"].format(sum(b.documents for b in found.blocked)))
    for row in blocked:
        print(f"    {row['documents']:>7}  {row['rule']} : {row['why']}\n             {row['who']}")
    print(lines["nothing"].format(found.judged))
    return 0


def _lines(language: str) -> dict[str, str]:
    if language == "fr":
        return {
            "waiting": "  À envoyer : {} documents, dont {} à la suite d'une version antérieure",
            "end": "  Fin prévue sous les quotas réglés : {}",
            "never": "  Fin hors d'atteinte sous les quotas réglés : voyez [feed] daily_ceiling",
            "doubtful": "  En doute, à vérifier au DMP d'abord : {}",
            "withdrawn": "  Au registre, mais plus autorisés : {}",
            "blocked": "  Bloqués : {} documents",
            "nothing": "  Rien n'a été envoyé ni écrit (verdicts du {}).",
        }
    return {
        "waiting": "  To send: {} documents, {} of them after an earlier version",
        "end": "  Would end under the quotas set: {}",
        "never": "  Out of reach under the quotas set: see [feed] daily_ceiling",
        "doubtful": "  In doubt, the DMP is asked first: {}",
        "withdrawn": "  In the ledger, no longer allowed: {}",
        "blocked": "  Blocked: {} documents",
        "nothing": "  Nothing was sent or written (verdicts of {}).",
    }

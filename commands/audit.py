"""Écrire le rapport d'audit, ou rejouer la chaîne des enregistrements d'exécution. / Write the audit report, or replay run records."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transvase.commands.session import counted, run_of, with_json, with_settings
from transvase.errors import BadCall, EvidenceBroken, Said, SettingsInvalid, WorkMissing

if TYPE_CHECKING:
    from transvase.assets.replay import Replay, Trust
    from transvase.model.report import View
    from transvase.settings import Settings

ACTS = ("verify", "runs", "stamp")
_TAKES: dict[str | None, tuple[str, ...]] = {
    None: ("from", "to", "practitioner", "annex"),
    "verify": ("work", "authority", "known"),
    "runs": ("work",),
    "stamp": (),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "act",
        nargs="?",
        choices=ACTS,
        help="sans rien : le rapport ; sinon vérifier la chaîne, lister les exécutions, compléter les horodatages / nothing: the "
        "report; else verify the chain, list the runs, complete time-stamps",
    )
    parser.add_argument(
        "--from", metavar="AAAA-MM-JJ", help="rapport : premier jour des actes / report: first day of the acts"
    )
    parser.add_argument(
        "--to", metavar="AAAA-MM-JJ", help="rapport : dernier jour des actes / report: last day of the acts"
    )
    parser.add_argument(
        "--practitioner", metavar="REF", help="rapport : un seul professionnel / report: one professional"
    )
    parser.add_argument(
        "--annex",
        type=Path,
        metavar="CSV",
        help="rapport : liste nominative de ce qui manque, à accès restreint / report: restricted list that names patients",
    )
    parser.add_argument("--work", type=Path, help="dossier de travail, sans réglages / work folder, without settings")
    parser.add_argument(
        "--authority", type=Path, metavar="PEM", help="autorités des signatures / authorities of the signatures"
    )
    parser.add_argument(
        "--known",
        action="append",
        metavar="SHA256",
        help="empreinte notée ailleurs, qui doit être dans la chaîne / digest noted elsewhere, that must be in the chain",
    )
    with_settings(parser)
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Without an act, write the report in its forms and print the totals; exit 1 when documents due are not fed.

    `verify` replays the chain of run records and names the first broken link (EvidenceBroken); `runs` lists them; both only read.
    `stamp` has the authority stamp what it could not; exit 1 when some remain."""
    named = {name for names in _TAKES.values() for name in names}
    given = {n for n in named if getattr(options, n) is not None}
    if wrong := given - set(_TAKES[options.act]):
        name = sorted(wrong)[0]
        raise BadCall(
            what=Said(f"--{name} ne va pas avec cet acte", f"--{name} does not go with this act"),
            mend=Said("voir `transvase audit --help`", "see `transvase audit --help`"),
        )
    return {None: _report, "verify": _verify, "runs": _runs, "stamp": _stamp}[options.act](options)


def _print(value: Any) -> None:
    import orjson

    print(orjson.dumps(value).decode())


def _view(options: argparse.Namespace) -> View:
    """What the report is about; BadCall for what is no day, or for a period that ends before it starts."""
    from datetime import date

    from transvase.model.report import View

    for name in ("from", "to"):
        text = getattr(options, name)
        try:
            sound = text is None or date.fromisoformat(text).isoformat() == text
        except ValueError:
            sound = False
        if not sound:
            raise BadCall(
                what=Said(f"--{name} : une date est attendue", f"--{name}: a date is expected"),
                mend=Said("par exemple 2026-01-31", "such as 2026-01-31"),
            )
    view = View(getattr(options, "from") or "", options.to or "", options.practitioner or "")
    if view.start and view.end and view.end < view.start:
        raise BadCall(
            what=Said("la période finit avant de commencer", "the period ends before it starts"),
            mend=Said("donnez --from avant --to", "give --from before --to"),
        )
    return view


def _report(options: argparse.Namespace) -> int:
    from dataclasses import replace

    import orjson

    from transvase.assets.report import NAMES, out_of
    from transvase.model.outcome import GROUPS
    from transvase.pipelines.execute import execute

    view = _view(options)
    session = replace(run_of(options), view=view, annex=options.annex)
    execute("audit", session)
    file = out_of(session) / NAMES[options.lang]
    # The report says it once; what the command prints is read from it.
    told = orjson.loads(file.with_suffix(".json").read_bytes())
    totals = told["totals"]
    missing = totals["unmet"] + totals["waiting"]
    if options.json:
        groups = {g: totals[g] for g in GROUPS}
        outcomes = next(t for s in told["sections"] for t in s["tables"] if t["id"] == "outcomes")["rows"]
        _print(
            {
                "documents": totals["documents"],
                "in_view": totals["in_view"],
                "groups": groups,
                "outcomes": {row["records"]["count"].removeprefix("outcome-"): row["count"] for row in outcomes},
                "missing": missing,
                "late": totals["late"],
            }
        )
    else:
        french = options.lang == "fr"
        for group, names in GROUPS.items():
            print(f"  {names[0 if french else 1]:<12} {totals[group]:>8}")
        print(told["verdict"])
        every = totals["documents"]
        known = counted(
            totals["in_view"],
            f"document sur {every} a une issue",
            f"documents sur {every} ont une issue",
            f"document of {every} has an outcome",
            f"documents of {every} have an outcome",
            options.lang,
        )
        due = counted(
            missing, "dû et non alimenté", "dus et non alimentés", "due and not fed", "due and not fed", options.lang
        )
        print(f"{known} ; {due}")
        print(file.with_suffix(".html"))
        if options.annex is not None:
            print(options.annex)
    return 1 if missing else 0


def _settings(options: argparse.Namespace) -> Settings:
    from transvase import settings as config

    return config.load(options.settings) if options.settings else config.located()


def _folder(work: Path) -> Path:
    from transvase.ledger.runs import RUNS

    if not (work / RUNS).is_dir():
        raise WorkMissing(path=work.name, what=RUNS, command="extract")
    return work


def _trust(options: argparse.Namespace, settings: Settings | None) -> Trust:
    """What the reader relies on: the option first, then the settings."""
    from transvase.assets.replay import Trust
    from transvase.gateways import time_stamps
    from transvase.validators import seal

    authority = options.authority or (settings.evidence.authority if settings else None)
    stamps = settings.evidence.time_stamp_certificate if settings else None
    try:
        signatures = seal.authorities(authority) if authority else None
    except (OSError, ValueError):
        raise _unreadable("authority", authority.name if authority else "") from None
    try:
        anchors = time_stamps.authorities(stamps) if stamps else None
    except time_stamps.StampRefused:
        raise _unreadable("time_stamp_certificate", stamps.name if stamps else "") from None
    return Trust(signatures, anchors, tuple(k.lower() for k in options.known or ()))


def _unreadable(name: str, file: str) -> SettingsInvalid:
    what = Said("ce n'est pas un fichier PEM lisible", "it is not a readable PEM file")
    return SettingsInvalid(name=f"evidence.{name}", file=file, what=what)


def _verify(options: argparse.Namespace) -> int:
    from transvase.assets.ledger_place import ledger_place
    from transvase.assets.replay import replay

    settings = None if options.work else _settings(options)
    work = _folder(options.work or (settings.work.folder if settings else Path()))
    found = replay(work, _trust(options, settings), ledger_place(settings) if settings else None)
    at = 0 if options.lang == "fr" else 1
    if options.json:
        _print(
            {
                "records": found.records,
                "runs": found.runs,
                "signed": found.signed,
                "time_stamped": found.stamped,
                "head": found.head,
                "broken": {"record": found.broken.number, "why": found.broken.why[at]} if found.broken else None,
                "notes": [note[at] for note in found.notes],
            }
        )
    else:
        print(_told(found, options.lang))
        for note in found.notes:
            print(f"  {note[at]}")
        if found.head:
            print(f"à noter ailleurs : {found.head}" if at == 0 else f"note it elsewhere: {found.head}")
    if found.broken is not None:
        raise EvidenceBroken(number=found.broken.number, path=work.name, what=found.broken.why)
    return 0


def _told(found: Replay, language: str) -> str:
    """What was replayed, in one line."""
    parts = (
        counted(found.runs, "exécution", "exécutions", "run", "runs", language),
        counted(found.signed, "signé", "signés", "signed", "signed", language),
        counted(found.stamped, "horodaté", "horodatés", "time-stamped", "time-stamped", language),
    )
    records = counted(
        found.records,
        "enregistrement lu",
        "enregistrements se suivent",
        "record read",
        "records follow one another",
        language,
    )
    return f"{records} ({', '.join(parts)})"


def _runs(options: argparse.Namespace) -> int:
    from transvase.assets.replay import closings

    work = _folder(options.work or _settings(options).work.folder)
    rows = closings(work)
    if options.json:
        _print([{"opening": opening, "closing": closing} for opening, closing, _ in rows])
        return 0
    words = {
        "fr": {"done": "finie", "failed": "échouée", "interrupted": "interrompue", "": "ouverte"},
        "en": {"done": "done", "failed": "failed", "interrupted": "interrupted", "": "open"},
    }[options.lang]
    for opening, closing, at in rows:
        outcome = words[closing["outcome"] if closing else ""]
        code = closing["exit_code"] if closing else None
        end = f"{at:%H:%M:%S}" if at else ""
        print(
            f"{opening['number']:>6}  {opening['at'][:19]} {end:<8}  {outcome:<11} {'' if code is None else code:>3}  "
            f"{opening['command']:<16} {opening['operator']}".rstrip()
        )
    return 0


def _stamp(options: argparse.Namespace) -> int:
    from transvase.assets.evidence import stamp
    from transvase.ledger.runs import Runs, unstamped

    settings = _settings(options)
    work = _folder(settings.work.folder)
    evidence = settings.evidence
    for name in ("time_stamp_authority", "time_stamp_certificate"):
        if not getattr(evidence, name):
            what = Said("il est nécessaire pour horodater", "it is needed to time-stamp")
            raise SettingsInvalid(
                name=f"evidence.{name}", file="transvase.toml", what=what, mend=SettingsInvalid.MISSING
            )
    waiting = unstamped(work)
    refused = stamp(settings, Runs(work), waiting)
    left = unstamped(work)
    at = 0 if options.lang == "fr" else 1
    why = next(iter(refused.values()))[at] if refused else ""
    if options.json:
        _print({"stamped": len(waiting) - len(left), "missing": len(left), "why": why})
    else:
        done = counted(len(waiting) - len(left), "horodaté", "horodatés", "time-stamped", "time-stamped", options.lang)
        remain = counted(len(left), "reste", "restent", "remains", "remain", options.lang)
        print(f"{done}, {remain}{f' ({why})' if why else ''}")
    return 1 if left else 0

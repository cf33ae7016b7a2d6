"""Évaluer une base avant tout départ, et consigner les accords. / Assess a database before anything moves, and record sign-offs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transvase.commands.session import run_of, with_json, with_settings
from transvase.errors import BadCall, CellsUnaccounted, Said, SourceVersion, WorkMissing
from transvase.reports.assessment import CLASSES, SIGNABLE

if TYPE_CHECKING:
    from transvase.assets.run import Run
    from transvase.reports.assessment import Blocker

# Of the work folder: the last assessment, and the record of sign-offs.
FOLDER, FILE = "assessment", "assessment.json"
REPORTS = {"fr": "evaluation.html", "en": "assessment.html"}
_CODES = {"go": 0, "sign": 1, "no-go": 2}
_LONGEST = 300


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "act",
        nargs="?",
        choices=("sign",),
        help="sans rien : évaluer ; `sign` : accepter une classe de constats / nothing: assess; `sign`: accept a class of findings",
    )
    parser.add_argument("--class", dest="kind", choices=tuple(CLASSES), help="classe acceptée / class accepted")
    parser.add_argument("--by", help="qui accepte / who accepts")
    parser.add_argument("--reason", help="pourquoi, sans nommer de patient / why, naming no patient")
    with_settings(parser)
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Assess, and exit 0 (go), 1 (sign-offs needed) or 2 (no-go). `sign` records a sign-off for what the last assessment saw."""
    given = [
        name for name, value in (("--class", options.kind), ("--by", options.by), ("--reason", options.reason)) if value
    ]
    if options.act == "sign":
        return _sign(options)
    if given:
        raise BadCall(
            what=Said(f"{given[0]} ne va qu'avec `sign`", f"{given[0]} goes with `sign` only"),
            mend=Said("voir `transvase assess --help`", "see `transvase assess --help`"),
        )
    return _assess(options)


def _assess(options: argparse.Namespace) -> int:
    import orjson

    from transvase.assets.run import SOFTWARE
    from transvase.formats import files
    from transvase.ledger import sign_offs
    from transvase.reports import assessment

    session = run_of(options)
    facts: dict[str, Any] = {"software": SOFTWARE, "clock": session.clock.isoformat()}
    facts |= _source(session)
    if not options.json:
        print(assessment.room(facts, options.lang))
    if not any(not CLASSES[b.kind].signable for b in assessment.blockers(facts)):
        _extract(session, facts)
    found = assessment.blockers(facts)
    folder = session.work / FOLDER
    record = sign_offs.read(folder)
    signed = {b.kind: (s.by, s.at) for b in found if (s := record.holding(b.kind, b.digest))}
    facts["record_broken"] = record.broken
    facts["decisions"] = assessment.decisions(facts, _missing(session, facts))
    facts["answer"] = assessment.verdict(found, signed)
    facts["blockers"] = [_told(b, signed) for b in found]
    files.private_folder(folder)
    files.write(folder / FILE, orjson.dumps(facts, option=orjson.OPT_INDENT_2))
    out = session.settings.export.folder
    files.private_folder(out)
    for language, name in REPORTS.items():
        files.write(out / name, assessment.html(facts, found, signed, language=language))
    if options.json:
        print(orjson.dumps(facts).decode())
    else:
        at = 0 if options.lang == "fr" else 1
        for b in found:
            mark = ("accordé", "signed")[at] if b.kind in signed else ("à accorder", "to sign")[at]
            if not CLASSES[b.kind].signable:
                mark = ("bloquant", "no-go")[at]
            print(f"  {b.kind:<10} {mark:<11} {(b.fr, b.en)[at]}")
        print(assessment.answer(facts["answer"], options.lang))
        print(out / REPORTS[options.lang])
    return _CODES[facts["answer"]]


def _told(b: Blocker, signed: dict[str, tuple[str, str]]) -> dict[str, Any]:
    return {
        "class": b.kind,
        "signable": CLASSES[b.kind].signable,
        "fr": b.fr,
        "en": b.en,
        "facts": b.facts,
        "digest": b.digest,
        "signed": {"by": signed[b.kind][0], "at": signed[b.kind][1]} if b.kind in signed else None,
    }


def _source(session: Run) -> dict[str, Any]:
    """What is seen of the source, room and time first; it is only read."""
    from tempfile import TemporaryDirectory

    from transvase.assets.pace import pace_of
    from transvase.settings import require_source, source_password
    from transvase.sources import appraisal, fitness, mapping
    from transvase.sources.connection import ARCHIVES, opened

    settings = session.settings
    where = require_source(settings)
    found = mapping.load(settings.source.product)
    if found.kind in ARCHIVES:
        return _documents(session, Path(where), found.product)
    facts: dict[str, Any] = {}
    with (
        TemporaryDirectory() as scratch,
        opened(found.kind, where, source_password(settings), Path(scratch), pace_of(session), found.named) as view,
    ):
        version = ""
        try:
            found, version = fitness.fitted(found, view)
        except SourceVersion as error:
            told = error.facts["found"]
            said = told if isinstance(told, Said) else Said(str(told), str(told))
            facts["version_refused"] = {"found": {"fr": said.fr, "en": said.en}, "served": error.facts["served"]}
        session.progress("évaluation", 0, 4, "")
        weight = appraisal.weigh(found, view, settings.source.documents)
        session.progress("évaluation", 1, 4, "")
        live = {table: tuple(c.name for c in columns) for table, columns in view.tables().items()}
        found = found.met(live)
        drift = found.drift(live)
        session.progress("évaluation", 2, 4, "")
        gaps = [] if drift else fitness.gaps(found, view)
        broken = [] if drift else appraisal.broken_links(found, view)
        session.progress("évaluation", 3, 4, "")
        lies = appraisal.lying_encodings(found, view)
        session.progress("évaluation", 4, 4, "")
        return facts | {
            "source": view.name,
            "product": found.product,
            "version": version,
            "vintage": found.vintage,
            "weight": weight._asdict(),
            "disks": _disks(session, weight.work_bytes, weight.export_bytes),
            "drift": drift,
            "gaps": [{"kind": g.kind, "place": g.place, "expected": g.expected, "found": g.found, "fr": g.said.fr, "en": g.said.en} for g in gaps],
            "tables": appraisal.coverage(found, view),
            "broken_links": broken,
            "encodings": lies,
            "sample": appraisal.SAMPLE,
            "unserved": dict(found.unserved),
        }  # fmt: skip


def _documents(session: Run, folder: Path, product: str) -> dict[str, Any]:
    """What is seen of a folder of CDA and XDM: it has a weight, and no schema."""
    from transvase.assets.pace import pace_of
    from transvase.sources import appraisal

    if (pace := pace_of(session)) is not None:
        pace.check()
    session.progress("évaluation", 0, 1, "")
    weight = appraisal.weigh_folder(folder)
    session.progress("évaluation", 1, 1, "")
    return {
        "source": folder.name,
        "product": product,
        "version": "",
        "vintage": "",
        "weight": weight._asdict(),
        "disks": _disks(session, weight.work_bytes, weight.export_bytes),
        "drift": [],
        "gaps": [],
        "tables": [],
        "broken_links": [],
        "encodings": [],
        "sample": appraisal.SAMPLE,
        "unserved": {},
    }


def _disks(session: Run, work: int, export: int) -> list[dict[str, Any]]:
    """What each disk must take, and has free; folders of one disk share it."""
    from transvase.sources.appraisal import free_bytes, one_disk

    folders = {"work.folder": session.work, "export.folder": session.settings.export.folder}
    if one_disk(*folders.values()):
        return [{"folder": " + ".join(folders), "needed": work + export, "free": free_bytes(session.work)}]
    needed = {"work.folder": work, "export.folder": export}
    return [{"folder": n, "needed": needed[n], "free": free_bytes(f)} for n, f in folders.items()]


def _extract(session: Run, facts: dict[str, Any]) -> None:
    """Extract into the work folder as `transvase extract` does, judge, and count; an inexact sum is a fact like another. The checks of
    the tables' declarations wait for `extract`: they say nothing that this page tells, and take longer than the rest."""
    from transvase.assets.pace import pace_of
    from transvase.pipelines.execute import execute
    from transvase.reports import assessment
    from transvase.settings import require_source, source_password
    from transvase.sources import mapping
    from transvase.sources.extract import extract

    settings = session.settings
    try:
        extract(
            mapping.load(settings.source.product),
            require_source(settings),
            session.work,
            clock=session.clock,
            password=source_password(settings),
            documents=settings.source.documents,
            own=settings.practice.struct_idnat,
            pace=pace_of(session),
            progress=lambda step, done, total: session.progress("extraction", done, total, step),
        )
    except CellsUnaccounted as error:
        facts["account"] = {n: error.facts[n] for n in ("table", "source", "accounted")}
        return
    execute("check", session)
    facts |= assessment.extracted(session.work)


def _missing(session: Run, facts: dict[str, Any]) -> list[str]:
    """Settings without which the archive says less than the law wants."""
    practice = session.settings.practice
    missing = [f"practice.{n}" for n in ("contact_name", "contact_email") if not getattr(practice, n)]
    if "oid" in facts and not facts["oid"] and not practice.oid:
        missing.append("practice.oid")
    return missing


def _sign(options: argparse.Namespace) -> int:
    import orjson

    from transvase.ledger import sign_offs

    session = run_of(options)
    folder = session.work / FOLDER
    for name, value in (("--class", options.kind), ("--by", options.by), ("--reason", options.reason)):
        if not value or not value.strip() or len(value) > _LONGEST or not value.isprintable():
            raise BadCall(
                what=Said(
                    f"{name} : il faut un texte d'une ligne, {_LONGEST} caractères au plus",
                    f"{name}: a text of one line is needed, {_LONGEST} characters at most",
                ),
                mend=Said("voir `transvase assess --help`", "see `transvase assess --help`"),
            )
    if options.kind not in SIGNABLE:
        raise BadCall(
            what=Said(
                f"{CLASSES[options.kind].fr} : personne ne peut l'accepter",
                f"{CLASSES[options.kind].en}: nobody can accept it",
            ),
            mend=Said("corrigez-en la cause, puis `transvase assess`", "mend its cause, then `transvase assess`"),
        )
    if not (folder / FILE).is_file():
        raise WorkMissing(path=session.work.name, what=FOLDER, command="assess")
    last = orjson.loads((folder / FILE).read_bytes())
    seen = next((b for b in last["blockers"] if b["class"] == options.kind), None)
    if seen is None:
        raise BadCall(
            what=Said(
                f"la dernière évaluation n'a rien vu de la classe {options.kind}",
                f"the last assessment saw nothing of class {options.kind}",
            ),
            mend=Said("il n'y a rien à accepter", "there is nothing to accept"),
        )
    if sign_offs.read(folder).broken:
        raise BadCall(
            what=Said(f"le registre {sign_offs.FILE} a été modifié", f"the record {sign_offs.FILE} was changed"),
            mend=Said(
                "gardez-le ailleurs et donnez de nouveau chaque accord",
                "keep it elsewhere and give each sign-off again",
            ),
        )
    one = sign_offs.sign(
        folder, options.kind, options.by.strip(), options.reason.strip(), session.clock, seen["digest"]
    )
    if options.json:
        print(orjson.dumps(one._asdict()).decode())
    else:
        print(f"{options.kind} : {one.by}, {one.at}")
    return 0

"""Vérifier une archive reçue, de portabilité ou IHE XDM : ce qui est arrivé, ce qui manque, ce qui n'a pas été vérifié.
/ Verify an archive, of portability or IHE XDM: what arrived, what did not, what was not checked."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from transvase.commands.session import Progress, counted, plain, run_of, set_of, with_json, with_key
from transvase.errors import ArchiveInvalid, BadCall, Said

if TYPE_CHECKING:
    from transvase.validators.archive import Report
    from transvase.validators.archive_findings import Found

# On a terminal, findings of one kind beyond these are counted; --json gives all.
_SHOWN = 3

# What arrives: one, several, in French then in English.
_ARRIVED = {
    "patients": ("archive de patient", "archives de patients", "patient archive", "patient archives"),
    "documents": ("document", "documents", "document", "documents"),
    "originals": ("contenu d'origine", "contenus d'origine", "original", "originals"),
    "readable copies": ("copie lisible", "copies lisibles", "readable copy", "readable copies"),
    "transverse files": ("fichier transverse", "fichiers transverses", "transverse file", "transverse files"),
}
_TITLES = {
    "arrived": ("Arrivé", "Arrived"),
    "elsewhere": ("Pas arrivé, et où c'est", "Did not arrive, and where it is"),
    "unchecked": ("Non vérifié", "Not checked"),
    "block": ("Constats bloquants", "Findings that block"),
    "warning": ("Avertissements", "Warnings"),
    "remaining": ("Reste à faire", "Remains to be done"),
    "none": ("rien", "nothing"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "archive",
        type=Path,
        help="fichier PA….ZIP (chiffré ou non), IHE_XDM.ZIP, PA….SET.JSON ou son dossier / file, or folder of a set",
    )
    with_key(parser)
    parser.add_argument(
        "--authority",
        type=Path,
        default=None,
        metavar="PEM",
        help="autorités dont la signature doit venir / authorities that the signature must come from",
    )
    parser.add_argument(
        "--schema",
        type=Path,
        default=None,
        metavar="XSD",
        help="schéma CI-SIS (CDA_extended.xsd) que les CDA doivent suivre / schema that the CDA must follow",
    )
    parser.add_argument(
        "--settings",
        type=Path,
        default=None,
        help="réglages du cabinet dont les exécutions gardent trace de la vérification / settings whose run records keep it",
    )
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the verdict, what arrived, what did not and where it went, what was not checked, the findings by severity, and who has
    what left to do; for a set, whether it is whole, then each archive. Reads only. ArchiveInvalid when a finding blocks."""
    import orjson

    from transvase.validators import seal

    path: Path = options.archive
    if not path.is_file() and set_of(path) is None:
        raise BadCall(
            what=Said(f"{path.name} n'existe pas", f"{path.name} does not exist"),
            mend=Said("indiquez le fichier de l'archive", "give the archive's file"),
        )
    trusted = None
    if options.authority is not None:
        try:
            trusted = seal.authorities(options.authority)
        except (OSError, ValueError):
            raise BadCall(
                what=Said(
                    f"--authority : {options.authority.name} n'est pas un fichier PEM lisible",
                    f"--authority: {options.authority.name} is not a readable PEM file",
                ),
                mend=Said("indiquez les certificats des autorités", "give the certificates of the authorities"),
            ) from None
    language = options.lang
    folder = None
    if options.settings is not None:
        from transvase.assets.evidence import note_archive

        session = run_of(options)
        options.recording.begin(session)
        options.recording.note("verified", note_archive(path))
        folder = session.work
    told = set_of(path)
    if told is not None:
        met, blocking = _set(options, told, trusted, folder)
    else:
        with plain(options, path, folder) as content:
            report = _verified(options, path, trusted, content)
        met, blocking = report.findings, len(report.problems)
    if options.settings is not None:
        kinds = sorted({f.id for f in met})
        counted = {kind: sum(f.id == kind for f in met) for kind in kinds}
        options.recording.note("verified", note_archive(path) | {"findings": counted})
    if told is not None:
        if blocking:
            raise ArchiveInvalid(path=told.name, count=blocking)
        return 0
    if options.json:
        print(orjson.dumps(as_json(report, path.name, language)).decode())
    else:
        print("\n".join(lines(report, path.name, language)))
    if blocking:
        raise ArchiveInvalid(path=path.name, count=blocking)
    return 0


def _verified(options: argparse.Namespace, path: Path, trusted: Any, content: BinaryIO) -> Report:
    """The report of one archive, of which `content` is in clear."""
    from transvase.formats.encryption import is_encrypted
    from transvase.validators.archive import verify
    from transvase.validators.archive_patient import SchemaUnreadable

    shown = Progress(options.lang)
    step = "vérification" if options.lang == "fr" else "verification"
    try:
        return verify(
            path,
            lambda done, total: shown(step, done, total, ""),
            trusted,
            options.schema,
            content if is_encrypted(path) else None,
        )
    except SchemaUnreadable:
        raise BadCall(
            what=Said(
                f"--schema : {options.schema.name} n'est pas un schéma lisible",
                f"--schema: {options.schema.name} is not a readable schema",
            ),
            mend=Said("indiquez CDA_extended.xsd du CI-SIS", "give CDA_extended.xsd of CI-SIS"),
        ) from None


def verify_set(
    options: argparse.Namespace, path: Path, trusted: Any, folder: Path | None
) -> tuple[list[Found], list[tuple[str, Report]]]:
    """What is wrong with the set of a set manifest, and the report of each archive that is there and opens. ArchiveInvalid when the
    manifest cannot be read."""
    from transvase.formats.archive_set import SetUnreadable
    from transvase.formats.encryption import is_encrypted
    from transvase.validators import archive_set

    try:
        found = archive_set.survey(path)
    except SetUnreadable:
        raise ArchiveInvalid(path=path.name, count=1) from None
    reports: list[tuple[str, Report]] = []
    held = []
    closed = 0
    for listed, place in found.present:
        if is_encrypted(place) and options.key is None:
            closed += 1
            continue
        with plain(options, place, folder) as content:
            reports.append((listed.file, _verified(options, place, trusted, content)))
            held.append((listed, archive_set.contents(content)))
    compared = archive_set.compared(found.manifest, held, closed)
    return [*found.findings, *archive_set.signature(path, found.manifest, held, trusted), *compared], reports


def _set(options: argparse.Namespace, path: Path, trusted: Any, folder: Path | None) -> tuple[list[Found], int]:
    """Print what is said of a set; every finding, and how many block."""
    import orjson

    met, reports = verify_set(options, path, trusted, folder)
    blocking = sum(f.severity == "block" for f in met)
    every = [*met, *(f for _, report in reports for f in report.findings)]
    problems = blocking + sum(len(report.problems) for _, report in reports)
    french = options.lang == "fr"
    if options.json:
        told = {
            "set": path.name,
            "verdict": "blocked" if problems else "nothing blocks",
            "findings": [
                {"id": f.id, "severity": f.severity, "facts": f.facts, "sentence": f.sentence(options.lang)}
                for f in met
            ],
            "archives": [as_json(report, name, options.lang) for name, report in reports],
        }
        print(orjson.dumps(told).decode())
        return every, problems
    if blocking:
        how = counted(
            blocking, "constat bloquant", "constats bloquants", "finding blocks", "findings block", options.lang
        )
        said = f"l'ensemble n'est pas entier, {how}" if french else f"the set is not whole, {how}"
    else:
        said = "l'ensemble est entier" if french else "the set is whole"
    count = counted(
        len(reports), "archive ouverte", "archives ouvertes", "archive opened", "archives opened", options.lang
    )
    print(f"{path.name}{' : ' if french else ': '}{said}, {count}.")
    for line in _grouped(met, options.lang):
        print(line)
    for name, report in reports:
        print()
        print("\n".join(lines(report, name, options.lang)))
    return every, problems


def verdict(report: Report, name: str, language: str) -> str:
    """The first line: whether the archive can be relied on, as far as it was checked."""
    blocking = sum(f.severity == "block" for f in report.findings)
    warnings = len(report.findings) - blocking
    french = language == "fr"
    if blocking:
        how = counted(blocking, "constat bloquant", "constats bloquants", "finding blocks", "findings block", language)
        said = f"l'archive n'est pas fiable, {how}" if french else f"the archive cannot be relied on, {how}"
    else:
        said = "rien de bloquant" if french else "nothing blocks"
    also = counted(warnings, "avertissement", "avertissements", "warning", "warnings", language)
    return f"{name}{' : ' if french else ': '}{said}, {also}."


def lines(report: Report, name: str, language: str) -> Iterator[str]:
    """The report for a terminal, in the order of the command's help."""

    def title(which: str) -> str:
        return _TITLES[which][language != "fr"] + (" :" if language == "fr" else ":")

    yield verdict(report, name, language)
    counts = [
        counted(report.arrived[which], *words, language) for which, words in _ARRIVED.items() if which in report.arrived
    ]
    size = f"{report.checked['bytes']} {'octets' if language == 'fr' else 'bytes'}"
    yield f"{title('arrived')} {', '.join([*counts, size])}"
    for which, found in (
        ("elsewhere", report.elsewhere),
        ("unchecked", report.not_checked),
        ("block", [f for f in report.findings if f.severity == "block"]),
        ("warning", [f for f in report.findings if f.severity == "warning"]),
    ):
        body = list(_grouped(found, language))
        yield title(which) if body else f"{title(which)} {_TITLES['none'][language != 'fr']}"
        yield from body
    remaining = _remaining(report)
    yield title("remaining") if remaining else f"{title('remaining')} {_TITLES['none'][language != 'fr']}"
    for act, ids in remaining.items():
        yield f"  {act[language != 'fr']} ({', '.join(ids)})"


def as_json(report: Report, name: str, language: str) -> dict[str, Any]:
    """The same report as one JSON value, every finding with its identifier and facts."""

    def told(found: Iterable[Found]) -> list[dict[str, Any]]:
        from transvase.validators.archive_findings import FINDINGS

        return [
            {
                "id": f.id,
                "severity": f.severity,
                "facts": f.facts,
                "sentence": f.sentence(language),
                "source": FINDINGS[f.id].source,
            }
            for f in found
        ]

    return {
        "archive": name,
        "kind": report.kind,
        "verdict": "blocked" if report.problems else "nothing blocks",
        "arrived": report.arrived,
        "elsewhere": told(report.elsewhere),
        "unchecked": told(report.not_checked),
        "findings": told(sorted(report.findings, key=lambda f: f.severity != "block")),
        "remaining": [{"act": act[language != "fr"], "findings": ids} for act, ids in _remaining(report).items()],
        "checked": report.checked,
    }


def _remaining(report: Report) -> dict[tuple[str, str], list[str]]:
    """What is left to do, who first, with the findings that ask for it; what asks nothing of anybody is left out."""
    from transvase.validators.archive_findings import FINDINGS

    acts: dict[tuple[str, str], list[str]] = {}
    for found in (*report.findings, *report.elsewhere, *report.not_checked):
        finding = FINDINGS[found.id]
        ids = acts.setdefault((finding.act_fr, finding.act), [])
        if found.id not in ids:
            ids.append(found.id)
    return {act: ids for act, ids in acts.items() if act[0]}


def _grouped(found: Iterable[Found], language: str) -> Iterator[str]:
    """Findings by kind in the order in which they were met; of many of one kind, the first ones and how many more."""
    kinds: dict[str, list[Found]] = {}
    for one in found:
        kinds.setdefault(one.id, []).append(one)
    for which, alike in kinds.items():
        for one in alike[:_SHOWN]:
            yield f"  {which}  {one.sentence(language)}"
        if (more := len(alike) - _SHOWN) > 0:
            text = counted(more, "autre pareil", "autres pareils", "more alike", "more alike", language)
            yield f"  {which}  … {text} (--json)"

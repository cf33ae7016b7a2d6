"""Vérifier une archive de portabilité : empreintes, manifeste, archives internes. / Verify a portability archive."""

from __future__ import annotations

import argparse
from pathlib import Path

from transvase.commands.session import Progress, with_json
from transvase.errors import ArchiveInvalid, BadCall, Said


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("archive", type=Path, help="fichier PA….ZIP")
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print each problem and what could not be checked; ArchiveInvalid when there is a problem."""
    import orjson

    from transvase.validators.archive import verify

    if not options.archive.is_file():
        raise BadCall(
            what=Said(f"{options.archive.name} n'existe pas", f"{options.archive.name} does not exist"),
            mend=Said("indiquez le fichier de l'archive", "give the archive's file"),
        )
    shown = Progress(options.lang)
    report = verify(options.archive, lambda done, total: shown("vérification", done, total, ""))
    if options.json:
        print(orjson.dumps(report._asdict()).decode())
    else:
        for problem in report.problems:
            print(f"  {problem}")
        for line in report.unchecked:
            print(f"  non vérifié : {line}")
        print(f"{report.checked['patient archives']} archives de patients et {report.checked['bytes']} octets vérifiés")
    if report.problems:
        raise ArchiveInvalid(path=options.archive.name, count=len(report.problems))
    return 0

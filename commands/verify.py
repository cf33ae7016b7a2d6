"""Vérifier une archive de portabilité : empreintes, manifeste, archives internes. / Verify a portability archive."""

from __future__ import annotations

import argparse
from pathlib import Path

from transvase.commands.session import Progress, with_json
from transvase.errors import ArchiveInvalid, BadCall, Said


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("archive", type=Path, help="fichier PA….ZIP")
    parser.add_argument(
        "--authority",
        type=Path,
        default=None,
        metavar="PEM",
        help="autorités dont la signature doit venir / authorities that the signature must come from",
    )
    with_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print each problem and what could not be checked; ArchiveInvalid when there is a problem."""
    import orjson

    from transvase.validators import seal
    from transvase.validators.archive import verify

    if not options.archive.is_file():
        raise BadCall(
            what=Said(f"{options.archive.name} n'existe pas", f"{options.archive.name} does not exist"),
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
    shown = Progress(options.lang)
    report = verify(options.archive, lambda done, total: shown("vérification", done, total, ""), trusted)
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

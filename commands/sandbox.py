"""Démarrer un DMP local strict, avec une autorité de certification jetable. / Start a strict local DMP."""

from __future__ import annotations

import argparse
from pathlib import Path

from transvase.commands.session import moment
from transvase.errors import BadCall, OutputUnwritable, Said


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("folder", type=Path, help="certificats et registre / certificates and registry")
    parser.add_argument(
        "--patients", type=Path, required=True, help="CSV ins,oid,state des DMP existants / DMPs that exist"
    )
    parser.add_argument("--port", type=int, default=8443, help="port sur 127.0.0.1 (0 : au choix) / port")
    parser.add_argument(
        "--structure",
        default=None,
        metavar="STRUCT_IDNAT",
        help="structure des certificats créés, celle du cabinet pour signer / structure of the certificates, the practice's to sign",
    )
    parser.add_argument("--clock", default=None, metavar="ISO", help="heure du serveur / the server's clock")


def run(options: argparse.Namespace) -> int:
    """Serve until interrupted; prints the lines to put under [feed]."""
    from datetime import UTC, datetime

    from transvase.sandbox.authority import STRUCTURE
    from transvase.sandbox.dmp import serve

    if not options.patients.is_file():
        raise BadCall(
            what=Said(f"{options.patients.name} n'existe pas", f"{options.patients.name} does not exist"),
            mend=Said("donnez le CSV ins,oid,state des patients", "give the CSV ins,oid,state of the patients"),
        )
    clock = moment(options.clock) if options.clock else datetime.now(UTC)

    def ready(url: str) -> None:
        folder = options.folder.resolve()
        print(f'[feed]\nenvironment = "sandbox"\nurl = "{url}"', flush=True)
        for name, file in (
            ("certificate", "client.pem"),
            ("key", "client.key"),
            ("authority", "ca.pem"),
            ("seal_certificate", "seal.pem"),
            ("seal_key", "seal.key"),
        ):
            print(f'{name} = "{(folder / file).as_posix()}"', flush=True)

    try:
        serve(options.folder, options.patients, options.port, clock, ready, structure=options.structure or STRUCTURE)
    except OSError as error:
        raise OutputUnwritable(path=f"127.0.0.1:{options.port}", reason=type(error).__name__) from None
    except ValueError as error:
        raise BadCall(what=str(error), mend=Said("corrigez le fichier", "correct the file")) from None
    return 0

"""Démarrer un DMP et un opérateur MSSanté locaux et stricts, avec une autorité de certification jetable. / Start a strict local DMP and
MSSanté operator."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from urllib.parse import urlsplit

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
    parser.add_argument(
        "--identities",
        type=Path,
        default=None,
        metavar="CSV",
        help="identités que l'INSi local connaît (ins,oid,family,given,first_given,sex,birth_date,birth_place,former) / "
        "identities that the local INSi knows",
    )
    parser.add_argument("--clock", default=None, metavar="ISO", help="heure du serveur / the server's clock")


def run(options: argparse.Namespace) -> int:
    """Serve until interrupted; prints the lines to put under [feed] (those of the FHIR route as comments), [evidence], [mss] and, with
    identities, [insi].

    The MSSanté operator stands on the two ports after that of the DMP."""
    from datetime import UTC, datetime

    from transvase.sandbox import fhir, insi
    from transvase.sandbox.authority import STRUCTURE
    from transvase.sandbox.dmp import serve
    from transvase.sandbox.mail import OWNER, PRODUCT, MailSandbox
    from transvase.sandbox.time_stamping import TimeStamping

    for file, columns in ((options.patients, "ins,oid,state"), (options.identities, "ins,oid,family…")):
        if file is not None and not file.is_file():
            raise BadCall(
                what=Said(f"{file.name} n'existe pas", f"{file.name} does not exist"),
                mend=Said(f"donnez le CSV {columns} des patients", f"give the CSV {columns} of the patients"),
            )
    clock = moment(options.clock) if options.clock else datetime.now(UTC)

    def ready(url: str) -> None:
        folder, origin = options.folder.resolve(), "{0.scheme}://{0.netloc}".format(urlsplit(url))
        # Not given, or of certificates that were already in the folder: a feeder of another structure would stop at its seal.
        if options.structure != (named := _structure(folder / "seal.pem")):
            print(_of_another(named, options.lang), file=sys.stderr, flush=True)
        print(f'[feed]\nenvironment = "sandbox"\nurl = "{url}"', flush=True)
        # The same server and certificates by the other route: these two lines in place of the one above.
        print(f'# route = "fhir"\n# url = "{origin}{fhir.PATH}"', flush=True)
        for name, file in (
            ("certificate", "client.pem"),
            ("key", "client.key"),
            ("authority", "ca.pem"),
            ("seal_certificate", "seal.pem"),
            ("seal_key", "seal.key"),
        ):
            print(f'{name} = "{(folder / file).as_posix()}"', flush=True)
        print(f'\n[evidence]\ntime_stamp_authority = "{stamping.url}"', flush=True)
        print(f'time_stamp_certificate = "{stamping.ca.resolve().as_posix()}"', flush=True)
        print(
            f'\n[mss]\naddress = "{OWNER}"\nproduct = "{PRODUCT}"\nsmtp = "{post.smtp}"\nimap = "{post.imap}"',
            flush=True,
        )
        print(f'sent_folder = "Sent"\nsince = {clock:%Y}-01-01', flush=True)
        if options.identities is not None:
            print(f'\n[insi]\nurl = "{origin}{insi.PATH}"\nauthorisation_number = "{insi.AUTHORISATION}"', flush=True)
            for name, file in (
                ("certificate", "insi/insi-auto.pem"),
                ("key", "insi/insi-auto.key"),
                ("authority", "ca.pem"),
            ):
                print(f'{name} = "{(folder / file).as_posix()}"', flush=True)

    try:
        stamping = TimeStamping(
            options.folder / "horodatage", (lambda: clock) if options.clock else lambda: datetime.now(UTC)
        )
        structure = options.structure or STRUCTURE
        ports = (options.port + 1, options.port + 2) if options.port else (0, 0)
        post = MailSandbox(options.folder, options.patients, clock, structure=structure, ports=ports)
        with stamping, post:
            serve(
                options.folder,
                options.patients,
                options.port,
                clock,
                ready,
                structure=structure,
                identities=options.identities,
            )
    except OSError as error:
        raise OutputUnwritable(path=f"127.0.0.1:{options.port}", reason=type(error).__name__) from None
    except ValueError as error:
        raise BadCall(what=str(error), mend=Said("corrigez le fichier", "correct the file")) from None
    return 0


def _structure(seal: Path) -> str:
    """The structure that a certificate names (OU)."""
    from cryptography import x509

    subject = x509.load_pem_x509_certificate(seal.read_bytes()).subject
    units = subject.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)
    return ", ".join(str(unit.value) for unit in units)


def _of_another(structure: str, language: str) -> str:
    if language == "fr":
        return (
            f"transvase: certificats de la structure {structure} : si le struct_idnat du cabinet est autre, relancez avec un nouveau "
            "dossier et --structure STRUCT_IDNAT, sinon l'alimentation s'arrête au cachet (11)."
        )
    return (
        f"transvase: certificates of structure {structure}: if the practice's struct_idnat is another, start again with a new folder and "
        "--structure STRUCT_IDNAT, or feeding stops at the seal (11)."
    )

"""Toute la chaîne sur un cabinet inventé : base, archive, DMP local, rapport. / The whole chain on an invented practice."""

from __future__ import annotations

import argparse
from pathlib import Path

from transvase.commands.session import Progress, moment
from transvase.errors import BadCall, Said

# The day of the demonstration, so that two of them give the same bytes unless asked otherwise.
CLOCK = "2026-11-23T20:00:00+01:00"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("folder", type=Path, nargs="?", default=Path("demo"), help="dossier à remplir / folder to fill")
    parser.add_argument(
        "--patients", type=int, default=60, help="patients en plus des cinq parcours / on top of the five journeys"
    )
    parser.add_argument("--seed", type=int, default=2026, help="graine du cabinet inventé / seed")
    parser.add_argument("--no-bodies", action="store_true", help="sans contenu de documents / without document bodies")
    parser.add_argument(
        "--document-size", type=int, default=None, metavar="OCTETS", help="taille moyenne des PDF / mean size of PDF"
    )
    parser.add_argument(
        "--example",
        type=Path,
        action="append",
        default=[],
        help="CDA officiel à placer dans un dossier / official CDA to file",
    )
    parser.add_argument("--schema", type=Path, default=None, help="schéma XSD CI-SIS / official CDA schema")
    parser.add_argument(
        "--clock", default=CLOCK, metavar="ISO", help="heure de la démonstration / the demonstration's clock"
    )
    parser.add_argument("--workers", type=int, default=2, help="processus / processes")


def run(options: argparse.Namespace) -> int:
    """Generate, serve, run everything, say where to look."""
    import orjson

    from transvase.assets.evidence import Recording
    from transvase.assets.run import Run
    from transvase.commands.export import summary
    from transvase.commands.extract import cells_line
    from transvase.formats import canonical, files
    from transvase.pipelines.execute import execute
    from transvase.sandbox.dmp import Sandbox
    from transvase.settings import load
    from transvase.sources.synthetic.cabinet import STRUCTURES
    from transvase.sources.synthetic.practice import generate

    if options.schema is not None and not options.schema.is_file():
        raise BadCall(
            what=Said(
                f"--schema : {options.schema.name} n'existe pas", f"--schema: {options.schema.name} does not exist"
            ),
            mend=Said("indiquez CDA_extended.xsd du CI-SIS", "give CDA_extended.xsd of CI-SIS"),
        )
    clock = moment(options.clock)
    folder = files.private_folder(options.folder.resolve())
    database = folder / "cabinet.sqlite3"
    shown = Progress(options.lang)
    shown("cabinet inventé", 0, 1, "")
    census = generate(
        database,
        patients=options.patients,
        seed=options.seed,
        clock=clock,
        bodies=not options.no_bodies,
        document_size=options.document_size,
        examples=options.example,
    )
    shown(
        "cabinet inventé",
        1,
        1,
        f"{sum(census.rows.values())} lignes, {sum(map(len, census.truth.values()))} défauts plantés",
    )
    # Struct_IdNat of the invented practice: 1 and its FINESS.
    structure = f"1{STRUCTURES[0][2]}"
    patients = database.with_suffix(".dmp-patients.csv")
    with Sandbox(folder / "dmp-local", patients, clock, structure=structure, require_vihf=True) as sandbox:
        keys = sandbox.authority
        settings_file = folder / "transvase.toml"
        files.write(
            settings_file,
            (
                '[source]\nproduct = "synthetic"\npath = "cabinet.sqlite3"\n\n[work]\nfolder = "travail"\n'
                f"workers = {options.workers}\n\n"
                '[export]\nfolder = "resultats"\n'
                # Drawing the invented PDF, none of which embeds its fonts, would take most of the time.
                'rasterise = false\n\n[practice]\ncontact_name = "Contact Portabilité"\n'
                'contact_email = "portabilite@cabinet.invalid"\n\n'
                f'[feed]\nenvironment = "sandbox"\nurl = "{sandbox.url}"\ncertificate = "{keys.client.relative_to(folder).as_posix()}"\n'
                f'key = "{keys.client_key.relative_to(folder).as_posix()}"\nauthority = "{keys.ca.relative_to(folder).as_posix()}"\n'
                f'seal_certificate = "{keys.seal.relative_to(folder).as_posix()}"\n'
                f'seal_key = "{keys.seal_key.relative_to(folder).as_posix()}"\n'
                "# Le DMP local n'a pas de quota.\nsubmissions_per_second = 1000.0\n"
            ).encode(),
        )
        options.recording = Recording("demo")
        session = Run(load(settings_file), clock, shown, options.schema, now=lambda: clock, recording=options.recording)
        execute("everything", session)
    facts = orjson.loads((session.work / "export.json").read_bytes())
    out = session.settings.export.folder
    print(("\nTerminé. À regarder :", "\nDone. Look at:")[0 if options.lang == "fr" else 1])
    print(f"  rapport d'audit  {out / 'rapport.html'}")
    print(f"  archive          {summary(facts, str(out / facts['archive']), options.lang)}")
    print(f"  {cells_line(canonical.manifest(session.work), options.lang)}")
    print(f"  suite            transvase verify {out / facts['archive']}")
    print(f"                   transvase explain --settings {settings_file} {worth_explaining(session.work)}")
    print(f"                   transvase ui --settings {settings_file}")
    return 0


def worth_explaining(work: Path) -> str:
    """A document with an obligation that something blocks: what `explain` is for."""
    from transvase.formats import canonical

    with canonical.connect(work, threads=1) as base:
        rows = base.sql(
            "SELECT document FROM decision WHERE rule IS NOT NULL AND obligation IS NOT NULL ORDER BY outcome <> 'identity', document LIMIT 1"
        )
        found = rows.fetchall()
    return str(found[0][0]) if found else "1"

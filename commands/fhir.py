"""Écrire les dossiers en FHIR : un fichier par type de ressource (NDJSON) et son manifeste Bulk Data, ou un Bundle par patient.
/ Write the records as FHIR: one file per resource type (NDJSON) and its Bulk Data manifest, or one Bundle per patient."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transvase.commands.session import counted, run_of, with_json, with_settings
from transvase.errors import BadCall, Said, WorkMissing

if TYPE_CHECKING:
    from transvase.assets.run import Run
    from transvase.exporters.fhir.bulk import Person
    from transvase.formats.fhir_reading import Sample

FORMS = ("ndjson", "document", "collection")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    with_settings(parser)
    with_json(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DOSSIER", help="dossier à remplir, vide / folder to fill, empty"
    )
    parser.add_argument(
        "--form",
        choices=FORMS,
        default="ndjson",
        help="un fichier par type (défaut), ou par patient un Bundle document, lisible et structuré comme l'IPS, ou collection / "
        "one file per type (default), or per patient a document Bundle, readable and structured as IPS, or a collection",
    )


def run(options: argparse.Namespace) -> int:
    """Write every patient; exit 1 when an independent reader finds a resource of the sample different."""
    import orjson

    from transvase.exporters import portability
    from transvase.exporters.fhir import bulk
    from transvase.formats import canonical, fhir_reading
    from transvase.model.record import ROW
    from transvase.model.slot import PATIENTS_PER_LOT
    from transvase.model.tables import TABLES

    session = run_of(options)
    out: Path = options.out
    if out.is_dir() and any(out.iterdir()):
        raise BadCall(
            what=Said(f"--out : {out.name} n'est pas vide", f"--out: {out.name} is not empty"),
            mend=Said("indiquez un dossier vide ou nouveau", "give an empty or a new folder"),
        )
    with canonical.connect(session.work, memory="256MB") as base:
        if not (session.work / "verdicts" / "identities.parquet").is_file():
            raise WorkMissing(path=session.work.name, what="verdicts", command="check")
        job = portability.job_of(
            session.work, session.practice, session.clock, "Transvase", None, session.settings.time_zone
        )
        context = portability.open_context(job, base)
        lots = canonical.plan(base, PATIENTS_PER_LOT)
        total = sum(lot.patients for lot in lots)

        def rows(table: str) -> list[Any]:
            found = base.sql(f"SELECT {TABLES[table].select} FROM {table} ORDER BY key").fetchall()
            return [ROW[table]._make(values) for values in found]

        others = [row for row in rows("practice") if row.key != context.practice.key]
        practitioners = {row.key: row for row in rows("practitioner")}
        sample = fhir_reading.Sample()
        if options.form == "ndjson":
            told = bulk.write(
                out,
                _people(base, lots),
                practices=[context.practice, *others],
                practitioners=practitioners,
                created=session.clock.isoformat(),
                progress=partial(_told, session, total),
            )
            for entry in told["output"]:
                with (out / entry["url"]).open("rb") as file:
                    for _ in sample.passing(entry["type"], entry["count"], file):
                        pass
            place, count, patients = out / bulk.MANIFEST, sample.of, told["extension"]["patients"]
            words = ("ressource", "ressources", "resource", "resources")
        else:
            told = {}
            _bundles(session, out, options.form, _people(base, lots), context.practice, practitioners, total, sample)
            place, count, patients = out, sample.of, total
            words = ("Bundle", "Bundles", "Bundle", "Bundles")
    if options.json:
        print(orjson.dumps(told | {"sample": sample.facts()}).decode())
    else:
        people = counted(patients, "patient", "patients", "patient", "patients", options.lang)
        print(f"{place}\n{counted(count, *words, options.lang)}, {people}")
        print(fhir_reading.told(sample.facts(), options.lang))
    return 1 if sample.different else 0


def _bundles(
    session: Run,
    out: Path,
    form: str,
    people: Iterator[Person],
    practice: Any,
    practitioners: dict[str, Any],
    total: int,
    sample: Sample,
) -> None:
    """One Bundle of each patient, named as the resource of the patient."""
    from transvase.exporters.fhir.bundle import document_bundle
    from transvase.exporters.fhir.collection import collection_bundle
    from transvase.exporters.fhir.subject import resource_id
    from transvase.formats import files
    from transvase.model.identifiers import SYNTHESES, arc, under

    created = session.clock.isoformat()
    files.private_folder(out)

    def made() -> Iterator[bytes]:
        for rank, one in enumerate(people, 1):
            key = one.row.key
            if form == "document":
                arcs = (SYNTHESES, arc("fhir", key), f"{session.clock:%Y%m%d%H%M%S}")
                bundle = document_bundle(
                    one.record,
                    practice=practice,
                    practitioners=practitioners,
                    patient=one.row,
                    created=created,
                    identifier=under(practice.oid, *arcs),
                    qualified=one.qualified,
                )
            else:
                bundle = collection_bundle(
                    one.record,
                    practice=practice,
                    practitioners=practitioners,
                    patient=one.row,
                    created=created,
                    qualified=one.qualified,
                )
            files.write(out / f"{resource_id(practice.oid, 'patient', key)}.json", bundle)
            _told(session, total, rank)
            yield bundle + b"\n"

    for _ in sample.passing("Bundle", total, made()):
        pass


def _told(session: Run, total: int, done: int) -> None:
    session.progress("fhir", done, total, "")


def _people(base: Any, lots: list[Any]) -> Iterator[Person]:
    """The patients of the practice in export order, one lot of rows in memory."""
    from transvase.exporters.fhir.bulk import Person
    from transvase.formats import canonical

    for lot in lots:
        qualified = dict(
            base.sql(
                f"SELECT patient, qualified FROM identities WHERE slot BETWEEN {lot.first} AND {lot.last}"
            ).fetchall()
        )
        for _, patient, record in canonical.patients(base, lot):
            yield Person(patient, record, bool(qualified.get(patient.key)))

"""Écrire les dossiers en FHIR : un fichier par type de ressource (NDJSON) et son manifeste Bulk Data.
/ Write the records as FHIR: one file per resource type (NDJSON) and its Bulk Data manifest."""

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


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    with_settings(parser)
    with_json(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DOSSIER", help="dossier à remplir, vide / folder to fill, empty"
    )


def run(options: argparse.Namespace) -> int:
    """Write every patient; exit 0."""
    import orjson

    from transvase.exporters import portability
    from transvase.exporters.fhir import bulk
    from transvase.formats import canonical
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
        told = bulk.write(
            out,
            _people(base, lots),
            practices=[context.practice, *others],
            practitioners={row.key: row for row in rows("practitioner")},
            created=session.clock.isoformat(),
            progress=partial(_told, session, total),
        )
    if options.json:
        print(orjson.dumps(told).decode())
    else:
        lines = sum(entry["count"] for entry in told["output"])
        resources = counted(lines, "ressource", "ressources", "resource", "resources", options.lang)
        people = counted(told["extension"]["patients"], "patient", "patients", "patient", "patients", options.lang)
        print(f"{out / bulk.MANIFEST}\n{resources}, {people}")
    return 0


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

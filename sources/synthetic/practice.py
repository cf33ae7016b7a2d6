"""`generate`: the practice of an invented product as a SQLite file, with the truth about what was planted in it.

The five journeys come first, then as many ordinary patients as asked, some of them spoiled by `defects`.
"""

from __future__ import annotations

import csv
import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from transvase.errors import BadCall, Said
from transvase.sources.synthetic import defects, journeys, ordinary
from transvase.sources.synthetic.cabinet import Cabinet
from transvase.sources.synthetic.database import LATEST, OLDER, Database
from transvase.sources.synthetic.defects import Truth
from transvase.sources.synthetic.people import TEST_OID, strict
from transvase.sources.synthetic.record import Record

MOST_PATIENTS = 100_000


@dataclass(frozen=True, slots=True)
class Census:
    """What was written: rows by table of the product, patients (journeys included), bytes of bodies, and by kind of defect the
    keys of the product's rows that carry it."""

    rows: Mapping[str, int]
    patients: int
    body_bytes: int
    truth: Mapping[str, tuple[str, ...]]

    @property
    def planted(self) -> Iterator[tuple[str, str]]:
        """(kind, product key) of every planted or natural defect."""
        return ((kind, key) for kind, keys in self.truth.items() for key in keys)


def generate(
    path: Path,
    *,
    patients: int = 0,
    seed: int = 2026,
    clock: datetime,
    bodies: bool = True,
    document_size: int | None = None,
    examples: Sequence[Path] = (),
    vintage: str = LATEST,
) -> Census:
    """Write the practice to `path`, with `<stem>.truth.csv`, `<stem>.dmp-patients.csv` and `<stem>.identities.csv` beside it.

    `patients` (0 to 100,000) come on top of the journeys. `document_size` is the mean of PDF bodies in bytes; without `bodies`
    documents have metadata only. `examples` are CDA files filed as received documents in the record of the chronic patient.
    `vintage` is the version of the product, 8 or 7: the same people, less what 7 cannot hold.
    The same arguments give the same rows. BadCall when a number is out of range."""
    if not 0 <= patients <= MOST_PATIENTS:
        raise BadCall(
            what=Said("le nombre de patients est hors limites", "the number of patients is out of range"),
            mend=Said(f"demandez de 0 à {MOST_PATIENTS}", f"ask for 0 to {MOST_PATIENTS}"),
        )
    if document_size is not None and document_size < 1:
        raise BadCall(
            what=Said("la taille des documents n'est pas positive", "the size of documents is not positive"),
            mend=Said("donnez une moyenne en octets", "give a mean in bytes"),
        )
    if vintage not in (LATEST, *OLDER):
        raise BadCall(
            what=Said("cette version de Mirabelle n'existe pas", "there is no such version of Mirabelle"),
            mend=Said(f"demandez {', '.join((LATEST, *OLDER))}", f"ask for one of {', '.join((LATEST, *OLDER))}"),
        )
    endings = {"truth": ".truth.csv", "dmp": ".dmp-patients.csv", "identities": ".identities.csv"}
    beside = {"database": path} | {name: path.with_suffix(ending) for name, ending in endings.items()}
    building = {name: target.with_name(target.name + ".part") for name, target in beside.items()}
    for file in building.values():
        file.unlink(missing_ok=True)
    database = Database(building["database"])
    # Records make many small dictionaries and no cycle: the collector would only look at them in vain (a tenth of the time).
    collecting = gc.isenabled()
    gc.disable()
    try:
        cabinet = Cabinet(database, clock.replace(tzinfo=None), seed)
        truth = Truth()
        known: dict[str, tuple[str, str, str]] = {}
        people: dict[str, tuple[str, ...]] = {}
        count = 0
        for record in _records(cabinet, patients, examples, truth):
            truth.observe(record)
            for state in defects.national_state(record):
                known.setdefault(state[0], state)
            civil = identity(record)
            people.setdefault(civil[0], civil)
            record.save(with_bodies=bodies, size=document_size)
            count += 1
        truth.settle()
        rows = database.finish(vintage)
    except BaseException:
        database.close()
        for file in building.values():
            file.unlink(missing_ok=True)
        raise
    finally:
        if collecting:
            gc.enable()
    _write(building["truth"], ("kind", "table", "key"), truth.lines())
    _write(building["dmp"], ("ins", "oid", "state"), known.values())
    _write(building["identities"], IDENTITY, people.values())
    for name in (*endings, "database"):
        building[name].replace(beside[name])
    return Census(rows, count, database.body_bytes, {k: tuple(v) for k, v in truth.keys.items()})


# What the national directory of the invented people says, as the local INSi reads it.
IDENTITY = ("ins", "oid", "family", "given", "first_given", "sex", "birth_date", "birth_place", "former")


def identity(record: Record) -> tuple[str, ...]:
    """The civil status of the person of a record, whatever the practice made of it."""
    person = record.person
    former = (record.patient.get("PAT_INS_ANC") or "").partition(",")[0]
    return (
        person.matricule,
        TEST_OID,
        strict(person.family),
        person.strict_givens,
        strict(person.givens[0]),
        person.sex,
        person.born.isoformat(),
        person.place.cog,
        former,
    )


def _records(cabinet: Cabinet, patients: int, examples: Sequence[Path], truth: Truth) -> Iterator[Record]:
    """Journeys, then ordinary patients with their defects, in the order of the file."""
    yield from journeys.records(cabinet, examples)
    for index in range(patients):
        record, rng = ordinary.patient(cabinet, index)
        yield from defects.planted(record, rng, index, truth)


def _write(path: Path, header: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)

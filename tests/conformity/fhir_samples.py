"""FHIR that the exporters write, for the checks: documents and collections of an invented practice, ITI-65 and ITI-105 requests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from transvase.exporters.fhir.bundle import document_bundle
from transvase.exporters.fhir.collection import collection_bundle
from transvase.exporters.pdsm import provide_bundle, simplified_publish
from transvase.formats import canonical
from transvase.formats.cda import Coded, Id, Organization, Party, Patient
from transvase.formats.xds import DocumentEntry
from transvase.formats.xds_metadata import (
    author,
    entry_uuid,
    patient_id,
    source_patient_id,
    source_patient_info,
    submission_set,
    xcn,
)
from transvase.model.codes.class_codes import CODES as CLASSES
from transvase.model.codes.confidentiality_codes import CODES as CONFIDENTIALITY
from transvase.model.codes.facility_types import CODES as FACILITIES
from transvase.model.codes.format_codes import CODES as FORMATS
from transvase.model.codes.practice_settings import CODES as SETTINGS
from transvase.model.codes.type_codes import CODES as TYPES
from transvase.model.record import ROW
from transvase.model.slot import SLOTS, Lot
from transvase.model.tables import TABLES
from transvase.sources import mapping
from transvase.sources.extract import extract
from transvase.sources.synthetic.practice import generate
from transvase.validators.verdicts import judge

CLOCK = datetime(2026, 11, 23, 20, 0, 0, tzinfo=ZoneInfo("Europe/Paris"))
CREATED = CLOCK.isoformat()


def extracted(folder: Path, patients: int) -> Path:
    """The work folder of an invented practice without contents, judged."""
    generate(folder / "cabinet.sqlite3", patients=patients, clock=CLOCK, bodies=False)
    extract(mapping.load("synthetic"), folder / "cabinet.sqlite3", folder / "work", clock=CLOCK)
    judge(folder / "work", clock=CLOCK, environment="sandbox")
    return folder / "work"


def rows_of(work: Path, table: str) -> list[Any]:
    """Every row of a canonical table."""
    with canonical.connect(work) as base:
        return [ROW[table]._make(r) for r in base.sql(f"SELECT {TABLES[table].select} FROM {table}").fetchall()]


def bundles(work: Path) -> Iterator[dict[str, Any]]:
    """The document and the collection of each patient."""
    practice = rows_of(work, "practice")[0]
    people = {row.key: row for row in rows_of(work, "practitioner")}
    with canonical.connect(work) as base:
        qualified = dict(base.sql("SELECT patient, qualified FROM identities").fetchall())
        for number, patient, record in list(canonical.patients(base, Lot(0, SLOTS - 1, 1, 0))):
            shared = {
                "practice": practice,
                "practitioners": people,
                "patient": patient,
                "created": CREATED,
                "qualified": bool(qualified[patient.key]),
            }
            yield orjson.loads(document_bundle(record, identifier=f"1.2.250.1.999.9.{number}", **shared))
            yield orjson.loads(collection_bundle(record, **shared))


def _coded(codes: Any, wanted: str = "") -> Coded:
    found = codes[wanted] if wanted else next(c for c in codes.values() if c.system not in ("URN", "ASTM"))
    return Coded(found.code, found.system, found.display)


@cache
def an_entry(replaces: str = "") -> DocumentEntry:
    """A document entry with every element that a professional's document has."""
    patient = Patient(
        ids=(Id("1.2.250.1.213.1.4.10", "180017599000157"), Id("2.999.1", "P1")),
        birth_family="PAT-UN",
        birth_given="ANNE",
        given_names="ANNE MARIE",
        used_family="DUPONT",
        used_given="ANNE",
        sex="F",
        birth="19800101",
        birth_place="75056",
    )
    signer = Party(
        ids=(Id("1.2.250.1.71.4.2.1", "810001234567"),),
        code=Coded("G15_10/SM26", "1.2.250.1.213.1.1.4.5", "Médecin - Médecine générale (SM)"),
        function=Coded("PCP", "2.16.840.1.113883.5.88", "Médecin traitant"),
        family="LEGRAND",
        given="PAUL",
        software="",
        model="",
        organization=Organization((Id("1.2.250.1.71.4.2.2", "1990000713"),), "Cabinet du Lac"),
    )
    unique = "2.999.1.2.3"
    return DocumentEntry(
        unique_id=unique,
        entry_uuid=entry_uuid(unique),
        sha1="DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
        size=42,
        creation_time="20261123190000",
        service_start_time="20261123180000",
        service_stop_time="20261123183000",
        language="fr-FR",
        title="Compte rendu",
        legal_authenticator=xcn(signer),
        patient_id=patient_id(patient),
        source_patient_id=source_patient_id(patient),
        source_patient_info=source_patient_info(patient),
        authors=(author(signer),),
        class_code=_coded(CLASSES),
        type_code=_coded(TYPES),
        format_code=_coded(FORMATS),
        facility=_coded(FACILITIES),
        practice_setting=_coded(SETTINGS),
        confidentiality=(_coded(CONFIDENTIALITY, "N"),),
        event_codes=(Coded("CS", "1.2.250.1.215.200.3.3", "Consultation"),),
        reference_ids=("A12^^^&2.999.3&ISO^urn:ihe:iti:xds:2013:accession",),
        replaces=replaces,
    )


def requests() -> list[dict[str, Any]]:
    """An ITI-65 transaction that adds, one that replaces, and the resource of ITI-105."""
    structure = Organization((Id("1.2.250.1.71.4.2.2", "1990000713"),), "Cabinet du Lac")
    found = []
    for replaces in ("", "b2b1c2f0-0000-4000-8000-000000000001"):
        entry = an_entry(replaces)
        submission = submission_set([entry], unique_id="2.999.6.1", source_id="2.999.7", time="20261123190000")
        submission = submission._replace(comments="Commentaire")
        found.append(orjson.loads(orjson.dumps(provide_bundle(submission, entry, structure))))
    found.append(orjson.loads(orjson.dumps(simplified_publish(an_entry(), structure))))
    return found

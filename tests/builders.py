"""A practice of a few rows, as the extraction would have left it: what a test is about is said, the rest has a sound default.

`a_patient()` is qualified and has a DMP; `a_document()` was made here, is due, never fed and has a readable body. `practice()`
writes the Parquet files that `formats.canonical` reads; `judged()` runs the verdict pass and gives its rows back.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from transvase.model.slot import slot
from transvase.model.tables import TABLES
from transvase.validators.verdicts import judge

CLOCK = datetime(2026, 11, 23, 20, 0, tzinfo=ZoneInfo("Europe/Paris"))
TEST_OID = "1.2.250.1.213.1.4.10"
NIR_OID, NIA_OID = "1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9"
# In force since 2023-12-31, without exclusion, its date confirmed: a document on which nothing else weighs.
SURGERY_REPORT = "34874-8"
DOCTOR = "DR1"

_numbers = itertools.count(1)


class Row(NamedTuple):
    """A row of a canonical table, only the columns that are not empty."""

    table: str
    values: dict[str, Any]


class Body(NamedTuple):
    """What the extraction found out about a body. `content` tells bodies apart; None is a document without any."""

    detected: str | None = "pdf"
    damage: str | None = None
    content: str | None = ""
    # What the software states; the body has 1,000 bytes.
    declared: int | None = None


A_PDF, NO_BODY = Body(), Body(None, None, None)


def ins(order: int = 1) -> str:
    """A matricule of the right form and key: a man born in January 1980 in the department 75, by order number (1 to 999)."""
    thirteen = f"1800175990{order:03d}"
    return f"{thirteen}{97 - int(thirteen) % 97:02d}"


def a_patient(key: str = "P1", **facts: Any) -> Row:
    """A qualified patient, attended by DOCTOR, with an active DMP. Patients of other keys have other matricules."""
    order = int("".join(c for c in key if c.isdigit()) or 1) % 999 or 999
    sound = {
        "key": key,
        "ins": ins(order),
        "ins_oid": TEST_OID,
        "insi_confirmed": True,
        "document_checked": True,
        "birth_family": "MARTIN",
        "birth_given": "PAUL JEAN",
        "birth_first_given": "PAUL",
        "sex": "M",
        "birth_date": "1980-01-15",
        "birth_place_code": "75056",
        "attending": DOCTOR,
        "dmp": "active",
    }
    return Row("patient", sound | facts)


def a_document(key: str = "D1", patient: str | None = "P1", *, body: Body = A_PDF, **facts: Any) -> list[Row]:
    """A surgery report of March 2026 made here, never fed, with its only version. Each has its own bytes unless `body` says which."""
    sound = {
        "key": key,
        "patient": patient,
        "practitioner": DOCTOR,
        "local_type": "CRO",
        "type_code": SURGERY_REPORT,
        "title": "Compte rendu",
        "origin": "produced",
        "act": "2026-03-02T10:00:00",
        "created": "2026-03-02T10:30:00",
        "fed_state": "never",
        # Who withheld or restricted it, where a test does.
        "withheld_by": DOCTOR,
        "withheld_at": "2026-03-02T10:30:00",
        "visibility_by": DOCTOR,
        "visibility_at": "2026-03-02T10:30:00",
    }
    version = a_version(
        f"{key}-1", key, patient, body=body._replace(content=body.content if body.content != "" else key)
    )
    return [Row("document", sound | facts), version]


def an_encounter(key: str, patient: str = "P1") -> Row:
    """A consultation of March 2026."""
    return Row("encounter", {"key": key, "patient": patient, "practitioner": DOCTOR, "start": "2026-03-02T10:00:00"})


def a_version(key: str, document: str, patient: str | None = "P1", *, rank: int = 1, body: Body = A_PDF) -> Row:
    """A stored version of a document."""
    digest = None if body.content is None else hash_of(body.content)
    found = {
        "sha256": digest,
        "size": None if digest is None else 1000,
        "declared_size": body.declared,
        "detected": body.detected,
        "damage": body.damage,
    }
    return Row("document_version", {"key": key, "patient": patient, "document": document, "version": rank, **found})


def an_objection(patient: str = "P1", scope: str = "dmp", document: str | None = None, **facts: Any) -> Row:
    """An objection of a patient, to everything or to one document, recorded by DOCTOR."""
    sound = {"key": f"O{next(_numbers)}", "recorded": "2026-03-01T09:00:00", "recorded_by": DOCTOR}
    return Row("objection", {"patient": patient, "scope": scope, "document": document} | sound | facts)


def hash_of(content: str) -> str:
    """The SHA-256 under which a body stands."""
    return hashlib.sha256(content.encode()).hexdigest()


def practice(folder: Path, *rows: Row | Iterable[Row]) -> Path:
    """Write the canonical tables holding the rows; the working folder."""
    by_table: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        for one in [row] if isinstance(row, Row) else row:
            by_table.setdefault(one.table, []).append(one.values)
    target = folder / "canonical"
    target.mkdir(parents=True, exist_ok=True)
    for name, table in TABLES.items():
        column = table.patient_column
        lines = []
        for number, values in enumerate(by_table.get(name, []), 1):
            unknown = set(values) - {c.name for c in table.columns}
            assert not unknown, f"{name} has no column {unknown}"
            whose = values.get(column) if column else None
            lines.append(
                {
                    "slot": -1 if whose is None else slot(whose),
                    "source_table": name,
                    "source_key": str(number),
                    **values,
                }
            )
        lines.sort(key=lambda v: (v["slot"], v.get(column) or "" if column else "", v["key"]))
        schema = pa.schema([pa.field("slot", pa.int16()), *table.schema])
        pq.write_table(pa.Table.from_pylist(lines, schema=schema), target / f"{name}.parquet")
    (target / "extraction.json").write_bytes(
        orjson.dumps({"product": "essai", "clock": CLOCK.isoformat(), "cells": []})
    )
    return folder


class Found(NamedTuple):
    """A verdict of a record: rule, destination, severity, evidence."""

    rule: str
    destination: str
    severity: str
    evidence: str


class Judged(NamedTuple):
    """The files of a verdict pass, by key of the record."""

    counts: dict[str, Any]
    verdicts: dict[tuple[str, str], list[Found]]
    obligations: dict[str, dict[str, Any]]
    identities: dict[str, dict[str, Any]]
    decisions: dict[str, dict[str, Any]]

    def rules(self, table: str, key: str, destination: str = "dmp") -> dict[str, str]:
        """Rule to severity of what stands against a record."""
        return {f.rule: f.severity for f in self.verdicts.get((table, key), []) if f.destination == destination}

    def carrying(self, rule: str, destination: str = "dmp") -> set[str]:
        """Keys of the records that carry a rule."""
        found = self.verdicts.items()
        return {key for (_, key), fs in found for f in fs if f.rule == rule and f.destination == destination}


def judged(work: Path, **options: Any) -> Judged:
    """Judge the practice of a folder and read back what was written. Options are those of `judge`; sandbox by default."""
    counts = judge(work, **{"clock": CLOCK, "environment": "sandbox"} | options)
    return read_verdicts(work, counts)


def read_verdicts(work: Path, counts: dict[str, Any]) -> Judged:
    """The verdict files of a folder."""

    def lines(name: str) -> list[dict[str, Any]]:
        return pq.read_table(work / "verdicts" / f"{name}.parquet").to_pylist()

    verdicts: dict[tuple[str, str], list[Found]] = {}
    for v in lines("verdict"):
        found = Found(v["rule"], v["destination"], v["severity"], v["evidence"])
        verdicts.setdefault((v["record_table"], v["record_key"]), []).append(found)
    return Judged(
        counts,
        verdicts,
        {v["document"]: v for v in lines("obligations")},
        {v["patient"]: v for v in lines("identities")},
        {v["document"]: v for v in lines("decision")},
    )


def copied(work: Path, target: Path) -> Path:
    """A copy of a working folder that a test may change."""
    shutil.copytree(work, target)
    return target


def with_rows(work: Path, *rows: Row) -> None:
    """Add rows to canonical tables already written, as a later extraction would."""
    for row in rows:
        path = work / "canonical" / f"{row.table}.parquet"
        table = pq.read_table(path)
        whose = row.values.get(TABLES[row.table].patient_column or "")
        line = {
            "slot": slot(whose) if whose else -1,
            "source_table": row.table,
            "source_key": row.values["key"],
            **row.values,
        }
        pq.write_table(pa.concat_tables([table, pa.Table.from_pylist([line], schema=table.schema)]), path)


def changed(work: Path, table: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Rewrite the rows of a canonical table, each with what `change` says of it; the order of rows stays."""
    path = work / "canonical" / f"{table}.parquet"
    held = pq.read_table(path)
    pq.write_table(pa.Table.from_pylist([row | change(row) for row in held.to_pylist()], schema=held.schema), path)


def rows_of(work: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of a query over the canonical tables of a folder, for a test to know what it looks at."""
    with duckdb.connect() as base:
        for name in TABLES:
            base.execute(f"CREATE VIEW {name} AS FROM read_parquet('{work / 'canonical' / f'{name}.parquet'}')")
        return base.execute(query).fetchall()


# The structure and its doctor, with what the DMP wants to know of them.
OFFICE = (
    Row(
        "practice",
        {
            "key": "1",
            "name": "Cabinet des Tilleuls",
            "struct_idnat": "1990000713",
            "oid": "2.999.250.7",
            "facility_type": "SA07",
            "practice_setting": "AMBULATOIRE",
        },
    ),
    Row(
        "practitioner",
        {
            "key": DOCTOR,
            "practice": "1",
            "idnat": "899700991005",
            "family": "VAUTRIN",
            "given": "Claire",
            "specialty": "G15_10/SM54",
            "active": True,
        },
    ),
)


def fed_practice(folder: Path, *rows: Row | Iterable[Row], environment: str = "sandbox") -> Path:
    """A judged practice of OFFICE whose documents can be sent: each body is a small PDF of its own, in the store. The same rows are judged
    once in a session, then copied."""
    every: list[Row] = [*OFFICE]
    for row in rows:
        every += [row] if isinstance(row, Row) else row
    called = repr((every, environment))
    if called not in _fed:
        _fed[called] = made = Path(_folder().name) / str(len(_fed))
        judged(practice(made, *(_stored(made, row) for row in every)), environment=environment)
    return Path(shutil.copytree(_fed[called], folder, dirs_exist_ok=True))


_fed: dict[str, Path] = {}


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Where the practices of `fed_practice` stand until the session ends."""
    return tempfile.TemporaryDirectory(prefix="practices-")


def _stored(folder: Path, row: Row) -> Row:
    """A version whose body is in the store."""
    if row.table != "document_version" or row.values["sha256"] is None:
        return row
    body = f"%PDF-1.4\n% {row.values['key']}\n%%EOF\n".encode()
    digest = hashlib.sha256(body).hexdigest()
    place = folder / "bodies" / digest[:2]
    place.mkdir(parents=True, exist_ok=True)
    (place / digest).write_bytes(body)
    return Row("document_version", row.values | {"sha256": digest, "size": len(body)})


def registered_patients(path: Path, *keys: str, state: str = "active") -> Path:
    """The file that tells the local DMP who has one."""
    rows = [f"{a_patient(key).values['ins']},{TEST_OID},{state}" for key in keys]
    path.write_text("\n".join(["ins,oid,state", *rows]) + "\n", encoding="utf-8")
    return path

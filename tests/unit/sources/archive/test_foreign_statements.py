"""Import of documents of others: what they state becomes rows of their patient, beside the document, once."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from transvase.exporters.cda import vsm
from transvase.model.record import ROW
from transvase.sources.archive.importer import Imported, import_archive

CLOCK = datetime.fromisoformat("2026-11-23T20:00:00+01:00")


def synthesis(document: str, patient: str, *problems: tuple[str, str], extra: str = "") -> str:
    kind = ROW["problem"]
    rows = [
        kind(
            **(
                dict.fromkeys(kind._fields)
                | {"key": key, "patient": "1", "category": "problem", "label": label, "assertion": "affirmed"}
            )
        )
        for key, label in problems
    ]
    body = vsm.body({"problem": rows}, "1.2.250.1.213.9.9.13.7").replace(
        "</structuredBody>", f"{extra}</structuredBody>"
    )
    return (
        '<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        '<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>'
        f'<id root="{document}"/><code code="SYNTH"/><title>Synthèse</title><effectiveTime value="20260102"/>'
        f'<setId root="{document}.9"/><versionNumber value="1"/><recordTarget><patientRole><id root="1.2.3" extension="{patient}"/>'
        "<patient><name><family>NOM</family></name></patient></patientRole></recordTarget>"
        f"{body}</ClinicalDocument>"
    )


@pytest.fixture
def imported(tmp_path):
    def run(*documents: str) -> tuple[Imported, dict[str, list[dict[str, Any]]]]:
        source = tmp_path / "received"
        source.mkdir()
        for n, document in enumerate(documents):
            (source / f"{n}.xml").write_text(document, encoding="utf-8")
        return done(source, tmp_path / "work")

    return run


def done(source: Path, work: Path) -> tuple[Imported, dict[str, list[dict[str, Any]]]]:
    outcome = import_archive(source, work, clock=CLOCK)
    tables = {p.stem: pq.read_table(p).to_pylist() for p in (work / "canonical").glob("*.parquet")}
    return outcome, {name: rows for name, rows in tables.items() if rows}


def test_statements_become_rows_of_the_patient_of_the_document(imported):
    outcome, tables = imported(synthesis("1.2.3.4", "A", ("1", "HTA"), ("2", "Asthme")))
    (patient,), (document,) = tables["patient"], tables["document"]
    assert [row["label"] for row in tables["problem"]] == ["HTA", "Asthme"]
    assert {row["patient"] for row in tables["problem"]} == {patient["key"]} == {document["patient"]}
    assert {(row["source_table"], row["source_key"]) for row in tables["problem"]} == {("cda", "1.2.3.4")}
    assert outcome.unread == []
    assert outcome.manifest["rows"]["problem"] == 2
    assert "problem" not in outcome.manifest["unserved"]
    assert "allergy" in outcome.manifest["unserved"]


def test_a_statement_of_several_documents_stands_once(imported):
    outcome, tables = imported(
        synthesis("1.2.3.4", "A", ("1", "HTA")), synthesis("1.2.3.5", "A", ("1", "HTA"), ("2", "Asthme"))
    )
    assert [row["label"] for row in tables["problem"]] == ["HTA", "Asthme"]
    assert outcome.unread == []


def test_another_content_under_the_same_identifier_is_kept_beside_it_and_said(imported):
    outcome, tables = imported(
        synthesis("1.2.3.4", "A", ("1", "HTA")), synthesis("1.2.3.5", "A", ("1", "Hypertension"))
    )
    assert len({row["key"] for row in tables["problem"]}) == 2
    assert outcome.in_documents == [
        "statements whose identifier has another content in an earlier document (1): both are kept."
    ]


def test_the_same_identifier_for_two_patients_is_two_rows(imported):
    _, tables = imported(synthesis("1.2.3.4", "A", ("1", "HTA")), synthesis("1.2.3.5", "B", ("1", "HTA")))
    assert len({row["key"] for row in tables["problem"]}) == len({row["patient"] for row in tables["problem"]}) == 2


def test_a_document_without_a_patient_gives_no_row(imported):
    _, tables = imported(synthesis("1.2.3.4", "", ("1", "HTA")))
    assert set(tables) == {"document", "document_version"}


def test_what_no_row_holds_is_one_line_for_each_kind_with_its_count(imported):
    section = (
        '<component><section><code code="42348-3"/><text/>'
        + "".join(
            f'<entry><observation><templateId root="1.2.3.{n % 2}"/><value>SECRET</value></observation></entry>'
            for n in range(7)
        )
        + "</section></component>"
    )
    outcome, _ = imported(synthesis("1.2.3.4", "A", ("1", "HTA"), extra=section))
    assert outcome.in_documents == [
        "section[42348-3]/entry/observation[1.2.3.0]: no canonical table holds this statement: 4",
        "section[42348-3]/entry/observation[1.2.3.1]: no canonical table holds this statement: 3",
    ]
    # Read, and kept with its document: nothing is missing.
    assert outcome.unread == []


def test_importing_again_gives_the_same_rows(imported, tmp_path):
    _, first = imported(synthesis("1.2.3.4", "A", ("1", "HTA")))
    _, again = done(tmp_path / "received", tmp_path / "elsewhere")
    assert first == again


def test_every_official_example_is_imported_and_references_stay_within_the_import(shared, tmp_path):
    source = tmp_path / "received"
    source.mkdir()
    for path in (shared / "cisis" / "exemples").glob("*.xml"):
        (source / re.sub(r"\W", "_", path.stem)).with_suffix(".xml").write_bytes(path.read_bytes())
    outcome, tables = done(source, tmp_path / "work")
    assert len(tables["document_version"]) >= 60
    patients = {row["key"] for row in tables["patient"]}
    for table in ("problem", "allergy", "treatment", "risk_factor", "vital_sign", "immunization", "lab_result"):
        rows = tables[table]
        assert {row["patient"] for row in rows} <= patients
        assert len({row["key"] for row in rows}) == len(rows)
    assert {row["prescription"] for row in tables["prescription_line"]} <= {
        row["key"] for row in tables["prescription"]
    }
    assert {row["document"] for row in tables["lab_result"]} <= {row["key"] for row in tables["document"]}
    assert outcome.in_documents

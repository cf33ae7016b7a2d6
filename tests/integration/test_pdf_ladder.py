"""A patient whose PDF stand on every rung, through the archive: copies, CDA, originals, notices, lines of DONNEES.JSON."""

from __future__ import annotations

import base64
import hashlib
import io
from functools import cache
from typing import Any

import orjson
import pytest
from lxml import etree

from transvase.exporters import documentation, documents, patient_archive
from transvase.model.record import ROW
from transvase.validators.archive_patient import How, Tally, examine

from ..unit.exporters.pdf.brought import BROUGHT  # noqa: TID252
from .conftest import CLOCK, SOFTWARE, unzipped

RUNGS = {"pdfa": "untouched", "no-xmp": "mended", "font-not-embedded": "rasterised", "password": "carried"}


@cache
def body_of(name: str) -> bytes:
    """The bytes as they came; those of an encrypted one are drawn anew each time."""
    return BROUGHT[name][0]()


def row(table: str, **values: Any) -> Any:
    return ROW[table](
        **{**dict.fromkeys(ROW[table]._fields), "source_table": "t", "source_key": values["key"], **values}
    )


def archive(names: list[str], dpi: int) -> tuple[bytes, list[patient_archive.Line]]:
    bodies = {hashlib.sha256(body).hexdigest(): body for body in (body_of(name) for name in names)}
    practice = row("practice", key="1", name="Cabinet", struct_idnat="1990000000", oid="1.2.250.1.999.1.1", facility_type="SA08",
                   practice_setting="AMBULATOIRE")  # fmt: skip
    doctor = row(
        "practitioner",
        key="1",
        idnat="899900000000",
        family="MIRABEL",
        given="Anne",
        specialty="G15_10/SM26",
        active=True,
    )
    patient = row(
        "patient",
        key="1",
        birth_family="PAT",
        birth_given="ZOE",
        birth_first_given="ZOE",
        sex="F",
        birth_date="1979-03-28",
    )
    made = [
        row("document", key=f"d{i}", patient="1", practitioner="1", local_type="CR", type_code="11488-4", title="Compte rendu", origin="produced",
            act="2026-01-02T10:00:00", created="2026-01-02T10:05:00", fed_state="never")
        for i in range(len(names))
    ]  # fmt: skip
    versions = [
        row(
            "document_version",
            key=f"v{i}",
            patient="1",
            document=f"d{i}",
            version=1,
            created="2026-01-02T10:05:00",
            sha256=digest,
            detected="pdf",
        )
        for i, digest in enumerate(bodies)
    ]
    ctx = documents.context(practice, [doctor], CLOCK, SOFTWARE, dpi=dpi)
    one = patient_archive.build(ctx, patient, {"document": made, "document_version": versions}, False, True, bodies.get)
    return one.data, one.lines


@pytest.fixture(scope="module")
def ladder() -> tuple[bytes, list[patient_archive.Line]]:
    return archive(list(RUNGS), 100)


def copies(files: dict[str, bytes]) -> list[bytes]:
    """The readable copies of the documents, synthesis and notices left aside, in order of rank."""
    return [
        body for name, body in files.items() if name.startswith("PDF/") and "Synth" not in name and "_AVIS" not in name
    ]


def test_port_38_each_copy_is_what_its_rung_says(ladder):
    files = unzipped(ladder[0])
    for copy, (name, rung) in zip(copies(files), RUNGS.items(), strict=True):
        body = body_of(name)
        assert (copy == body) == (rung in ("untouched", "carried")), name
        assert (b"<pdfaid:part>1" in copy) == (rung != "carried"), name


def test_the_bytes_that_came_are_never_lost(ladder):
    files = unzipped(ladder[0])
    for number, name in enumerate(RUNGS, 2):
        original = files.get(f"ORIGINAUX/DOC{number:04d}.PDF", copies(files)[number - 2])
        assert original == body_of(name), name
    assert sum(n.startswith("ORIGINAUX/") for n in files) == 2, "only where another thing stands in the copy"


def test_port_39_each_document_has_its_structured_form_and_holds_its_copy(ladder):
    files = unzipped(ladder[0])
    for number, copy in enumerate(copies(files), 2):
        text = etree.fromstring(files[f"IHE_XDM/SUBSET01/DOC{number:04d}.XML"]).find(
            ".//{urn:hl7-org:v3}nonXMLBody/{urn:hl7-org:v3}text"
        )
        assert base64.b64decode(text.text) == copy


def test_lines_say_the_rung_and_why(ladder):
    files = unzipped(ladder[0])
    lines = orjson.loads(files["DONNEES.JSON"])["documents"]
    assert [line["rung"] for line in lines] == list(RUNGS.values())
    assert [line["reasons"] for line in lines] == [
        [],
        ["intent", "metadata", "structure"],
        ["font"],
        ["password"],
    ] or lines


def test_a_page_beside_says_why_a_copy_is_no_pdfa_and_verify_knows_it(ladder):
    files = unzipped(ladder[0])
    notices = [name for name in files if name.endswith("_AVIS.pdf")]
    assert len(notices) == 1 and notices[0].replace("_AVIS", "") in files
    tally = Tally()
    found = examine(io.BytesIO(ladder[0]), "PAT00001.ZIP", "", How(True, True, None), tally)
    told = [f.id for f in found]
    assert not {"ARC-PDF-STRAY", "ARC-PDF-MISSING", "ARC-PDF-CONTENT", "ARC-ORIGINAL-STRAY"} & set(told)
    assert told.count("ARC-PDF-UNDECLARED") == 1


def test_without_drawing_a_pdf_leaves_as_it_came_and_no_notice_stands_beside_it():
    data, lines = archive(["font-not-embedded"], 0)
    files = unzipped(data)
    assert copies(files) == [body_of("font-not-embedded")]
    assert not [n for n in files if n.startswith("ORIGINAUX/") or "_AVIS" in n]
    assert (lines[0].rung, lines[0].reasons) == ("carried", ("font", "not-asked"))


def test_the_same_record_gives_the_same_archive(ladder):
    assert archive(list(RUNGS), 100)[0] == ladder[0]


def test_the_documentation_counts_each_rung_and_says_what_is_not_checked():
    text = dict(documentation.files([], {}, SOFTWARE, False, False, {"untouched": 3, "rasterised": 12, "laid-out": 7}))
    told = text["DOCUMENTATION/LISEZMOI.TXT"].decode()
    assert "3 se declarent PDF/A-1" in told and "12 pages reproduites" in told and "Non controles" in told
    assert "mis en PDF/A-1b" not in told and "7 " not in told

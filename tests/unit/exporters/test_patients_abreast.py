"""An archive does not depend on what was made beside it: patients and documents abreast give the bytes that each gives alone.

Documents of all sorts that hang on one another: versions in a row, bodies lost or empty, the same CDA filed twice, two contents under one
uniqueId.
"""

from __future__ import annotations

import hashlib
import io
import random
import zipfile
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from transvase.exporters import documents, patient_archive
from transvase.exporters.abreast import abreast, done
from transvase.exporters.cda.header import record_target
from transvase.formats.base64_deflate import packed
from transvase.model.record import ROW

CLOCK = datetime(2026, 9, 15, 10, 15, tzinfo=ZoneInfo("Europe/Paris"))
KINDS = ("text", "rtf", "cda", "same id", "lost", "empty", "damaged", "no body")


def row(table: str, **values: Any) -> Any:
    blank = dict.fromkeys(ROW[table]._fields)
    return ROW[table](**{**blank, "source_table": "t", "source_key": values["key"], **values})


PRACTICE = row("practice", key="1", name="Cabinet", struct_idnat="1990000000", oid="1.2.250.1.999.1.1", facility_type="SA08",
               practice_setting="AMBULATOIRE")  # fmt: skip
DOCTOR = row(
    "practitioner", key="1", idnat="899900000000", family="MIRABEL", given="Anne", specialty="G15_10/SM26", active=True
)
CTX = documents.context(PRACTICE, [DOCTOR], CLOCK, "Transvase 0")


def patient(key: str) -> Any:
    return row(
        "patient",
        key=key,
        birth_family="PAT",
        birth_given="ZOE",
        birth_first_given="ZOE",
        sex="F",
        birth_date="1979-03-28",
    )


def document(key: str) -> Any:
    return row("document", key=key, patient="1", practitioner="1", local_type="CR", type_code="11488-4", title="Compte rendu",
               origin="produced", act="2026-01-02T10:00:00", created="2026-01-02T10:05:00", fed_state="never")  # fmt: skip


def version(key: str, of: str, number: int | None, kind: str, body: bytes) -> Any:
    detected = {"cda": "cda", "same id": "cda", "rtf": "rtf", "empty": "empty"}.get(kind, "text")
    return row("document_version", key=key, document=of, patient="1", version=number, created="2026-01-02T10:05:00", detected=detected,
               sha256=None if kind == "no body" else hashlib.sha256(body).hexdigest(), size=len(body),
               damage="torn" if kind == "damaged" else None)  # fmt: skip


def _own() -> bytes:
    made = documents.compose(CTX, record_target(patient("1"), PRACTICE.oid, False), True, document("own"),
                             version("own", "own", 1, "text", b"x"), "1.2.250.1.999.1.1.9.77", "", b"Un texte", "DOC0001")  # fmt: skip
    assert made.form == "written"
    return made.data


OWN = _own()
BODIES = {
    "text": "Compte rendu dicté".encode(), "rtf": rb"{\rtf1 Bonjour}", "cda": OWN, "same id": OWN.replace(b"Compte rendu", b"Autre contenu"),
    "lost": b"nobody has it", "empty": b"", "damaged": b"half of", "no body": b"",
}  # fmt: skip
STORE = {hashlib.sha256(body).hexdigest(): body for kind, body in BODIES.items() if kind != "lost"}

records = st.lists(
    st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from((None, 0, 1, 2, 3))), max_size=4), max_size=7
)


def record(told: list[list[tuple[str, int | None]]]) -> dict[str, list[Any]]:
    return {
        "document": [document(f"d{i}") for i in range(len(told))],
        "document_version": [
            version(f"v{i}.{n}", f"d{i}", number, kind, BODIES[kind])
            for i, versions in enumerate(told)
            for n, (kind, number) in enumerate(versions)
        ],
    }


def building(key: str, told: list[list[tuple[str, int | None]]]) -> Any:
    return patient_archive.building(CTX, patient(key), record(told), False, True, STORE.get)


def one_by_one(key: str, told: list[list[tuple[str, int | None]]]) -> patient_archive.PatientArchive:
    together, patient_archive.ABREAST = patient_archive.ABREAST, 1
    try:
        return done(building(key, told))
    finally:
        patient_archive.ABREAST = together


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(records, min_size=1, max_size=4))
@example([[[("cda", 1), ("text", 2)], [("cda", 1), ("text", 2), ("text", 3)]]])
@example([[[("cda", 1)], [("same id", 1), ("text", 2)], [("same id", 1)]], [[("lost", 1), ("text", 2)], []]])
def test_an_archive_is_the_same_alone_and_beside_others(several):
    alone = [one_by_one(str(number), told) for number, told in enumerate(several)]
    beside = done(abreast([building(str(number), told) for number, told in enumerate(several)]))
    for mine, theirs in zip(alone, beside, strict=True):
        assert mine.lines == theirs.lines
        assert mine.data == theirs.data


def test_the_table_of_documents_holds_what_it_says():
    """So that the comparison above is one of all ways."""
    told = [
        [("cda", 1)],
        [("cda", 1), ("text", 2)],
        [("same id", 1), ("text", 2)],
        [("lost", 1)],
        [("empty", 1)],
        [],
        [("rtf", 1)],
    ]
    forms = [line.form for line in done(building("1", told)).lines]
    assert forms == ["carried", "repeated", "written", "written", "written", "absent", "absent", "absent", "written"]


def big(kind: str, number: int) -> tuple[Any, Any, bytes]:
    """A document of a PDF that does not shrink (made here, or a CDA that came whose base64 ends in bits without meaning), or a text."""
    body = b"Un texte" if kind == "text" else pdf_of(number)
    if kind == "cda":
        made = documents.compose(CTX, record_target(patient("1"), PRACTICE.oid, False), True, document(f"own{number}"),
                                 version(f"own{number}", f"own{number}", 1, "pdf", body), f"1.2.250.1.999.1.1.9.{number}", "", body, "X")  # fmt: skip
        before, _, after = made.data.rpartition(b"=</text>")
        last = before[-2:-1] if before.endswith(b"=") else before[-1:]
        # `Q==` and `R==` are the same byte.
        assert last in b"AQgwEIMUYcgkosw048"
        place = len(before) - (2 if before.endswith(b"=") else 1)
        body = before[:place] + bytes([last[0] + 1]) + before[place + 1 :] + b"=</text>" + after
    made_row = version(f"v{number}", f"d{number}", 1, kind, body)._replace(detected=kind)
    return document(f"d{number}"), made_row, body


def pdf_of(number: int) -> bytes:
    """No PDF for who looks closely: it is carried as it came."""
    noise = random.Random(number).randbytes(40_001)
    return b"%PDF-1.4\n" + noise


def test_documents_packed_by_the_context_are_the_same_documents():
    several = [big("pdf", 1), big("cda", 2), big("text", 3)]
    store = {hashlib.sha256(body).hexdigest(): body for _, _, body in several}
    rows = {"document": [d for d, _, _ in several], "document_version": [v for _, v, _ in several]}
    archives = []
    for packs in (None, packed):
        ctx = replace(CTX, packs=packs)
        one = patient_archive.build(ctx, patient("1"), rows, False, True, store.get)
        with zipfile.ZipFile(io.BytesIO(one.data)) as archive:
            archives.append({i.filename: (archive.read(i), i.compress_size) for i in archive.infolist()})
    plain, large = archives
    assert {name: data for name, (data, _) in plain.items()} == {name: data for name, (data, _) in large.items()}
    differ = {name for name in plain if plain[name][1] != large[name][1]}
    assert differ == {"IHE_XDM/SUBSET01/DOC0002.XML", "IHE_XDM/SUBSET01/DOC0004.XML"}, (
        "those written here, not the one that came"
    )

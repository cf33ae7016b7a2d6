"""A folder of FHIR NDJSON as a source: the practice's own rows written as FHIR come back, every cell is accounted for, hostile lines are
set aside, and the whole chain ends in an archive that verifies."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transvase.errors import SourceUnreadable
from transvase.exporters import portability
from transvase.exporters.fhir.bundle import document_bundle
from transvase.exporters.fhir.subject import resource_id
from transvase.model.codes.author_specialties import CODES as SPECIALTIES
from transvase.model.codes.facility_types import CODES as FACILITIES
from transvase.model.codes.type_codes import CODES as TYPES
from transvase.model.record import ROW
from transvase.model.tables import TABLES
from transvase.sources import mapping
from transvase.sources.connection import opened
from transvase.sources.engines import fhir_ndjson
from transvase.sources.extract import extract
from transvase.sources.synthetic.practice import generate
from transvase.validators.archive import verify
from transvase.validators.verdicts import judge

from .conftest import CLOCK, CONTACT, SOFTWARE

Folder = Callable[..., Path]
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


def resource(kind: str, id: str = "1", /, **elements: Any) -> dict[str, Any]:
    return {"resourceType": kind, "id": id, **elements}


PATIENT = resource("Patient", "p", name=[{"use": "official", "family": "PAT-UN"}], birthDate="1979-03-28")
SUBJECT = {"reference": "Patient/p"}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """`folder(lines…)` puts lines (texts, bytes or resources) in `a.ndjson` of a new folder."""

    def put(*lines: Any, name: str = "a.ndjson") -> Path:
        path = tmp_path / "export"
        path.mkdir(exist_ok=True)
        data = b"\n".join(
            x if isinstance(x, bytes) else x.encode() if isinstance(x, str) else orjson.dumps(x) for x in lines
        )
        (path / name).write_bytes(data + b"\n")
        return path

    return put


def extracted(path: Path, work: Path) -> dict[str, Any]:
    return extract(mapping.load("fhir"), path, work, clock=CLOCK)


def table(work: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(work / "canonical" / f"{name}.parquet").to_pylist()
    return rows


def account(manifest: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Cells of each source table, and those accounted for."""
    return {c["table"]: (c["source"], c["mapped"] + c["native"] + c["excluded"]) for c in manifest["cells"]}


# -- Our own FHIR comes back ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of a small practice."""
    root = tmp_path_factory.mktemp("origin")
    generate(root / "cabinet.sqlite3", patients=8, clock=CLOCK, document_size=500)
    extract(mapping.load("synthetic"), root / "cabinet.sqlite3", root / "work", clock=CLOCK)
    return root / "work"


def rows_of(work: Path, name: str) -> list[Any]:
    columns = [c.name for c in TABLES[name].columns]
    return [ROW[name]._make([row[c] for c in columns]) for row in table(work, name)]


@pytest.fixture(scope="module")
def export(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The resources of every patient as a Bulk Data export, and the patients' documents as attachments, Binary and files beside."""
    path = tmp_path_factory.mktemp("export") / "fhir"
    path.mkdir()
    rows = {name: rows_of(origin, name) for name in TABLES}
    (practice, *_) = rows["practice"]
    found: dict[str, dict[str, bytes]] = {}
    for patient in rows["patient"]:
        record = {
            n: [r for r in rows[n] if r.patient == patient.key]
            for n, t in TABLES.items()
            if t.of_patient and n != "patient"
        }
        bundle = document_bundle(
            record,
            practice=practice,
            practitioners={p.key: p for p in rows["practitioner"]},
            patient=patient,
            created="2026-11-23T20:00:00+01:00",
            identifier="1.2.250.1.999.9",
            qualified=True,
        )
        # Digits of the bundle go to the file as they are: what reads them for the test keeps their text.
        for entry in json.loads(bundle, parse_float=lambda digits: f"\x00{digits}\x00")["entry"]:
            one = entry["resource"]
            line = re.sub(r'"\\u0000([^"\\]*)\\u0000"', r"\1", json.dumps(one, ensure_ascii=False))
            found.setdefault(one["resourceType"], {})[one["id"]] = line.encode()
    bodies = {v.document: v for v in rows["document_version"] if v.sha256}
    for number, document in enumerate(d for d in rows["document"] if d.patient and d.key in bodies):
        version = bodies[document.key]
        data = (origin / "bodies" / version.sha256[:2] / version.sha256).read_bytes()
        attachment: dict[str, Any] = {"contentType": version.media_type or "application/octet-stream"}
        if number % 3 == 0:
            attachment["data"] = base64.b64encode(data).decode()
        elif number % 3 == 1:
            attachment["url"] = f"Binary/b{document.key}"
            binary = resource(
                "Binary", f"b{document.key}", contentType="text/plain", data=base64.b64encode(data).decode()
            )
            found.setdefault("Binary", {})[f"b{document.key}"] = orjson.dumps(binary)
        else:
            (path / "files").mkdir(exist_ok=True)
            (path / "files" / f"{document.key}.bin").write_bytes(data)
            attachment["url"] = f"files/{document.key}.bin"
        found.setdefault("DocumentReference", {})[document.key] = orjson.dumps(
            resource(
                "DocumentReference",
                document.key,
                status="current",
                type={"coding": [{"system": "http://loinc.org", "code": document.type_code or "LOCAL"}]},
                subject={"reference": f"urn:uuid:{resource_id(practice.oid, 'patient', document.patient)}"},
                description=document.title,
                content=[{"attachment": attachment}],
            )
        )
    for kind, lines in found.items():
        text = b"\n".join(lines.values()) + b"\n"
        if kind == "Observation":
            (path / f"{kind}.ndjson.gz").write_bytes(gzip.compress(text))
        else:
            (path / f"{kind}.ndjson").write_bytes(text)
    return path


@pytest.fixture(scope="module")
def work(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fhir") / "work"
    manifest = extracted(export, folder)
    assert all(source == known for source, known in account(manifest).values())
    assert not manifest["unreadable"]
    assert manifest["files"]["absent"] == 0 < manifest["files"]["read"]
    return folder


# What FHIR R4 has no element for, or says in words only: the dictionary of what an export in FHIR loses of a row.
LOST: dict[str, set[str]] = {
    "patient": {
        # Not in the Patient resource at all.
        *("dmp", "dmp_checked", "created", "important", "occupation", "sensitive_connection", "former_ins"),
        # A flag that says no, or that nothing says; the status says only yes.
        *(
            "insi_confirmed",
            "insi_date",
            "document_checked",
            "homonym",
            "doubtful",
            "fictitious",
            "birth_date_uncertain",
        ),
        # The matricule needs a known authority, sexes and deaths that are no date leave as unknown.
        *("ins", "ins_oid", "sex", "birth_date", "death_date"),
    },
    # Family history has no recorder, its dates are words.
    "problem": {"practitioner", "onset", "resolved", "recorded"},
    # A severity that is unknown is not said.
    "allergy": {"practitioner", "severity"},
    "treatment": {"practitioner", "long_term"},
    "risk_factor": set(),
    "immunization": {"practitioner", "system"},
    # The practice's measures have no encounter in our FHIR.
    "vital_sign": {"encounter"},
    # A result of no known state leaves as final.
    "lab_result": {"document", "status", "comment"},
}


@pytest.mark.parametrize("name", LOST)
def test_rows_come_back(origin: Path, work: Path, name: str) -> None:
    (practice, *_) = rows_of(origin, "practice")
    compared = [c.name for c in TABLES[name].own if c.name not in {"key", "patient", "attending", *LOST[name]}]

    def key(row: Any) -> str:
        return resource_id(practice.oid, "patient", row.key if name == "patient" else row.patient)

    # FHIR has no other space than the plain one.
    def plain(value: Any) -> Any:
        return re.sub(r"\s", " ", value) if isinstance(value, str) else value

    def said(row: Any) -> Any:
        # The absence of any allergy is coded in FHIR, whatever the record has.
        if name == "allergy" and row.label == "Aucune allergie connue":
            return row._replace(code="716186003", system="2.16.840.1.113883.6.96")
        return row

    before = Counter((key(r), *(plain(getattr(r, c)) for c in compared)) for r in map(said, rows_of(origin, name)))
    after = Counter(
        (r.key if name == "patient" else r.patient, *(plain(getattr(r, c)) for c in compared))
        for r in rows_of(work, name)
    )
    assert sum(before.values()) > 0
    assert after == before


def test_bodies_come_back_whatever_their_place(origin: Path, work: Path) -> None:
    held = {v.document: v.sha256 for v in rows_of(origin, "document_version") if v.sha256}
    back = {v.document: v.sha256 for v in rows_of(work, "document_version")}
    assert len(back) > 10
    assert back == {document: held[document] for document in back}


def test_the_chain_ends_in_an_archive_without_findings(work: Path, tmp_path: Path) -> None:
    judge(work, clock=CLOCK, environment="sandbox")
    job = portability.job_of(work, {"practice_setting": "AMBULATOIRE"}, CLOCK, SOFTWARE, None, "Europe/Paris")
    facts = portability.export(job, tmp_path, CONTACT, workers=1)
    assert facts["documents"] > 10
    assert verify(tmp_path / facts["archive"]).problems == []


def test_the_mapping_s_national_codes_are_the_model_s() -> None:
    codes = mapping.load("fhir").codes
    for name, known in (("specialties", SPECIALTIES), ("facilities", FACILITIES), ("document_types", TYPES)):
        assert [(local, code) for local, code, _ in codes[name]] == [(c, c) for c in known]


# -- Every element is data --------------------------------------------------------------------------------------------------------


def test_elements_and_types_that_the_mapping_does_not_name_are_native(folder: Folder, tmp_path: Path) -> None:
    path = folder(
        PATIENT | {"maritalStatus": {"text": "Marié"}, "multipleBirthInteger": 2},
        resource("Coverage", "c", status="active", beneficiary=SUBJECT, order=3),
        resource("Basic", "b", subject={"reference": "Patient/unknown"}),
    )
    manifest = extracted(path, tmp_path / "work")
    assert all(source == known for source, known in account(manifest).values())
    native = {n["key"]: (n["patient"], orjson.loads(n["content"])) for n in table(tmp_path / "work", "native")}
    assert native["Coverage:c"] == (
        "p",
        {"beneficiary": orjson.dumps(SUBJECT).decode(), "id": "c", "order": "3", "status": "active"},
    )
    assert native["Basic:b"][0] is None
    owner, kept = native["Patient:p"]
    assert owner == "p" and kept["maritalStatus"] == '{"text":"Marié"}' and kept["multipleBirthInteger"] == "2"
    assert "birthDate" not in kept


NUMBERS = (
    "1.10",
    "0.0",
    "-0",
    "-0.00",
    "1e3",
    "1E-10",
    "3.14159265358979323846",
    "123456789012345678901",
    "7",
    "100.000",
)


@pytest.mark.parametrize("digits", NUMBERS)
def test_numbers_keep_their_digits(folder: Folder, tmp_path: Path, digits: str) -> None:
    line = (
        '{"resourceType":"Observation","id":"o","status":"final","subject":{"reference":"Patient/p"},'
        '"category":[{"coding":[{"code":"laboratory"}]}],"code":{"text":"Glucose"},"effectiveDateTime":"2024-03-11",'
        f'"valueQuantity":{{"value":{digits},"unit":"g/L"}},"bare":{digits}}}'
    )
    extracted(folder(PATIENT, line), tmp_path / "work")
    (result,) = table(tmp_path / "work", "lab_result")
    assert result["value"] == digits
    (content,) = [
        orjson.loads(n["content"]) for n in table(tmp_path / "work", "native") if n["source_table"] == "Observation"
    ]
    assert content["valueQuantity"] == f'{{"value":{digits},"unit":"g/L"}}'
    assert content["bare"] == digits


MOMENTS = (
    ("2019", "2019"),
    ("2019-03", "2019-03"),
    ("2019-03-28", "2019-03-28"),
    ("2019-03-28T09:30:00+01:00", "2019-03-28T09:30:00"),
    ("2019-07-28T09:30:00Z", "2019-07-28T11:30:00"),
    ("2019-07-28T09:30:00.250-04:00", "2019-07-28T15:30:00"),
)


@pytest.mark.parametrize(("written", "local"), MOMENTS)
def test_instants_become_local_time(folder: Folder, tmp_path: Path, written: str, local: str) -> None:
    sign = resource(
        "Observation",
        status="final",
        category=[{"coding": [{"code": "vital-signs"}]}],
        code={"coding": [{"system": "http://loinc.org", "code": "29463-7"}], "text": "Poids"},
        subject=SUBJECT,
        effectiveDateTime=written,
        valueQuantity={"value": 70, "code": "kg"},
    )
    extracted(folder(PATIENT, sign), tmp_path / "work")
    assert [v["measured"] for v in table(tmp_path / "work", "vital_sign")] == [local]


@pytest.mark.parametrize(
    "reference", ["Patient/p", "https://serveur.invalid/fhir/Patient/p", "urn:uuid:p", "Patient/p/_history/2"]
)
def test_references_lead_to_the_id_whatever_their_form(folder: Folder, tmp_path: Path, reference: str) -> None:
    refuted = {"coding": [{"code": "refuted"}]}
    condition = resource(
        "Condition", subject={"reference": reference}, code={"text": "Asthme"}, verificationStatus=refuted
    )
    extracted(folder(PATIENT, condition), tmp_path / "work")
    (problem,) = table(tmp_path / "work", "problem")
    assert (problem["patient"], problem["assertion"], problem["label"]) == ("p", "denied", "Asthme")


def test_a_request_for_each_line_is_one_prescription(folder: Folder, tmp_path: Path) -> None:
    def request(id: str, **more: Any) -> dict[str, Any]:
        return resource(
            "MedicationRequest", id, status="active", intent="order", subject=SUBJECT, authoredOn="2024-03-11", **more
        )

    group = {"system": "urn:x", "value": "G"}
    path = folder(
        PATIENT,
        resource("Medication", "m", code={"coding": [{"code": "3400930000001"}], "text": "AMLODIPINE 5 mg"}),
        request("a", groupIdentifier=group, medicationReference={"reference": "Medication/m"}),
        request(
            "b",
            groupIdentifier=group,
            medicationCodeableConcept={"text": "PARACETAMOL"},
            dosageInstruction=[{"text": "3 par jour"}],
        ),
        request("c", medicationCodeableConcept={"text": "SEUL"}),
        request("d", medicationCodeableConcept={"text": "ERREUR"}) | {"status": "entered-in-error"},
    )
    manifest = extracted(path, tmp_path / "work")
    assert manifest["rows"]["prescription"] == 2
    lines = {
        r["key"]: (r["prescription"], r["label"], r["dosage"]) for r in table(tmp_path / "work", "prescription_line")
    }
    assert lines == {
        "a": ("group-p-G", "AMLODIPINE 5 mg", None),
        "b": ("group-p-G", "PARACETAMOL", "3 par jour"),
        "c": ("c", "SEUL", None),
    }
    assert {"MedicationRequest:d", "Medication:m"} <= {n["key"] for n in table(tmp_path / "work", "native")}


def reference(id: str, data: bytes, **more: Any) -> dict[str, Any]:
    attachment = {"contentType": "application/pdf", "data": base64.b64encode(data).decode()}
    return resource(
        "DocumentReference", id, status="current", subject=SUBJECT, content=[{"attachment": attachment}], **more
    )


def replaces(id: str) -> list[dict[str, Any]]:
    return [{"code": "replaces", "target": {"reference": f"DocumentReference/{id}"}}]


def test_what_is_replaced_is_an_earlier_version(folder: Folder, tmp_path: Path) -> None:
    path = folder(
        PATIENT,
        reference("new", PDF + b"3", relatesTo=replaces("middle")),
        reference("middle", PDF + b"2", relatesTo=replaces("old")),
        reference("old", PDF + b"1"),
        reference("circle", PDF + b"4", relatesTo=replaces("round")),
        reference("round", PDF + b"5", relatesTo=replaces("circle")),
    )
    extracted(path, tmp_path / "work")
    assert [d["key"] for d in table(tmp_path / "work", "document")] == ["new"]
    versions = sorted(table(tmp_path / "work", "document_version"), key=lambda v: v["version"])
    assert [v["source_key"] for v in versions] == ["old", "middle", "new"]
    # Those that replace each other are in no document: they leave whole, content included, with their patient.
    native = {n["key"]: n for n in table(tmp_path / "work", "native")}
    assert base64.b64encode(PDF + b"4").decode() in native["DocumentReference:circle"]["content"]
    assert native["DocumentReference:circle"]["patient"] == "p"


@pytest.mark.parametrize(
    ("more", "origin"),
    [
        ({}, "received"),
        ({"custodian": {"reference": "Organization/here"}}, "produced"),
        ({"custodian": {"reference": "Organization/there"}}, "received"),
        ({"author": [{"reference": "Patient/p"}], "custodian": {"reference": "Organization/here"}}, "patient"),
    ],
)
def test_only_what_the_practice_keeps_is_its_own(
    folder: Folder, tmp_path: Path, more: dict[str, Any], origin: str
) -> None:
    path = folder(
        PATIENT | {"managingOrganization": {"reference": "Organization/here"}},
        resource("Organization", "here", name="Cabinet"),
        resource("Organization", "there", name="Clinique"),
        reference("d", PDF, **more),
    )
    extracted(path, tmp_path / "work")
    assert [p["key"] for p in table(tmp_path / "work", "practice")] == ["here"]
    (document,) = table(tmp_path / "work", "document")
    assert (document["origin"], document["fed_state"]) == (origin, "unknown")


# -- Hostile lines ----------------------------------------------------------------------------------------------------------------

GOOD = '{"resourceType":"Patient","id":"p","name":[{"family":"PAT-UN"}]}'
BAD: dict[str, str | bytes] = {
    "no JSON": "{",
    "two values": '{"resourceType":"Patient","id":"q"} {}',
    "not an object": '["Patient"]',
    "a scalar": "12",
    "no type": '{"id":"q"}',
    "a type of another form": '{"resourceType":"../etc","id":"q"}',
    "a type that differs by its case": '{"resourceType":"PATIENT","id":"q"}',
    "no id": '{"resourceType":"Patient"}',
    "an id that is no text": '{"resourceType":"Patient","id":7}',
    "a name twice": '{"resourceType":"Patient","id":"q","gender":"male","gender":"female"}',
    "not a number": '{"resourceType":"Patient","id":"q","x":NaN}',
    "half a character": '{"resourceType":"Patient","id":"q","x":"\\ud800"}',
    "half a character inside": '{"resourceType":"Patient","id":"q","x":["\\ud800"]}',
    "half a character in content": '{"resourceType":"Binary","id":"q","data":"\\ud800"}',
    "nested beyond reason": '{"resourceType":"Patient","id":"q","x":' + "[" * 100_000 + "]" * 100_000 + "}",
    "nested": '{"resourceType":"Patient","id":"q","x":' + "[" * 400 + "]" * 400 + "}",
    "not UTF-8": b'{"resourceType":"Patient","id":"q","x":"\xe9"}',
    "UTF-16": '{"resourceType":"Patient","id":"q"}'.encode("utf-16-le"),
    "a mark of ours": '{"resourceType":"Patient","id":"q","x":"\ufdd11.10"}',
    "a mark of ours, escaped": '{"resourceType":"Patient","id":"q","x":"\\uFDD0"}',
    "an element of another form": '{"resourceType":"Patient","id":"q","a;b":1}',
    "a shape that FHIR does not give": '{"resourceType":"Patient","id":"q","name":"PAT-UN"}',
    "a list in place of a text": '{"resourceType":"Patient","id":"q","birthDate":["2019"]}',
    "elements that differ by their case": '{"resourceType":"Patient","id":"q","aB":1,"ab":2}',
    "an id seen already": '{"resourceType":"Patient","id":"p","gender":"male"}',
    "too many elements": json.dumps({"resourceType": "Patient", "id": "q"} | {f"x{n}": n for n in range(600)}),
}


@pytest.fixture(scope="module")
def aside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """All bad lines between two good ones: what native holds of each, by its number."""
    path = tmp_path_factory.mktemp("bad")
    after = orjson.dumps(resource("Condition", subject=SUBJECT, code={"text": "Asthme"}))
    bad = [x if isinstance(x, bytes) else x.encode() for x in BAD.values()]
    (path / "a.ndjson").write_bytes(b"\n".join([GOOD.encode(), *bad, after]))
    manifest = extracted(path, path / "work")
    assert all(source == known for source, known in account(manifest).values())
    assert (manifest["rows"]["patient"], manifest["rows"]["problem"]) == (1, 1)
    lines = [n for n in table(path / "work", "native") if n["source_table"] == fhir_ndjson.ASIDE]
    return {(found := orjson.loads(n["content"]))["line"]: found for n in lines}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_set_aside_whole_and_the_rest_goes_on(aside: dict[str, dict[str, str]], name: str) -> None:
    bad = BAD[name]
    content = aside[str(list(BAD).index(name) + 2)]
    assert content["file"] == "a.ndjson"
    # Whole in native, and never in a message.
    assert content["content"] == (bad if isinstance(bad, str) else bad.decode("cp1252").strip())
    assert "PAT-UN" not in content["reason"]


def test_a_line_too_long_is_set_aside_without_being_held(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fhir_ndjson, "LINE", 100)
    path = folder(GOOD, json.dumps(resource("Patient", "q", x="y" * 5000)), resource("Patient", "r"))
    manifest = extracted(path, tmp_path / "work")
    assert manifest["rows"]["patient"] == 2
    with opened("fhir", path, "", tmp_path) as view:
        assert view.unread == ["a.ndjson, line 2: the line is longer than 100 bytes."]


def test_a_compressed_file_that_breaks_off_gives_what_precedes(folder: Folder, tmp_path: Path) -> None:
    path = folder(GOOD)
    whole = gzip.compress(
        b"\n".join(
            orjson.dumps(resource("Condition", str(n), subject=SUBJECT, code={"text": "x"})) for n in range(5000)
        )
    )
    (path / "b.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    manifest = extracted(path, tmp_path / "work")
    assert 0 < manifest["rows"]["problem"] < 5000
    assert [c["rows"] for c in manifest["cells"] if c["table"] == fhir_ndjson.ASIDE] == [1]


def test_content_that_is_no_base64_stays_as_it_is(folder: Folder, tmp_path: Path) -> None:
    bad = reference("d", b"")
    bad["content"][0]["attachment"]["data"] = 'pas du "base64" é'
    extracted(folder(PATIENT, bad), tmp_path / "work")
    (version,) = table(tmp_path / "work", "document_version")
    stored = tmp_path / "work" / "bodies" / version["sha256"][:2] / version["sha256"]
    assert stored.read_bytes() == 'pas du "base64" é'.encode()


def test_a_file_outside_the_folder_is_never_read(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(PDF)
    bad = reference("d", b"")
    bad["content"][0]["attachment"] = {"url": "../secret"}
    manifest = extracted(folder(PATIENT, bad), tmp_path / "work")
    assert manifest["files"] == {"named": 1, "read": 0, "absent": 1}


def test_a_folder_without_a_resource_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable):
        extracted(tmp_path, tmp_path / "work")


TREE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufdd0\ufdd1"), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("a", "data", "code", "é")), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(elements=st.dictionaries(st.sampled_from(("name", "identifier", "zz", "subject", "content")), TREE, max_size=4))
def test_any_element_comes_out_as_it_went_in(
    elements: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any")
    (path / "a.ndjson").write_bytes(orjson.dumps(resource("Basic", **elements), option=orjson.OPT_PASSTHROUGH_SUBCLASS))
    with opened("fhir", path, "", tmp_path_factory.mktemp("scratch"), named={"Other": {"x": "list"}}) as view:
        names = [c.name for c in view.tables()["Basic"]]
        ((_, *cells),) = [row for rows in view.rows("Basic", names, 10).batches for row in rows]
    expected = {"id": "1"} | {n: v for n, v in elements.items() if v is not None}
    assert set(names) == set(expected)
    for name, cell in zip(names, cells, strict=True):
        value = expected[name]
        shown = str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else value
        assert (cell if isinstance(value, (str, bool, int)) else orjson.loads(cell)) == shown

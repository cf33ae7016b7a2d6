"""The portability archive of an invented practice, read by other means than ours, requirement by requirement."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import icalendar
import jsonschema_rs
import pyarrow.parquet as pq
import pytest
from lxml import etree

from transvase.exporters.manifest import Inner, manifest
from transvase.formats import cda, xdm
from transvase.model.record import ROW
from transvase.model.request import EVERYTHING
from transvase.model.tables import TABLES

ROOT = Path(__file__).parents[2]
M = "{urn:transvase:portability:manifest:1}"
R = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"
SUBSET = "IHE_XDM/SUBSET01/"
SCHEMES = {
    "author": "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d",
    "class": "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
    "type": "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983",
    "confidentiality": "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f",
    "format": "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d",
    "facility": "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
    "practice setting": "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead",
    "patientID": "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
    "uniqueId": "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab",
}
SLOTS = (
    "hash", "size", "URI", "creationTime", "languageCode", "legalAuthenticator", "repositoryUniqueId", "serviceStartTime",
    "sourcePatientId", "sourcePatientInfo",
)  # fmt: skip


@pytest.fixture(scope="module")
def dossiers(practice) -> dict[str, dict[str, bytes]]:
    """Every patient archive: file name to bytes."""
    return {name: practice.inner(name) for name in practice.patients}


@pytest.fixture(scope="module")
def data(dossiers) -> dict[str, dict[str, Any]]:
    return {name: json.loads(files["DONNEES.JSON"]) for name, files in dossiers.items()}


@pytest.fixture(scope="module")
def transverse(practice) -> dict[str, bytes]:
    return practice.inner("TRANSVERSE.ZIP")


@pytest.fixture(scope="module")
def lines(practice) -> dict[str, etree._Element]:
    root = etree.fromstring(practice.members["MANIFEST.XML"])
    return {line.findtext(f"{M}archiveid"): line for line in root.iter(f"{M}Archive")}


def rows(practice, table: str) -> list[dict[str, Any]]:
    """The canonical rows as extracted, without the slot that orders them."""
    found = pq.read_table(practice.work / "canonical" / f"{table}.parquet").to_pylist()
    return [{k: v for k, v in row.items() if k != "slot"} for row in found]


def entries(files: dict[str, bytes]) -> Iterator[tuple[etree._Element, dict[str, list[str]]]]:
    """(ExtrinsicObject, slot name to values) of METADATA.XML, without our reader."""
    for node in etree.fromstring(files[f"{SUBSET}METADATA.XML"]).iter(f"{R}ExtrinsicObject"):
        yield node, {s.get("name"): [v.text for v in s.iter(f"{R}Value")] for s in node.findall(f"{R}Slot")}


def coded(node: etree._Element, what: str) -> list[etree._Element]:
    return [c for c in node.findall(f"{R}Classification") if c.get("classificationScheme") == SCHEMES[what]]


# -- D. Container -------------------------------------------------------------------------------------------------------------


def test_port_45_the_outer_zip_is_a_collection_of_archives_and_no_xdm(practice):
    assert re.fullmatch(r"PA20261123T200000\.ZIP", practice.path.name)
    top = [n for n in practice.members if "/" not in n]
    assert top == ["README.TXT", "MANIFEST.XML", "TRANSVERSE.ZIP", *practice.patients]
    assert {n.split("/")[0] for n in practice.members if "/" in n} == {"DOCUMENTATION"}
    assert not any(n.startswith("IHE_XDM") or n == "INDEX.HTM" for n in practice.members)


@pytest.mark.requirement("XDM-01")
def test_port_45_each_patient_archive_stands_alone_as_valid_xdm(practice):
    for name in practice.patients:
        assert xdm.problems(io.BytesIO(practice.members[name])) == []


def test_port_46_patients_are_counted_from_00001_without_a_gap(practice):
    assert practice.patients == [f"PAT{n:05d}.ZIP" for n in range(1, practice.facts["patients"] + 1)]
    assert practice.facts["patients"] == len(rows(practice, "patient")) == 31


def test_port_47_exactly_one_subset_with_one_metadata(dossiers):
    for files in dossiers.values():
        assert {n.split("/")[1] for n in files if n.startswith("IHE_XDM/") and n.count("/") > 1} == {"SUBSET01"}
        assert [n for n in files if n.endswith("METADATA.XML")] == [f"{SUBSET}METADATA.XML"]


def test_port_48_names_inside_the_xdm_part_are_8_3_upper_case(dossiers):
    for files in dossiers.values():
        for name in files:
            if name.startswith("IHE_XDM/"):
                for step in name.removesuffix("/").split("/"):
                    assert re.fullmatch(r"[A-Z0-9_]{1,8}(\.[A-Z0-9_]{1,3})?", step)


def test_port_49_the_original_file_name_is_kept_in_the_metadata(practice, dossiers, data):
    """In a slot of ours: the display name of the type is the label of the type (PORT-50)."""
    filed = {v["key"]: v["file_name"] for v in rows(practice, "document_version")}
    seen = 0
    for name, files in dossiers.items():
        written = {slots["URI"][0]: slots.get("urn:transvase:originalFileName") for _, slots in entries(files)}
        for line in data[name]["documents"]:
            if line["form"] in ("carried", "written", "plain") and filed[line["version"]]:
                assert written[line["uri"]] == [filed[line["version"]].replace("\x01", "\ufffd")]
                seen += 1
    assert seen > 20


def test_port_50_pdf_names_give_day_type_birth_name_and_given_name(dossiers, data):
    for name, files in dossiers.items():
        person = data[name]["patient"]
        family = (person["birth_family"] or person["used_family"] or "").upper()
        expected = []
        for node, slots in entries(files):
            (kind,) = coded(node, "type")
            label = kind.find(f"{R}Name/{R}LocalizedString").get("value")
            day = slots.get("serviceStartTime", slots["creationTime"])[0][:8]
            expected.append(f"PDF/{day}_{portable(label)}_{portable(family)}_")
        for wanted, path in zip(expected, [n for n in files if n.startswith("PDF/")], strict=True):
            assert path.startswith(wanted)
            assert re.fullmatch(r"[^_/]+(_\d{4})?\.pdf", path[len(wanted) :])


def portable(text: str) -> str:
    """What every file system takes of a text: 40 characters, none of them reserved, no space or dot at an end."""
    return re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]+', "-", text)[:40].strip(" .") or "-"


def test_port_51_pdf_holds_one_copy_of_each_document_and_no_two_share_a_name(dossiers):
    for files in dossiers.values():
        copies = [n for n in files if n.startswith("PDF/")]
        documents = [n for n in files if re.fullmatch(rf"{SUBSET}DOC\d+\.(XML|PDF)", n)]
        assert len(copies) == len(documents) == sum(1 for _ in entries(files))
        assert len({n.casefold() for n in copies}) == len(copies)
        assert all(files[n].startswith(b"%PDF-") for n in copies)


def test_port_51_a_pdf_that_a_cda_embeds_is_its_copy(dossiers):
    """The pair follows from the order: the nth copy is that of the nth document."""
    pairs = 0
    for files in dossiers.values():
        copies = [files[n] for n in files if n.startswith("PDF/")]
        documents = [files[n] for n in files if re.fullmatch(rf"{SUBSET}DOC\d+\.(XML|PDF)", n)]
        for document, copy in zip(documents, copies, strict=True):
            embedded = document if document.startswith(b"%PDF-") else cda.embedded_pdf(cda.parse(document))
            if embedded is not None:
                assert embedded == copy
                pairs += 1
    assert pairs > 50


def test_port_52_the_synthesis_is_the_first_document_of_each_patient(dossiers):
    for files in dossiers.values():
        node, slots = next(entries(files))
        assert [c.get("nodeRepresentation") for c in coded(node, "type")] == ["SYNTH"]
        assert slots["URI"][0] in ("DOC0001.XML", "DOC0001.PDF")


@pytest.mark.requirement("XDM-04")
def test_port_53_index_is_xhtml_naming_the_issuer_and_linking_the_readme(practice, dossiers):
    structure = rows(practice, "practice")[0]
    for files in dossiers.values():
        page = etree.fromstring(files["INDEX.HTM"])
        assert page.tag == "{http://www.w3.org/1999/xhtml}html"
        text = "".join(page.itertext())
        assert structure["name"] in text
        assert structure["struct_idnat"] in text
        assert [a.get("href") for a in page.iter("{*}a")] == ["README.TXT"]


@pytest.mark.requirement("XDM-04")
def test_port_54_readme_is_ascii_with_crlf_at_the_three_levels(practice, dossiers, transverse):
    levels = [practice.members["README.TXT"], transverse["README.TXT"], *(f["README.TXT"] for f in dossiers.values())]
    structure = rows(practice, "practice")[0]
    for text in levels:
        assert text.isascii()
        assert text.endswith(b"\r\n")
        assert text.count(b"\n") == text.count(b"\r") == text.count(b"\r\n")
        assert all(32 <= c < 127 for line in text.split(b"\r\n") for c in line)
        for needed in (structure["struct_idnat"], "Transvase", "0.1.0", "Instructions"):
            assert needed.encode() in text


@pytest.mark.parametrize("where", ["README.TXT", "MANIFEST.XML"])
def test_port_04_the_portability_contact_is_published(practice, where):
    text = practice.members[where].decode()
    for value in ("Contact Portabilit", "portabilite@cabinet.invalid", "+33300000099"):
        assert value in text


# -- E. Manifest --------------------------------------------------------------------------------------------------------------


def test_port_64_the_manifest_is_valid_against_the_schema_that_travels_with_it(practice):
    carried = practice.members["DOCUMENTATION/MANIFEST.XSD"]
    assert carried == (ROOT / "exporters" / "manifest.xsd").read_bytes()
    schema = etree.XMLSchema(etree.fromstring(carried))
    assert schema.validate(etree.fromstring(practice.members["MANIFEST.XML"])), schema.error_log


def test_section_e_the_head_of_the_manifest(practice):
    root = etree.fromstring(practice.members["MANIFEST.XML"])
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", root.findtext(f"{M}exportId"))
    assert root.findtext(f"{M}exportType") == "MASSIF"
    assert root.findtext(f"{M}exportStatus") == "COMPLETE"
    assert "^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^" in root.findtext(f"{M}author/{M}vendor/{M}institution")


def test_port_60_patient_id_if_and_only_if_the_archive_is_of_a_patient(lines):
    for name, line in lines.items():
        patient = name.startswith("PAT")
        assert line.findtext(f"{M}type") == ("PATIENT" if patient else "TRANSVERSE")
        assert (line.find(f"{M}patientId") is not None) is patient


def test_port_61_patient_id_is_cx_national_only_when_the_identity_is_qualified(practice, lines, data):
    states = dict(
        duckdb.sql(f"SELECT patient, qualified FROM '{practice.work}/verdicts/identities.parquet'").fetchall()
    )
    kinds = Counter()
    for name, line in lines.items():
        if not name.startswith("PAT"):
            continue
        person = data[name]["patient"]
        cx = line.findtext(f"{M}patientId")
        if states[person["key"]]:
            assert cx == f"{person['ins']}^^^&{person['ins_oid']}&ISO^NH"
        else:
            assert re.fullmatch(rf"{person['key']}\^\^\^&[0-9.]+&ISO\^PI", cx)
        kinds[cx[-2:]] += 1
    assert kinds["NH"] > 5
    assert kinds["PI"] > 3


def test_port_62_hash_and_size_are_those_of_the_inner_zip(practice, lines):
    for name, line in lines.items():
        assert line.findtext(f"{M}hash") == hashlib.sha256(practice.members[name]).hexdigest()
        assert int(line.findtext(f"{M}size")) == len(practice.members[name])


def test_port_63_counts_equal_the_lines_and_the_files(practice, lines):
    root = etree.fromstring(practice.members["MANIFEST.XML"])
    assert int(root.findtext(f"{M}statistics/{M}patientArchiveCount")) == len(practice.patients)
    assert int(root.findtext(f"{M}statistics/{M}transverseArchiveCount")) == 1
    assert set(lines) == {*practice.patients, "TRANSVERSE.ZIP"}
    assert len(lines) == len(list(root.iter(f"{M}Archive")))


def test_a_manifest_with_hostile_names_is_still_valid():
    """Names of a practice come from its database: markup, quotes and control characters do not break the XML."""
    values = dict.fromkeys(ROW["practice"]._fields) | {"key": "1", "oid": "1.2.3", "name": 'A & <B> "c" \x01\x0b'}
    contact = {"name": "]]>", "email": "<!--", "phone": "&amp;"}
    text = b"".join(manifest(ROW["practice"](**values), contact, "T 1", datetime(2026, 11, 23, 20, tzinfo=UTC), EVERYTHING, "COMPLETE",
                             [Inner("PAT00001.ZIP", "1^^^&1.2&ISO^PI", 1, "0" * 64)], 1))  # fmt: skip
    etree.XMLSchema(etree.parse(ROOT / "exporters" / "manifest.xsd")).assertValid(etree.fromstring(text))


def test_the_digest_beside_the_archive_is_that_of_the_file(practice):
    beside = practice.path.with_name(practice.path.name + ".sha256").read_text()
    assert beside == f"{hashlib.sha256(practice.path.read_bytes()).hexdigest()}  {practice.path.name}\n"
    assert practice.facts["sha256"] == beside.split()[0]


# -- F. Metadata --------------------------------------------------------------------------------------------------------------


def test_port_70_every_mandatory_attribute_of_a_document_is_there(dossiers):
    seen = 0
    for files in dossiers.values():
        for node, slots in entries(files):
            assert {s for s in SLOTS if not all(slots.get(s, [""]))} == set()
            assert slots["languageCode"] == ["fr-FR"]
            assert node.get("id").startswith("urn:uuid:")
            assert node.get("lid").startswith("urn:uuid:")
            assert node.get("mimeType") in ("text/xml", "application/xslt+xml", "application/pdf")
            assert node.get("status") == "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
            assert node.find(f"{R}Name/{R}LocalizedString").get("value")
            assert coded(node, "author")
            for one in ("class", "type", "format", "facility", "practice setting"):
                assert [bool(c.get("nodeRepresentation")) for c in coded(node, one)] == [True], one
            codes = [c.get("nodeRepresentation") for c in coded(node, "confidentiality")]
            assert codes[0] == "N"
            assert 1 <= len(codes) <= 4
            ids = {e.get("identificationScheme"): e.get("value") for e in node.findall(f"{R}ExternalIdentifier")}
            assert ids[SCHEMES["patientID"]]
            assert ids[SCHEMES["uniqueId"]]
            seen += 1
    assert seen > 100


def test_port_71_class_follows_from_type_and_codes_are_of_their_sets(dossiers):
    from transvase.model.codes.class_codes import CODES as CLASSES
    from transvase.model.codes.facility_types import CODES as FACILITIES
    from transvase.model.codes.type_codes import CODES as TYPES

    for files in dossiers.values():
        for node, _ in entries(files):
            ((kind,), (group,), (facility,)) = (coded(node, w) for w in ("type", "class", "facility"))
            known = TYPES[kind.get("nodeRepresentation")]
            assert group.get("nodeRepresentation") in CLASSES
            assert known.class_code in ("", group.get("nodeRepresentation"))
            assert facility.get("nodeRepresentation") in FACILITIES


@pytest.mark.requirement("XDM-06")
def test_port_72_and_73_hash_is_sha1_size_is_bytes_uri_is_the_file(dossiers):
    for files in dossiers.values():
        named = set()
        for _, slots in entries(files):
            body = files[SUBSET + slots["URI"][0]]
            assert slots["hash"] == [hashlib.sha1(body).hexdigest().upper()]
            assert slots["size"] == [str(len(body))]
            named.add(slots["URI"][0])
        assert named == {n.removeprefix(SUBSET) for n in files if re.fullmatch(rf"{SUBSET}DOC.+", n)}


def test_port_74_one_patient_id_per_archive_and_the_local_number_as_source(lines, dossiers, data):
    for name, files in dossiers.items():
        cx = lines[name].findtext(f"{M}patientId")
        for node, _ in entries(files):
            ids = {e.get("identificationScheme"): e.get("value") for e in node.findall(f"{R}ExternalIdentifier")}
            assert ids[SCHEMES["patientID"]] == cx
        _, first = next(entries(files))
        assert first["sourcePatientId"][0].startswith(f"{data[name]['patient']['key']}^^^&")
        assert first["sourcePatientId"][0].endswith("&ISO^PI")


def test_port_37_and_75_a_cda_of_its_own_leaves_byte_for_byte(practice, dossiers, data):
    kept = {v["key"]: v["sha256"] for v in rows(practice, "document_version")}
    carried = 0
    for name, files in dossiers.items():
        for line in data[name]["documents"]:
            if line["form"] == "carried":
                assert hashlib.sha256(files[SUBSET + line["uri"]]).hexdigest() == kept[line["version"]]
                carried += 1
    assert carried >= 10


def test_port_36_what_is_standard_at_the_source_leaves_in_that_standard(practice, dossiers, data, transverse):
    """A PDF stays the PDF that it was, inside its CDA or, when it was put in PDF/A-1, beside it; agenda and traces take the standards
    that the guide prefers."""
    kept = {v["key"]: (v["detected"], v["sha256"]) for v in rows(practice, "document_version")}
    seen = set()
    for name, files in dossiers.items():
        for line in data[name]["documents"]:
            detected, digest = kept.get(line["version"], ("", ""))
            if detected != "pdf" or line["form"] != "written":
                continue
            body = etree.fromstring(files[SUBSET + line["uri"]]).find(".//{*}nonXMLBody/{*}text")
            held = [base64.b64decode(body.text)]
            held += [d for n, d in files.items() if n == f"ORIGINAUX/{line['uri'].removesuffix('.XML')}.PDF"]
            assert digest in {hashlib.sha256(d).hexdigest() for d in held}, line["uri"]
            assert (len(held) == 1) is (line["rung"] in ("untouched", "carried"))
            seen.add(line["rung"])
    assert seen
    assert transverse["TRANSVERSE/AGENDA.ICS"].startswith(b"BEGIN:VCALENDAR\r\nVERSION:2.0")
    assert all(line.startswith(b"<86>1 ") for line in transverse["TRANSVERSE/ACCES.LOG"].splitlines())


# -- C and G. Data, transverse part, documentation --------------------------------------------------------------------------------


def test_port_86_every_donnees_json_is_valid_against_the_schema_of_documentation(practice, data):
    schema = json.loads(practice.members["DOCUMENTATION/DONNEES.SCHEMA.JSON"])
    check = jsonschema_rs.validator_for(schema)
    for content in data.values():
        assert [str(e.instance_path) for e in check.iter_errors(content)] == []


def test_the_schema_of_donnees_json_refuses_what_it_does_not_name(practice, data):
    check = jsonschema_rs.validator_for(json.loads(practice.members["DOCUMENTATION/DONNEES.SCHEMA.JSON"]))
    good = next(iter(data.values()))
    for bad in (
        {**good, "version": 2},
        {**good, "more": 1},
        {**good, "patient": {**good["patient"], "key": None}},
        {**good, "patient": {**good["patient"], "sex": "X"}},
        {**good, "tables": {**good["tables"], "unknown": []}},
        {**good, "documents": [{"form": "lost"}]},
        {k: v for k, v in good.items() if k != "documents"},
    ):
        assert not check.is_valid(bad)


# Tables of the practice whose rows may name a patient: whole in TRANSVERSE, and again in the record of their patient.
OF_BOTH = ("correspondent", "billing", "native")


def frozen(found: list[dict[str, Any]]) -> Counter[str]:
    return Counter(json.dumps(r, sort_keys=True) for r in found)


@pytest.mark.parametrize("table", [t for t in TABLES if TABLES[t].of_patient])
def test_port_20_every_row_of_a_patient_is_in_exactly_one_place(practice, data, transverse, table):
    """Rows of patients in one DONNEES.JSON, rows without a known patient in TRANSVERSE: together, all of them, once."""
    found: list[dict[str, Any]] = []
    for content in data.values():
        mine = [content["patient"]] if table == "patient" else content["tables"].get(table, [])
        owner = "key" if table == "patient" else "patient"
        assert {r[owner] for r in mine} <= {content["patient"]["key"]}
        found += mine
    known = {c["patient"]["key"] for c in data.values()}
    strays = jsonl(transverse, f"ORPHELIN/{table.upper()}.JSONL")
    assert not {r["patient"] for r in strays} & known
    if table in OF_BOTH:
        strays = [r for r in jsonl(transverse, f"{table.upper()}.JSONL") if r["patient"] not in known]
    assert frozen(found + strays) == frozen(rows(practice, table))
    assert (
        len(found) + len(strays)
        == json.loads((practice.work / "canonical/extraction.json").read_bytes())["rows"][table]
    )


@pytest.mark.parametrize("table", ["practice", "practitioner", "correspondent", "billing", "native"])
def test_port_20_every_row_of_the_practice_is_in_transverse(practice, transverse, table):
    assert frozen(jsonl(transverse, f"{table.upper()}.JSONL")) == frozen(rows(practice, table))


def jsonl(transverse: dict[str, bytes], name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in transverse.get(f"TRANSVERSE/{name}", b"").splitlines()]


def test_every_table_is_covered_by_one_of_the_two_tests_above():
    assert {t for t in TABLES if not TABLES[t].of_patient} <= {"practice", "practitioner", "correspondent"}


def test_port_27_every_body_of_the_store_is_in_the_archive_byte_for_byte(practice, dossiers, transverse):
    held = Counter()
    for files in (*dossiers.values(), transverse):
        for name, body in files.items():
            if re.match(r"IHE_XDM/SUBSET01/DOC|PDF/|ORIGINAUX/|TRANSVERSE/ORPHELIN/DOC", name):
                held[hashlib.sha256(body).hexdigest()] += 1
    store = {p.name for p in (practice.work / "bodies").glob("*/*")}
    # Nothing to carry in a body of no byte; the row that names it says so (form absent).
    store.discard(hashlib.sha256(b"").hexdigest())
    assert len(store) > 50
    assert store - set(held) == set()


def test_every_version_of_a_document_says_what_became_of_it(practice, data):
    for content in data.values():
        versions = {v["key"] for v in content["tables"].get("document_version", [])}
        assert {line["version"] for line in content["documents"] if line["version"]} == versions
        assert {line["document"] for line in content["documents"]} == {
            d["key"] for d in content["tables"].get("document", [])
        }
    forms = Counter(line["form"] for c in data.values() for line in c["documents"])
    assert dict(sorted(forms.items())) == practice.facts["forms"]


def test_port_26_negative_and_missing_stay_apart(practice, data):
    said = Counter(
        r["assertion"] for c in data.values() for t in ("problem", "allergy") for r in c["tables"].get(t, [])
    )
    expected = Counter(r["assertion"] for t in ("problem", "allergy") for r in rows(practice, t))
    assert said == expected
    assert said["denied"] > 0


def test_port_35_the_agenda_is_read_by_a_calendar_library(practice, transverse):
    text = transverse["TRANSVERSE/AGENDA.ICS"]
    assert text.count(b"\n") == text.count(b"\r") == text.count(b"\r\n")
    assert all(len(line) <= 75 for line in text.split(b"\r\n"))
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text)
    events = list(icalendar.Calendar.from_ical(text).walk("VEVENT"))
    # Three have no start that exists: their rows alone leave, the test of rows finds them.
    dateless = ("Jour qui n'existe pas", "Sans date")
    appointments = [a for a in rows(practice, "appointment") if a["start"] and a["label"] not in dateless]
    assert len(events) == len({str(e["UID"]) for e in events}) == len(appointments) > 20
    by_key = {a["key"]: a for a in appointments}
    for event in events:
        row = by_key[str(event["UID"]).split("@")[0]]
        if row["start"] != "2026-03-29T02:30:00":  # an hour that the change to summer time skips
            local = event["DTSTART"].dt.astimezone(ZoneInfo("Europe/Paris"))
            assert local.strftime("%Y-%m-%dT%H:%M:%S") == row["start"]
        assert event["DTEND"].dt > event["DTSTART"].dt
        assert str(event["SUMMARY"]) == re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", row["label"] or "Rendez-vous")


SYSLOG = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<at>-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)) [\x21-\x7e]{1,255} [\x21-\x7e]{1,48} "
    r"[\x21-\x7e]{1,128} [\x21-\x7e]{1,32} (-|(\[[^ =\]\"]{1,32}(?P<sd>( [^ =\]\"]{1,32}=\"(\\[\\\"\]]|[^\\\"\]])*\")*)\])+)( .*)?"
)


def test_port_35_traces_are_lines_of_rfc_5424(practice, transverse):
    found = transverse["TRANSVERSE/ACCES.LOG"].decode().removesuffix("\n").split("\n")
    traces = rows(practice, "access_log")
    assert len(found) == len(traces) > 20
    for line in found:
        match = SYSLOG.fullmatch(line)
        assert match is not None
        assert int(match["pri"]) < 192
    assert Counter(re.search(r'patient="([^"]*)"', line)[1] for line in found) == Counter(
        t["patient"] or "" for t in traces
    )  # type: ignore[index]


def test_port_84_every_file_of_the_archive_matches_a_line_of_the_file_list(practice, dossiers, transverse):
    listed = list(csv.reader(io.StringIO(practice.members["DOCUMENTATION/FICHIERS.CSV"].decode("utf-8-sig"))))[1:]
    text = " ".join(cell for line in listed for cell in line)
    for needed in ("README.TXT", "MANIFEST.XML", "TRANSVERSE.ZIP", "METADATA.XML", "DONNEES.JSON", "ORIGINAUX", "PDF/"):
        assert needed in text


def test_port_85_the_dictionary_describes_every_column(practice):
    text = practice.members["DOCUMENTATION/DICTIONNAIRE.CSV"].decode("utf-8-sig")
    found = {(r["table"], r["colonne"]) for r in csv.DictReader(io.StringIO(text))}
    assert found == {(t.name, c.name) for t in TABLES.values() for c in t.columns}


def test_the_sum_of_cells_is_printed_in_the_documentation(practice):
    cells = json.loads((practice.work / "canonical" / "extraction.json").read_bytes())["cells"]
    total = {k: sum(c[k] for c in cells) for k in ("source", "mapped", "native", "excluded")}
    assert total["source"] == total["mapped"] + total["native"] + total["excluded"] > 10_000
    wanted = f"total {total['source']} = reprises {total['mapped']} + natives {total['native']} + exclues {total['excluded']}"
    assert wanted.encode() in practice.members["DOCUMENTATION/LISEZMOI.TXT"]


def test_members_carry_the_clock_and_no_trace_of_the_machine(practice):
    for data in (practice.path.read_bytes(), practice.members["TRANSVERSE.ZIP"], practice.members["PAT00001.ZIP"]):
        for info in zipfile.ZipFile(io.BytesIO(data)).infolist():
            assert info.date_time == (2026, 11, 23, 20, 0, 0)
            # A name with accents says Unix, without which unzip reads it wrong, and then plain rights: the same for all.
            told = (0, 0) if info.filename.isascii() else (3, 0o100644 << 16)
            assert (info.create_system, info.external_attr) == told
    needle = str(practice.work).encode()
    assert not any(needle in body for body in practice.members.values())

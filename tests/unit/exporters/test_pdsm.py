"""The FHIR forms of a submission: what XDS says of a document and what FHIR says of it are the same (sheet pdsm-fhir, 1 to 5).

The comparison is made by the local DMP's two readings, of ebRIM and of FHIR, which share nothing with what writes them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transvase.exporters import pdsm
from transvase.exporters.pdsm import (
    Message,
    message,
    provide_bundle,
    search_document,
    search_patient,
    simplified_publish,
)
from transvase.formats.cda import Coded, Id, Organization, Party, Patient
from transvase.formats.xds import DocumentEntry, SubmissionSet
from transvase.formats.xds_metadata import (
    author,
    entry_uuid,
    patient_id,
    source_patient_id,
    source_patient_info,
    submission_set,
    xcn,
)
from transvase.formats.xds_xml import submit_objects_request
from transvase.model.codes.class_codes import CODES as CLASSES
from transvase.model.codes.confidentiality_codes import CODES as CONFIDENTIALITY
from transvase.model.codes.facility_types import CODES as FACILITIES
from transvase.model.codes.format_codes import CODES as FORMATS
from transvase.model.codes.practice_settings import CODES as SETTINGS
from transvase.model.codes.type_codes import CODES as TYPES
from transvase.sandbox import fhir_metadata, markup
from transvase.sandbox import metadata as ebrim

DATA = b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>"
STRUCTURE = Organization((Id("1.2.250.1.71.4.2.2", "1990000713"),), "Cabinet Dupont & Fils | 75^")

names = st.text(st.sampled_from("ABCÉÈçñ'-^&|\\~ abZ"), min_size=1, max_size=12).map(str.strip).filter(bool)
digits = st.dates().map(lambda d: f"{d:%Y%m%d}".rjust(8, "0"))
times = st.datetimes().map(lambda d: f"{d:%Y%m%d%H%M%S}".rjust(14, "0"))


def coded(codes: Any, *but: str) -> st.SearchStrategy[Coded]:
    held = [Coded(c.code, c.system, c.display) for c in codes.values() if c.system not in ("URN", "ASTM", *but)]
    return st.sampled_from(held)


patients = st.builds(
    Patient,
    ids=st.sampled_from(
        [
            (Id("1.2.250.1.213.1.4.10", "180017599000157"),),
            (Id("1.2.250.1.213.1.4.8", "180017599000157"), Id("2.999.1", "P|1"), Id("2.999.2", "X&2")),
        ]
    ),
    birth_family=names,
    birth_given=names,
    given_names=names,
    used_family=names | st.just(""),
    used_given=names | st.just(""),
    sex=st.sampled_from(["M", "F"]),
    birth=digits,
    birth_place=st.sampled_from(["75056", "2A004", "99100"]),
)
people = st.builds(
    Party,
    ids=st.sampled_from([(Id("1.2.250.1.71.4.2.1", n),) for n in ("810001234567", "3990000713/12")]),
    code=st.sampled_from([Coded("G15_10/SM26", "1.2.250.1.213.1.1.4.5", "Médecin - Médecine générale (SM)"), Coded()]),
    function=st.builds(Coded, st.just("PCP"), st.just("2.16.840.1.113883.5.88"), names | st.just("")),
    family=names,
    given=names,
    software=st.just(""),
    model=st.just(""),
    organization=st.builds(Organization, st.just((Id("1.2.250.1.71.4.2.2", "1990000713"),)), names),
)
machines = st.builds(
    Party,
    ids=st.just((Id("1.2.250.1.71.4.2.1", "3990000713/7"),)),
    code=st.sampled_from([Coded("DISPOSITIF", "1.2.250.1.213.1.1.4.6", "Dispositif médical"), Coded()]),
    function=st.just(Coded()),
    software=names,
    model=names,
    organization=st.sampled_from([Organization(), STRUCTURE]),
)


@st.composite
def entries(draw: st.DrawFn) -> DocumentEntry:
    """A document entry as `derive` makes them."""
    patient, signer = draw(patients), draw(people)
    masks = draw(st.lists(st.sampled_from(["MASQUE_PS", "INVISIBLE_PATIENT"]), unique=True))
    start, stop = sorted((draw(times), draw(times)))
    unique = draw(st.sampled_from(["2.999.1.2.3", "1.2.250.1.999^abc"]))
    return DocumentEntry(
        unique_id=unique,
        entry_uuid=entry_uuid(unique),
        sha1=hashlib.sha1(DATA, usedforsecurity=False).hexdigest().upper(),
        size=len(DATA),
        creation_time=draw(times),
        service_start_time=start,
        service_stop_time=draw(st.sampled_from(["", stop])),
        language="fr-FR",
        title=draw(names),
        legal_authenticator=xcn(signer),
        patient_id=patient_id(patient),
        source_patient_id=source_patient_id(patient),
        source_patient_info=source_patient_info(patient),
        authors=tuple(author(p) for p in draw(st.lists(people | machines, min_size=1, max_size=2))),
        class_code=draw(coded(CLASSES)),
        type_code=draw(coded(TYPES)),
        format_code=draw(coded(FORMATS)),
        facility=draw(coded(FACILITIES)),
        practice_setting=draw(coded(SETTINGS)),
        confidentiality=tuple(Coded(c.code, c.system, c.display) for c in map(CONFIDENTIALITY.__getitem__, ["N", *masks])),
        event_codes=tuple(draw(st.lists(st.builds(Coded, st.just("CS"), st.just("1.2.250.1.215.200.3.3"), names), max_size=2))),
        reference_ids=draw(st.sampled_from([(), ("A12^^^&2.999.3&ISO^urn:ihe:iti:xds:2013:accession",)])),
    )  # fmt: skip


def a_set(entry: DocumentEntry) -> SubmissionSet:
    return submission_set([entry], unique_id="2.999.6.1", source_id="2.999.7", time="20261123190000")


def by_soap(entry: DocumentEntry) -> ebrim.Submission:
    """What the local DMP reads in the ebRIM of a submission."""
    request = submit_objects_request(a_set(entry), [entry._replace(uri="")], for_xdm=False)
    body = (
        f'<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="{ebrim.XDS}">{request}<xds:Document id="Document01">'
        f'<xop:Include xmlns:xop="{ebrim.XOP}" href="cid:d"/></xds:Document></xds:ProvideAndRegisterDocumentSetRequest>'
    )
    return ebrim.read(markup.parse(body.encode()), {"d": DATA})


def sent(one: Message) -> dict[str, Any]:
    """A message as its receiver has it."""
    body = b"".join(one.parts())
    assert len(body) == one.length
    resource: dict[str, Any] = json.loads(body)
    return resource


def told(item: ebrim.Item) -> dict[str, Any]:
    """What an object says, without the names that the message itself gives."""
    authors = [{k: v for k, v in a.slots.items() if any(v)} for a in item.authors]
    return {
        "slots": {k: tuple(v.lower() for v in vs) if k == "hash" else vs for k, vs in item.slots.items()},
        "title": item.title,
        "codes": sorted(item.codes),
        "authors": authors,
        "identifiers": item.identifiers,
        "mime": item.attributes.get("mimeType"),
    }


@settings(deadline=None, max_examples=40)
@given(entry=entries())
def test_fhir_and_xds_say_the_same_of_a_document(entry: DocumentEntry) -> None:
    soap = by_soap(entry)
    fhir, _, custodian = fhir_metadata.read_bundle(sent(message(provide_bundle(a_set(entry), entry, STRUCTURE), DATA)))
    assert told(fhir.entries[0]) == told(soap.entries[0])
    # A List has one source where a submission set has every author.
    due = told(soap.package)
    assert told(fhir.package) == due | {"authors": due["authors"][:1]}
    assert list(fhir.documents.values()) == list(soap.documents.values()) == [DATA]
    assert custodian.endswith("^1990000713")


@settings(deadline=None, max_examples=20)
@given(entry=entries())
def test_the_document_alone_says_the_same(entry: DocumentEntry) -> None:
    soap, fhir = (
        by_soap(entry),
        fhir_metadata.read_simplified(sent(message(simplified_publish(entry, STRUCTURE), DATA)))[0],
    )
    due, found = told(soap.entries[0]), told(fhir.entries[0])
    # MHD limits the acts to one there.
    acts = [c for c in soap.entries[0].codes if c.scheme == "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"]
    due["codes"] = sorted(c for c in soap.entries[0].codes if c not in acts[1:] or c == acts[0])
    found["codes"] = sorted({*found["codes"]}, key=tuple)
    due["codes"] = sorted({*due["codes"]}, key=tuple)
    assert found == due


@settings(deadline=None, max_examples=10)
@given(entry=entries(), replaced=st.sampled_from(["", "6f0d7f0e-5a0c-5c1e-9a57-0c3d2b1a4e6f"]))
def test_what_is_sent_is_fhir(entry: DocumentEntry, replaced: str) -> None:
    """Read by a library that knows nothing of the profiles: elements, cardinalities and kinds of FHIR itself."""
    from fhir.resources.R4B.bundle import Bundle
    from fhir.resources.R4B.documentreference import DocumentReference

    entry = entry._replace(replaces=replaced)
    bundle = sent(message(provide_bundle(a_set(entry), entry, STRUCTURE), DATA))
    assert Bundle.model_validate(bundle).type == "transaction"
    for one in bundle["entry"]:
        assert _class(one["resource"]["resourceType"]).model_validate(one["resource"])
    single = sent(message(simplified_publish(entry, STRUCTURE), DATA))
    assert DocumentReference.model_validate(single).status == "current"


def _class(name: str) -> Any:
    from importlib import import_module

    return getattr(import_module(f"fhir.resources.R4B.{name.lower()}"), name)


# The transaction.


ENTRY = DocumentEntry(
    unique_id="2.999.9.1",
    sha1="DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
    creation_time="20260302093000",
    service_start_time="20260302090000",
    language="fr-FR",
    title='Compte rendu "data":"" fini',
    patient_id="180017599000157^^^&1.2.250.1.213.1.4.10&ISO^NH",
    source_patient_id="P1^^^&2.999.1&ISO^PI",
    source_patient_info=("PID-5|MARTIN^PAUL^PAUL JEAN^^^^L", "PID-7|19800115", "PID-8|M"),
    legal_authenticator="899700991005^VAUTRIN^Claire^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS",
    authors=(author(Party((Id("1.2.250.1.71.4.2.1", "899700991005"),), family="VAUTRIN", given="Claire", organization=STRUCTURE)),),
    class_code=Coded("10", "1.2.250.1.213.1.1.4.1", "Compte rendu"),
    type_code=Coded("34874-8", "2.16.840.1.113883.6.1", "CR opératoire"),
    format_code=Coded("urn:ihe:iti:xds-sd:pdf:2008", "1.3.6.1.4.1.19376.1.2.3", "N1 PDF"),
    facility=Coded("SA07", "1.2.250.1.71.4.2.4", "Cabinet individuel"),
    practice_setting=Coded("AMBULATOIRE", "1.2.250.1.213.1.1.4.9", "Ambulatoire"),
    confidentiality=(Coded("N", "2.16.840.1.113883.5.25", "Normal"), Coded("MASQUE_PS", "1.2.250.1.213.1.1.4.13", "Masqué")),
)  # fmt: skip
BUNDLE = provide_bundle(a_set(ENTRY), ENTRY, STRUCTURE)


def resource(kind: str, bundle: dict[str, Any] = BUNDLE) -> dict[str, Any]:
    found: dict[str, Any] = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind)
    return found


def test_the_same_document_makes_the_same_bytes() -> None:
    first, second = (message(provide_bundle(a_set(ENTRY), ENTRY, STRUCTURE), DATA) for _ in range(2))
    assert first == second
    other = provide_bundle(
        a_set(ENTRY._replace(unique_id="2.999.9.2")), ENTRY._replace(unique_id="2.999.9.2"), STRUCTURE
    )
    names_of = [{e["fullUrl"] for e in b["entry"]} for b in (BUNDLE, other)]
    assert len(names_of[0]) == 3 and names_of[0] & names_of[1] == {f"{a_set(ENTRY).entry_uuid}"}


@pytest.mark.parametrize(
    ("kind", "profile"),
    [
        ("List", "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-submissionset-comprehensive"),
        (
            "DocumentReference",
            "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-comprehensive-document-reference",
        ),
    ],
)
def test_each_resource_claims_its_profile(kind: str, profile: str) -> None:
    assert resource(kind)["meta"] == {"profile": [profile]}


def test_digests_are_those_of_the_raw_document_in_base64() -> None:
    attachment = resource("DocumentReference")["content"][0]["attachment"]
    assert base64.b64decode(attachment["hash"]).hex().upper() == ENTRY.sha1
    assert attachment["url"] == BUNDLE["entry"][-1]["fullUrl"] and "data" not in attachment


def test_masks_are_beside_n_which_is_first() -> None:
    assert [c["coding"][0]["code"] for c in resource("DocumentReference")["securityLabel"]] == ["N", "MASQUE_PS"]
    assert resource("DocumentReference")["securityLabel"][0]["coding"][0]["system"] == "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"  # fmt: skip


def test_a_replacement_is_said_by_the_new_document_and_done_by_a_patch() -> None:
    bundle = provide_bundle(a_set(ENTRY), ENTRY._replace(replaces="abc-1"), STRUCTURE)
    assert [e["request"] for e in bundle["entry"]] == [
        {"method": "POST", "url": "List"},
        {"method": "POST", "url": "DocumentReference"},
        {"method": "PATCH", "url": "DocumentReference/abc-1"},
        {"method": "POST", "url": "Binary"},
    ]
    said = resource("DocumentReference", bundle)["relatesTo"]
    assert said == [{"code": "replaces", "target": {"reference": "DocumentReference/abc-1"}}]
    assert len(resource("List", bundle)["entry"]) == 1


def test_nothing_stands_in_the_place_of_the_document_but_the_document() -> None:
    """A title that imitates the empty element stays a title."""
    for made in (BUNDLE, simplified_publish(ENTRY, STRUCTURE)):
        read = sent(message(made, DATA))
        texts = json.dumps(read)
        assert base64.b64encode(DATA).decode() in texts and texts.count(base64.b64encode(DATA).decode()) == 1
        document = read if read["resourceType"] == "DocumentReference" else resource("DocumentReference", read)
        assert document["content"][0]["attachment"]["title"] == ENTRY.title


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, (3 << 18) - 1, 3 << 18, (3 << 18) + 1, 5_000_001])
def test_a_large_document_is_encoded_in_pieces(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    made = message(BUNDLE, data[:size])
    parts = list(made.parts())
    assert sum(map(len, parts)) == made.length
    assert max(map(len, parts)) <= 1 << 20
    assert base64.b64decode(resource("Binary", sent(made))["data"]) == data[:size]


def test_no_second_copy_of_a_large_document_is_held() -> None:
    import tracemalloc

    data = bytes(20_000_000)
    tracemalloc.start()
    try:
        assert sum(map(len, message(BUNDLE, data).parts())) > 26_000_000
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("digits_", "day"),
    [
        ("19800115", "1980-01-15"),
        ("19800000", "1980"),
        ("19800200", "1980-02"),
        ("19800231", "1980-02"),
        ("19801301", "1980"),
        ("1980", "1980"),
        ("", ""),
    ],
)
def test_a_birth_date_is_as_precise_as_it_exists(digits_: str, day: str) -> None:
    info = (*ENTRY.source_patient_info[:1], f"PID-7|{digits_}")
    made = simplified_publish(ENTRY._replace(source_patient_info=info), STRUCTURE)
    person = next(c for c in made["contained"] if c["resourceType"] == "Patient")
    assert person.get("birthDate", "") == day


# Questions.


def test_the_question_by_unique_id_names_the_patient_and_asks_for_every_state() -> None:
    asked = parse_qs(search_document("2.999.9.1", ENTRY.patient_id), strict_parsing=True)
    assert asked == {
        "patient.identifier": ["urn:oid:1.2.250.1.213.1.4.10|180017599000157"],
        "status": ["current,superseded"],
        "identifier": ["urn:ietf:rfc:3986|urn:oid:2.999.9.1"],
    }
    assert "patient.identifier" not in parse_qs(search_document("2.999.9.1", ""), strict_parsing=True)


def test_an_extension_is_under_its_root_and_cannot_widen_the_question() -> None:
    asked = parse_qs(search_document("2.999.9^a,b|c$d\\e", ""), strict_parsing=True)
    assert asked["identifier"] == ["urn:oid:2.999.9|a\\,b\\|c\\$d\\\\e"]


def test_the_question_of_existence() -> None:
    assert search_patient("180017599000157", "1.2.250.1.213.1.4.8") == (
        "identifier=urn%3Aoid%3A1.2.250.1.213.1.4.8%7C180017599000157"
    )


def test_an_unknown_system_keeps_its_oid() -> None:
    assert pdsm._concept(Coded("X", "2.999.5", "")) == {"coding": [{"system": "urn:oid:2.999.5", "code": "X"}]}

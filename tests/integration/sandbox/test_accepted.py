"""What the local DMP accepts, and what it answers and keeps."""

from __future__ import annotations

import hashlib

import pytest


@pytest.mark.requirement("DMP-30")
def test_a_good_submission_is_registered_with_hash_size_and_type(client, message):
    good = message()
    reply = client.send(good)
    assert (reply.http, reply.status, reply.errors) == (200, "Success", [])
    assert reply.media_type.startswith("application/soap+xml")
    assert reply.find(".//{*}RelatesTo")[0].text == good.message_id
    kept = next(d for d in client.state()["documents"] if d["unique_id"] == good.unique_id)
    assert kept["hash"] == hashlib.sha1(good.entry.data).hexdigest().upper()
    assert kept["size"] == len(good.entry.data)
    assert (kept["type_code"], kept["class_code"], kept["version"]) == ("11488-4", "10", 1)
    assert kept["status"].endswith(":Approved")


def test_no_trait_of_the_patient_is_kept(client, message, sandbox):
    client.send(message())
    state = str(client.state()) + (sandbox.authority.ca.parent / "registry.jsonl").read_text()
    for trait in ("DUVAL", "PETIT", "JEANNE", "19800512", "75112", "JVBERi0"):
        assert trait not in state


ALSO_GOOD = [
    ("hash in upper case", lambda m: m.entry.slots.update(hash=[hashlib.sha1(m.entry.data).hexdigest().upper()])),
    (
        "hidden from professionals and from the patient",
        lambda m: m.entry.codes["confidentialityCode"].extend(
            [("MASQUE_PS", "1.2.250.1.213.1.1.4.13"), ("INVISIBLE_PATIENT", "1.2.250.1.213.1.1.4.13")]
        ),
    ),
    ("content type as a sector", lambda m: m.set_codes.update(contentTypeCode=[("SA07", "1.2.250.1.71.4.2.4")])),
    ("self-displaying CDA", lambda m: m.entry.attributes.update(mimeType="application/xslt+xml")),
    ("no used name", lambda m: m.entry.slots["sourcePatientInfo"].pop(1)),
    (
        "order number",
        lambda m: m.entry.slots.update(
            {"urn:ihe:iti:xds:2013:referenceIdList": ["A7^^^&1.2.250.1.999.3&ISO^urn:ihe:iti:xds:2013:order"]}
        ),
    ),
    ("pretty-printed", lambda m: m.edits.append(("><", ">\n  <"))),
    (
        "comment between elements",
        lambda m: m.edits.append(("<rim:RegistryObjectList>", "<rim:RegistryObjectList><!-- c -->")),
    ),
    (
        "id with an extension",
        lambda m: (
            m.entry.edit(f'<id root="{m.unique_id}"/>', f'<id root="1.2.250.1.999.1.{m.number}" extension="A"/>'),
            m.entry.identifiers.update(uniqueId=f"1.2.250.1.999.1.{m.number}^A"),
        ),
    ),
    (
        "effective time without offset is not compared",
        lambda m: m.entry.edit('20260110101500+0100"/>\n<conf', '20260110"/>\n<conf'),
    ),
    (
        "author known by an internal identifier",
        lambda m: (
            m.entry.edit('extension="801234567897"/>\n<code', 'extension="3990000000/7"/>\n<code'),
            m.entry.authors[0].update(authorPerson=["3990000000/7^MARTIN^Luce^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^EI"]),
        ),
    ),
]


@pytest.mark.parametrize("spoil", [pytest.param(f, id=name) for name, f in ALSO_GOOD])
def test_also_accepted(client, message, spoil):
    sent = message()
    spoil(sent)
    reply = client.send(sent)
    assert (reply.status, reply.errors) == ("Success", [])


def test_a_corsican_patient(client, message, world):
    assert client.send(message(world.CORSICAN)).status == "Success"


def test_a_slot_outside_the_profile_is_a_warning(client, message):
    sent = message()
    sent.entry.slots["urn:transvase:originalFileName"] = ["x.pdf"]
    reply = client.send(sent)
    assert (reply.status, reply.codes) == ("Success", ["XDSExtraMetadataNotSaved"])


def test_two_documents_in_a_set(client, message, world):
    sent, other = message(), message()
    other.entry.id = "Document02"
    sent.also(other.entry)
    assert client.send(sent).status == "Success"
    kept = {d["unique_id"] for d in client.state()["documents"]}
    assert {sent.unique_id, other.unique_id} <= kept


def test_the_ins_stands_for_a_missing_local_number(client, message, world):
    sent = message()
    sent.entry.edit('<id root="1.2.250.1.999.9" extension="P17"/>', "")
    sent.entry.slots["sourcePatientId"] = [sent.set_identifiers["set patientId"]]
    assert client.send(sent).status == "Success"

"""What depends on earlier submissions: duplicates, replacement, queries, the state file."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from transvase.sandbox import authority

GET = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
FIND = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"


# Duplicates.


def test_the_same_document_again(client, message):
    sent = message()
    assert client.send(sent).status == "Success"
    again = message(number=sent.number)
    again.set_identifiers["set uniqueId"] += ".9"
    assert client.send(again).codes == ["XDSDuplicateUniqueIdInRegistry"]


def test_another_document_under_the_same_id(client, message):
    sent = message()
    client.send(sent)
    again = message(number=sent.number)
    again.set_identifiers["set uniqueId"] += ".9"
    again.entry.edit("<!-- written for the tests -->", "")
    assert client.send(again).codes == ["XDSNonIdenticalHash"]


def test_another_document_in_the_same_set(client, message):
    sent, other = message(), message()
    client.send(sent)
    other.set_identifiers["set uniqueId"] = sent.set_identifiers["set uniqueId"]
    assert client.send(other).codes == ["XDSDuplicateUniqueIdInRegistry"]


def test_one_id_twice_in_a_message(client, message):
    sent, other = message(), message()
    other.entry.id = "Document02"
    other.entry.identifiers["uniqueId"] = sent.unique_id
    other.entry.data = sent.entry.data
    sent.also(other.entry)
    assert client.send(sent).codes == ["XDSDuplicateUniqueIdInMessage"]


def test_another_document_with_the_same_set_id_and_version(client, message):
    sent, other = message(), message()
    client.send(sent)
    other.entry.edit(
        f'<setId root="1.2.250.1.999.1.{other.number}"/>', f'<setId root="1.2.250.1.999.1.{sent.number}"/>'
    )
    assert client.send(other).codes == ["XDSRegistryMetadataError"]


# Replacement.


@pytest.fixture
def pair(client, message):
    """A registered document, its entryUUID, and a replacement not yet associated."""
    old = message()
    assert client.send(old).status == "Success"
    return old, client.entry_uuid(old.unique_id), message(number=old.number, version=2, replaces=old.unique_id)


def test_a_replacement_deprecates_the_old_document(client, pair):
    old, entry_uuid, new = pair
    new.replace(old, entry_uuid)
    assert client.send(new).status == "Success"
    statuses = {d["unique_id"]: d["status"].rpartition(":")[2] for d in client.state()["documents"]}
    assert (statuses[old.unique_id], statuses[new.unique_id]) == ("Deprecated", "Approved")


def test_a_replacement_repeated_is_a_duplicate_and_nothing_else(client, pair):
    old, entry_uuid, new = pair
    new.replace(old, entry_uuid)
    client.send(new)
    assert set(client.send(new).codes) == {"XDSDuplicateUniqueIdInRegistry"}


def test_replacing_what_was_replaced(client, message, pair):
    old, entry_uuid, new = pair
    new.replace(old, entry_uuid)
    client.send(new)
    third = message(number=old.number, version=3, replaces=old.unique_id)
    third.replace(old, entry_uuid)
    assert client.send(third).codes == ["XDSRegistryDeprecatedDocumentError"]


REPLACED_WRONGLY = [
    ("by uniqueId", lambda m, old, uuid: m.replace(old, old.unique_id), "XDSReplaceFailed"),
    (
        "by an unknown entryUUID",
        lambda m, old, uuid: m.replace(old, "urn:uuid:00000000-0000-4000-8000-000000000000"),
        "XDSReplaceFailed",
    ),
    ("without the association", lambda m, old, uuid: None, "XDSReplaceFailed"),
    ("by two associations", lambda m, old, uuid: (m.replace(old, uuid), m.replace(old, uuid)), "XDSReplaceFailed"),
    (
        "without relatedDocument",
        lambda m, old, uuid: (m.replace(old, uuid), m.entry.edit('typeCode="RPLC"', 'typeCode="APND"')),
        "XDSReplaceFailed",
    ),
    (
        "naming another document",
        lambda m, old, uuid: (
            m.replace(old, uuid),
            m.entry.edit(f'<parentDocument><id root="{old.unique_id}"', '<parentDocument><id root="1.2.250.1.999.5"'),
        ),
        "XDSReplaceFailed",
    ),
    (
        "with another setId",
        lambda m, old, uuid: (
            m.replace(old, uuid),
            m.entry.edit(f'<setId root="1.2.250.1.999.1.{m.number}"', '<setId root="1.2.250.1.999.6"'),
        ),
        "XDSReplaceFailed",
    ),
    (
        "skipping a version",
        lambda m, old, uuid: (
            m.replace(old, uuid),
            m.entry.edit('<versionNumber value="2"', '<versionNumber value="3"'),
        ),
        "XDSReplaceFailed",
    ),
    (
        "from the set",
        lambda m, old, uuid: (m.replace(old, uuid), m.associations[-1].update(source="Set01")),
        "XDSRegistryMetadataError",
    ),
]


@pytest.mark.parametrize(("spoil", "code"), [pytest.param(*rest, id=name) for name, *rest in REPLACED_WRONGLY])
def test_a_replacement_gone_wrong_changes_nothing(client, pair, spoil, code):
    old, entry_uuid, new = pair
    spoil(new, old, entry_uuid)
    reply = client.send(new)
    assert reply.status == "Failure"
    assert code in reply.codes
    kept = {d["unique_id"]: d["status"].rpartition(":")[2] for d in client.state()["documents"]}
    assert kept[old.unique_id] == "Approved"
    assert new.unique_id not in kept


def test_replacing_the_document_of_another_patient(client, message, world, pair):
    old, entry_uuid, _ = pair
    new = message(world.OTHER, number=old.number, version=2, replaces=old.unique_id)
    new.replace(old, entry_uuid)
    assert client.send(new).codes == ["XDSPatientIdDoesNotMatch"]


# Queries.


def test_get_documents_by_unique_id(client, message, world):
    sent = message()
    client.send(sent)
    reply = client.query(GET, UniqueId=f"('{sent.unique_id}')")
    (found,) = reply.find(".//{*}ExtrinsicObject")
    assert reply.status == "Success"
    assert found.get("id") == client.entry_uuid(sent.unique_id)
    assert found.get("lid").startswith("urn:uuid:")
    assert found.get("lid") != found.get("id")
    assert found.get("status") == world.APPROVED
    assert found.find("{*}VersionInfo").get("versionName") == "1"
    slots = {s.get("name"): s.findtext(".//{*}Value") for s in found.iterfind("{*}Slot")}
    assert slots["size"] == str(len(sent.entry.data))
    assert slots["repositoryUniqueId"] == "1.2.250.1.213.4.1.1.1.2"
    values = {
        i.find(".//{*}LocalizedString").get("value"): i.get("value") for i in found.iterfind("{*}ExternalIdentifier")
    }
    assert values["XDSDocumentEntry.uniqueId"] == sent.unique_id


def test_get_documents_by_entry_uuid_as_a_reference(client, message):
    sent = message()
    client.send(sent)
    entry_uuid = client.entry_uuid(sent.unique_id)
    reply = client.query(GET, returns="ObjectRef", EntryUUID=f"('{entry_uuid}','urn:uuid:0')")
    assert [found.get("id") for found in reply.find(".//{*}ObjectRef")] == [entry_uuid]


def test_an_unknown_document_is_an_empty_success(client):
    reply = client.query(GET, UniqueId="('1.2.250.1.999.404')")
    assert (reply.status, reply.find(".//{*}ExtrinsicObject")) == ("Success", [])


def test_find_documents_of_a_patient(client, message, world):
    mine, theirs = message(), message(world.OTHER)
    client.send(mine)
    client.send(theirs)
    patient = f"'{world.OTHER}^^^&{world.OID}&ISO^NH'"
    reply = client.query(FIND, PatientId=patient, Status=f"('{world.APPROVED}')")
    ids = {found.get("id") for found in reply.find(".//{*}ExtrinsicObject")}
    assert client.entry_uuid(theirs.unique_id) in ids
    assert client.entry_uuid(mine.unique_id) not in ids
    filters = {
        "TypeCode": ("('11488-4^^2.16.840.1.113883.6.1')", "('11502-2^^2.16.840.1.113883.6.1')"),
        "ClassCode": ("('10^^1.2.250.1.213.1.1.4.1')", "('11^^1.2.250.1.213.1.1.4.1')"),
        "CreationTimeFrom": ("20260110", "20260111"),
        "CreationTimeTo": ("20260111", "20260110"),
        "ServiceStartTimeFrom": ("2026", "2027"),
    }
    for name, (kept, dropped) in filters.items():
        for value, count in ((kept, len(ids)), (dropped, 0)):
            filtered = client.query(FIND, PatientId=patient, Status=f"('{world.APPROVED}')", **{name: value})
            assert len(filtered.find(".//{*}ExtrinsicObject")) == count, name


def test_deprecated_documents_are_found_when_asked_for(client, world, pair):
    old, entry_uuid, new = pair
    new.replace(old, entry_uuid)
    client.send(new)
    patient = f"'{world.PATIENT}^^^&{world.OID}&ISO^NH'"
    deprecated = world.APPROVED.replace("Approved", "Deprecated")
    for status, present in ((world.APPROVED, False), (deprecated, True)):
        reply = client.query(FIND, returns="ObjectRef", PatientId=patient, Status=f"('{status}')")
        assert (entry_uuid in {one.get("id") for one in reply.find(".//{*}ObjectRef")}) is present


BAD_QUERIES = [
    ("no parameter", GET, {}, "XDSStoredQueryMissingParam"),
    ("both identifiers", GET, {"UniqueId": "('1.2')", "EntryUUID": "('urn:uuid:0')"}, "XDSStoredQueryMissingParam"),
    ("entryUUID as uniqueId", GET, {"UniqueId": "('urn:uuid:0')"}, "XDSDocumentUniqueIdError"),
    ("list without parentheses", GET, {"UniqueId": "'1.2'"}, "XDSStoredQueryParamNumber"),
    ("unknown query", "urn:uuid:0", {"UniqueId": "('1.2')"}, "XDSUnknownStoredQuery"),
    ("find without status", FIND, {"PatientId": "PATIENT"}, "XDSStoredQueryMissingParam"),
    ("patient in parentheses", FIND, {"PatientId": "(PATIENT)", "Status": "STATUS"}, "XDSStoredQueryParamNumber"),
    ("patient without quotes", FIND, {"PatientId": "BARE", "Status": "STATUS"}, "XDSStoredQueryParamNumber"),
    ("patient without DMP", FIND, {"PatientId": "STRANGER", "Status": "STATUS"}, "XDSUnknownPatientId"),
    (
        "filter that is not known",
        FIND,
        {"PatientId": "PATIENT", "Status": "STATUS", "Weather": "('x')"},
        "XDSRegistryError",
    ),
]


@pytest.mark.parametrize(("query", "parameters", "code"), [pytest.param(*rest, id=name) for name, *rest in BAD_QUERIES])
def test_a_bad_query(client, world, query, parameters, code):
    names = {
        "PATIENT": f"'{world.PATIENT}^^^&{world.OID}&ISO^NH'",
        "STRANGER": f"'{world.STRANGER}^^^&{world.OID}&ISO^NH'",
        "BARE": f"{world.PATIENT}^^^&{world.OID}&ISO^NH",
        "STATUS": f"('{world.APPROVED}')",
    }
    filled = {
        name: value.replace("PATIENT", names["PATIENT"]) if "(" in value else names.get(value, value)
        for name, value in parameters.items()
    }
    reply = client.query(query, **filled)
    assert (reply.status, reply.codes) == ("Failure", [code])


# The state file.


def test_a_new_sandbox_on_the_same_folder_goes_on(start, connect, message):
    old = message()
    with start() as first:
        client = connect(first)
        assert client.send(old).status == "Success"
        entry_uuid = client.entry_uuid(old.unique_id)
        new = message(number=old.number, version=2, replaces=old.unique_id)
        new.replace(old, entry_uuid)
        assert client.send(new).status == "Success"
        before = client.state()["documents"]
    with start() as second:
        client = connect(second)
        assert client.state()["documents"] == before
        # The port differs, so the message is another one; its documents are still known.
        old.message_id = message().message_id
        assert set(client.send(old).codes) == {"XDSDuplicateUniqueIdInRegistry"}
        other = message()
        other.message_id = new.message_id
        assert client.send(other).fault[1][-1] == "wsa:DuplicateMessageID"


def test_a_line_cut_by_a_crash_is_dropped(start, connect, message, tmp_path):
    first, second = message(), message()
    with start() as running:
        client = connect(running)
        client.send(first)
        client.send(second)
    path = tmp_path / "registry.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    with start() as running:
        client = connect(running)
        assert [d["unique_id"] for d in client.state()["documents"]] == [first.unique_id]
        second.message_id = message().message_id
        assert client.send(second).status == "Success"
    assert [json.loads(line)["documents"][0]["unique_id"] for line in path.read_text().splitlines()] == [
        first.unique_id,
        second.unique_id,
    ]


def test_damage_elsewhere_is_an_error_that_names_the_line(start, connect, message, tmp_path):
    with start() as running:
        connect(running).send(message())
    path = tmp_path / "registry.jsonl"
    path.write_bytes(b"{\n" + path.read_bytes())
    with pytest.raises(ValueError, match="Line 1 of"):
        start()


@pytest.mark.parametrize("content", ["ins;oid;state\n", "ins,oid,state\n123,1.2,open\n"])
def test_a_bad_patients_file_is_an_error_that_quotes_no_number(start, patients, tmp_path, content):
    from transvase.sandbox.registry import Registry

    path = tmp_path / "patients.csv"
    path.write_text(content)
    with pytest.raises(ValueError) as problem:
        Registry(None, path)
    assert "123" not in str(problem.value).replace(str(path), "")


SERVE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from transvase.sandbox.dmp import serve
folder, patients = map(Path, sys.argv[1:])
serve(folder, patients, 0, datetime(2026, 1, 15, 12, tzinfo=UTC), lambda url: print(url, flush=True))
"""


def test_a_killed_server_has_kept_all_it_confirmed(keys, patients, connect, message, tmp_path):
    class Address:
        def __init__(self, url, files):
            self.url, self.authority = url, files
            self.port = int(url.split("/")[2].rpartition(":")[2])

    shutil.copytree(keys, tmp_path, dirs_exist_ok=True)
    confirmed = []
    for _ in range(2):
        command = [sys.executable, "-c", SERVE, str(tmp_path), str(patients)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            client = connect(Address(process.stdout.readline().strip(), authority.files(keys)))
            assert [d["unique_id"] for d in client.state()["documents"]] == confirmed
            for _ in range(5):
                sent = message()
                assert client.send(sent).status == "Success"
                confirmed.append(sent.unique_id)
            process.kill()
            client.close()

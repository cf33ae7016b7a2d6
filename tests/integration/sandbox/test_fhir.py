"""The FHIR side of the local DMP: a good transaction is taken, and one rule broken at a time is refused without a trace.

The bundle is written here from the sheet pdsm-fhir (1 to 4), apart from the project's own exporter.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import itertools
import json
import uuid

import pytest

BASE = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-"
MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/"
NOS = "https://mos.esante.gouv.fr/NOS/"
URI = "urn:ietf:rfc:3986"
KIND = {"Content-Type": "application/fhir+json"}
PATCH = {
    "resourceType": "Parameters",
    "meta": {"profile": [f"{MHD}IHE.MHD.Patch.Parameters"]},
    "parameter": [
        {
            "name": "operation",
            "part": [
                {"name": "type", "valueCode": "replace"},
                {"name": "path", "valueString": "DocumentReference.status"},
                {"name": "value", "valueCode": "superseded"},
            ],
        }
    ],
}
_numbers = itertools.count(5000)


def nos(table, code):
    return {"coding": [{"system": f"{NOS}{table}/FHIR/{table.replace('_', '-')}", "code": code}]}


class Feed:
    """A good transaction of one document, to be spoiled: `bundle` is the Bundle, `docref`, `set` and `binary` its resources."""

    def __init__(self, world, patient, *, number=0, version=1, replaces="", target=""):
        self.number = number or next(_numbers)
        self.unique_id = f"1.2.250.1.999.1.{self.number}.{version}"
        self.data = world.cda(self.number, patient, version=version, replaces=replaces).encode()
        ins = {"system": f"urn:oid:{world.OID}", "value": patient}
        doctor = {
            "resourceType": "Practitioner",
            "id": "p",
            "identifier": [{"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "801234567897"}],
            "name": [{"family": "MARTIN", "given": ["Luce"]}],
        }
        office = {
            "resourceType": "Organization",
            "id": "o",
            "identifier": [{"system": "urn:oid:1.2.250.1.71.4.2.2", "value": world.STRUCT_ID}],
            "name": "Cabinet Inventé",
        }
        role = {
            "resourceType": "PractitionerRole",
            "id": "r",
            "practitioner": {"reference": "#p"},
            "organization": {"reference": "#o"},
            "specialty": [
                {
                    "coding": [
                        {
                            "system": nos("TRE_A02-ProfessionSavFaire-CISIS", "")["coding"][0]["system"],
                            "code": "G15_10/SM26",
                            "display": "Médecin - Médecine générale",
                        }
                    ]
                }
            ],
        }
        listed = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-birth-list-given-name"
        place = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code"
        person = {
            "resourceType": "Patient",
            "id": "s",
            "extension": [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
                    "valueAddress": {
                        "extension": [{"url": place, "valueCoding": nos("TRE_R13-CommuneOM", "75112")["coding"][0]}]
                    },
                }
            ],
            "identifier": [{**ins, "use": "official"}, {"system": "urn:oid:1.2.250.1.999.9", "value": "P17"}],
            "name": [
                {
                    "extension": [{"url": listed, "valueString": "JEANNE MARIE"}],
                    "use": "official",
                    "family": "DUVAL",
                    "given": ["JEANNE"],
                },
                {"use": "usual", "family": "PETIT", "given": ["JEANNE"]},
            ],
            "gender": "female",
            "birthDate": "1980-05-12",
        }
        subject = {"reference": f"Patient?identifier={ins['system']}|{ins['value']}"}
        full = [f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'{self.unique_id} {n}')}" for n in "ABCD"]
        self.set = {
            "resourceType": "List",
            "meta": {"profile": [f"{BASE}submissionset-comprehensive"]},
            "contained": [role, doctor, office],
            "extension": [
                {"url": f"{MHD}ihe-designationType", "valueCodeableConcept": nos("TRE_R209-TypeActivite", "07")},
                {"url": f"{MHD}ihe-sourceId", "valueIdentifier": {"system": URI, "value": "urn:oid:1.2.250.1.999.7"}},
            ],
            "identifier": [
                {"use": "usual", "system": URI, "value": f"urn:oid:1.2.250.1.999.2.{self.number}.{version}"}
            ],
            "status": "current",
            "mode": "working",
            "code": {
                "coding": [
                    {"system": "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes", "code": "submissionset"}
                ]
            },
            "subject": subject,
            "date": "2026-01-15T12:00:00+01:00",
            "source": {"reference": "#r"},
            "entry": [{"item": {"reference": full[1]}}],
        }
        self.docref = {
            "resourceType": "DocumentReference",
            "meta": {"profile": [f"{BASE}comprehensive-document-reference"]},
            "contained": copy.deepcopy([role, doctor, office, person]),
            "masterIdentifier": {"use": "usual", "system": URI, "value": f"urn:oid:{self.unique_id}"},
            "status": "current",
            "type": {"coding": [{"system": "http://loinc.org", "code": "11488-4"}]},
            "category": [nos("TRE_A03-ClasseDocument", "10")],
            "subject": subject,
            "date": "2026-01-10T09:15:00Z",
            "author": [{"reference": "#r"}],
            "authenticator": {"reference": "#p"},
            "custodian": {"reference": "#o"},
            "securityLabel": [
                {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}]}
            ],
            "content": [
                {
                    "attachment": {
                        "contentType": "text/xml",
                        "language": "fr-FR",
                        "url": full[2],
                        "size": len(self.data),
                        "hash": base64.b64encode(hashlib.sha1(self.data).digest()).decode(),
                        "title": "Compte rendu de consultation",
                        "creation": "2026-01-10T10:15:00+01:00",
                    },
                    "format": {
                        **nos("TRE_A11-IheFormatCode", "urn:ihe:iti:xds-sd:pdf:2008")["coding"][0],
                    },
                }
            ],
            "context": {
                "event": [{"coding": [{"system": "urn:oid:1.2.250.1.215.200.3.3", "code": "CS"}]}],
                "period": {"start": "2026-01-10T09:00:00Z"},
                "facilityType": nos("TRE_R02-SecteurActivite", "SA07"),
                "practiceSetting": nos("TRE_A01-CadreExercice", "AMBULATOIRE"),
                "sourcePatientInfo": {"reference": "#s"},
            },
        }
        # The same instant in both, as text too.
        self.attachment["creation"] = self.docref["date"]
        self.binary = {
            "resourceType": "Binary",
            "contentType": "text/xml",
            "data": base64.b64encode(self.data).decode(),
        }
        self.bundle = {
            "resourceType": "Bundle",
            "meta": {"profile": [f"{BASE}comprehensive-provide-document-bundle"]},
            "type": "transaction",
            "entry": [
                {"fullUrl": f, "resource": r, "request": {"method": "POST", "url": r["resourceType"]}}
                for f, r in zip(full, (self.set, self.docref, self.binary), strict=False)
            ],
        }
        if target:
            self.docref["relatesTo"] = [{"code": "replaces", "target": {"reference": f"DocumentReference/{target}"}}]
            request = {"method": "PATCH", "url": f"DocumentReference/{target}"}
            self.bundle["entry"].insert(2, {"fullUrl": full[3], "resource": PATCH, "request": request})

    @property
    def attachment(self):
        return self.docref["content"][0]["attachment"]

    @property
    def alone(self):
        """The same document by ITI-105."""
        made = copy.deepcopy(self.docref)
        made["meta"] = {"profile": [f"{BASE}simplified-publish"]}
        system, value = made["subject"]["reference"].partition("=")[2].split("|")
        made["subject"] = {"identifier": {"system": system, "value": value}}
        attachment = made["content"][0]["attachment"]
        del attachment["url"]
        attachment["data"] = self.binary["data"]
        return made


def post(client, resource, path="/fhir", **headers):
    body = resource if isinstance(resource, bytes) else json.dumps(resource).encode()
    return client.request("POST", path, body, KIND | headers)


def search(client, feed, world, **changed):
    """TD3.1b."""
    from urllib.parse import urlencode

    asked = {
        "patient.identifier": f"urn:oid:{world.OID}|{world.PATIENT}",
        "status": "current,superseded",
        "identifier": f"{URI}|urn:oid:{feed.unique_id}",
    }
    asked = {k: v for k, v in (asked | changed).items() if v is not None}
    return client.request("GET", f"/fhir/DocumentReference?{urlencode(asked)}")


def issues(reply):
    """(type, IHE code) of the errors of an OperationOutcome."""
    outcome = json.loads(reply.body)
    assert outcome["resourceType"] == "OperationOutcome" and reply.media_type.startswith("application/fhir+json")
    return [(i["code"], i.get("details", {}).get("coding", [{}])[0].get("code", "")) for i in outcome["issue"]]


@pytest.fixture
def feed(world):
    return Feed(world, world.PATIENT)


# Taken.


def test_a_good_transaction_is_registered_and_answered_entry_by_entry(client, feed, world):
    reply = post(client, feed.bundle)
    assert reply.http == 200, reply.body
    answer = json.loads(reply.body)
    assert (answer["type"], len(answer["entry"])) == ("transaction-response", 3)
    statuses = [e["response"]["status"] for e in answer["entry"]]
    assert all(s.startswith("201") for s in statuses)
    ident = answer["entry"][1]["response"]["location"].split("/")[1]
    assert client.entry_uuid(feed.unique_id) == f"urn:uuid:{ident}"
    found = json.loads(search(client, feed, world).body)
    assert [e["resource"]["id"] for e in found["entry"]] == [ident]
    attachment = found["entry"][0]["resource"]["content"][0]["attachment"]
    assert (attachment["hash"], attachment["size"]) == (feed.attachment["hash"], len(feed.data))


def test_a_document_alone_is_created(client, feed):
    reply = post(client, feed.alone, "/fhir/DocumentReference")
    assert reply.http == 201, reply.body
    made = json.loads(reply.body)
    assert (made["masterIdentifier"]["value"], made["status"]) == (f"urn:oid:{feed.unique_id}", "current")
    assert client.entry_uuid(feed.unique_id) == f"urn:uuid:{made['id']}"


def test_the_registry_is_that_of_the_other_route(client, feed, world, message):
    """Fed by SOAP, found and replaced by FHIR."""
    old = message()
    assert client.send(old).status == "Success"
    target = client.entry_uuid(old.unique_id).removeprefix("urn:uuid:")
    new = Feed(world, world.PATIENT, number=old.number, version=2, replaces=old.unique_id, target=target)
    assert json.loads(search(client, old, world).body)["entry"][0]["resource"]["id"] == target
    reply = post(client, new.bundle)
    assert reply.http == 200, reply.body
    assert json.loads(reply.body)["entry"][2]["response"]["status"].startswith("200")
    states = {d["unique_id"]: d["status"].rsplit(":", 1)[-1] for d in client.state()["documents"]}
    assert (states[old.unique_id], states[new.unique_id]) == ("Deprecated", "Approved")
    assert json.loads(search(client, old, world, status="current").body)["total"] == 0


def test_the_number_of_a_request_is_repeated(client, feed):
    client.connection.request("POST", "/fhir", json.dumps(feed.bundle), KIND | {"X-Request-Id": "abc"})
    response = client.connection.getresponse()
    response.read()
    assert response.getheader("X-Request-Id") == "abc"


# Refused: what is spoiled, the status, the issue type and the code of IHE.


def at(path, value):
    """Put a value at a path of the Feed; None takes the element away."""

    def spoil(f):
        *way, last = path
        node = getattr(f, way[0]) if way else f
        for step in way[1:]:
            node = node[step]
        if value is None:
            del node[last]
        else:
            node[last] = value

    return spoil


def docref(*path_and_value):
    *path, value = path_and_value
    return at(("docref", *path), value)


def adds(f, resource, method, url):
    """One more entry."""
    full = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, url)}"
    f.bundle["entry"].append({"fullUrl": full, "resource": resource, "request": {"method": method, "url": url}})


def doctor(f):
    return f.docref["contained"][1]


def signed_by_another(f):
    other = copy.deepcopy(doctor(f)) | {"id": "q"}
    other["identifier"][0]["value"] = "801234567889"
    f.docref["contained"].append(other)
    f.docref["authenticator"] = {"reference": "#q"}


SPOILED = [
    ("another type of Bundle", at(("bundle", "type"), "batch"), 422, "value", ""),
    ("no profile", at(("bundle", "meta"), None), 422, "required", ""),
    ("another profile", at(("bundle", "meta", "profile"), [f"{BASE}x"]), 422, "value", ""),
    ("no List", lambda f: f.bundle["entry"].pop(0), 422, "structure", ""),
    ("two Lists", lambda f: adds(f, f.set, "POST", "List"), 422, "structure", ""),
    ("a resource of another slice", lambda f: adds(f, {"resourceType": "Observation"}, "POST", "Observation"), 422, "structure", ""),
    ("a fullUrl twice", lambda f: f.bundle["entry"][0].update(fullUrl=f.bundle["entry"][1]["fullUrl"]), 422, "value", ""),
    ("a PUT", lambda f: f.bundle["entry"][1]["request"].update(method="PUT"), 422, "value", ""),
    ("no Binary", lambda f: f.bundle["entry"].pop(2), 422, "invariant", ""),
    ("a Binary of nothing", at(("docref", "content", 0, "attachment", "url"), "urn:uuid:0"), 422, "invariant", ""),
    ("data that are not base64", at(("binary", "data"), "?"), 422, "value", ""),
    ("a Binary of another type", at(("binary", "contentType"), "application/pdf"), 422, "invariant", ""),
    ("no uniqueId of the set", at(("set", "identifier"), None), 422, "required", ""),
    ("no sourceId", lambda f: f.set["extension"].pop(), 422, "required", ""),
    ("no entry in the List", at(("set", "entry"), []), 422, "required", ""),
    ("an entry of nothing", at(("set", "entry", 0, "item", "reference"), "urn:uuid:0"), 422, "invariant", ""),
    ("a source outside", at(("set", "source", "reference"), "Practitioner/1"), 422, "invariant", ""),
    ("a source that is a Practitioner", at(("set", "source", "reference"), "#p"), 422, "invariant", ""),
    ("an element of nobody", docref("docStatus", "final"), 422, "structure", ""),
    ("an empty list", docref("securityLabel", []), 422, "required", ""),
    ("no custodian", docref("custodian", None), 422, "required", ""),
    ("no masterIdentifier.use", docref("masterIdentifier", "use", None), 422, "required", ""),
    ("superseded already", docref("status", "superseded"), 422, "value", ""),
    ("two categories", lambda f: f.docref["category"].append(f.docref["category"][0]), 422, "structure", ""),
    ("dates that differ", docref("date", "2026-01-10T09:15:01Z"), 422, "invariant", ""),
    ("a date without offset", docref("date", "2026-01-10T09:15:00"), 422, "value", ""),
    ("an author outside", docref("author", 0, "reference", "#nobody"), 422, "invariant", ""),
    ("a contained resource of nobody", lambda f: f.docref["contained"].append(f.docref["contained"][1] | {"id": "q"}), 422, "invariant", ""),
    ("two contained of one id", lambda f: f.docref["contained"].append(f.docref["contained"][1]), 422, "invariant", ""),
    ("a RPPS of another", lambda f: doctor(f)["identifier"].append({"system": "https://rpps.esante.gouv.fr", "value": "0" * 11}), 422, "invariant", ""),
    ("a patch of nothing", lambda f: adds(f, PATCH, "PATCH", "DocumentReference/1"), 422, "invariant", ""),
    ("a replacement without its patch", docref("relatesTo", [{"code": "replaces", "target": {"reference": "DocumentReference/1"}}]), 422, "invariant", ""),
    ("two patients", lambda f: f.docref["subject"].update(identifier={"system": "urn:oid:2.999", "value": "0"}), 422, "value", ""),
    # The rules of the registry, as for the other route.
    ("another digest", docref("content", 0, "attachment", "hash", base64.b64encode(bytes(20)).decode()), 422, "invalid", "XDSRepositoryMetadataError"),
    ("a digest in hexadecimal", lambda f: f.attachment.update(hash=hashlib.sha1(f.data).hexdigest()), 422, "invalid", "XDSRepositoryMetadataError"),
    ("another size", docref("content", 0, "attachment", "size", 1), 422, "invalid", "XDSRepositoryMetadataError"),
    ("another title", docref("content", 0, "attachment", "title", "Autre"), 422, "invalid", "XDSRegistryMetadataError"),
    ("another class", docref("category", 0, nos("TRE_A03-ClasseDocument", "11")), 422, "invalid", "XDSRegistryMetadataError"),
    ("a code of the wrong system", docref("category", 0, nos("TRE_A05-TypeDocComplementaireCISIS", "10")), 422, "invalid", "XDSRegistryMetadataError"),
    ("a system of nobody", docref("type", "coding", 0, "system", "http://snomed.info/sct"), 422, "invalid", "XDSRegistryMetadataError"),
    ("no N", docref("securityLabel", 0, nos("TRE_A07-StatutVisibiliteDocument", "MASQUE_PS")), 422, "invalid", "XDSRegistryMetadataError"),
    ("another birth date", lambda f: f.docref["contained"][3].update(birthDate="1980-05-13"), 422, "invalid", "XDSRegistryMetadataError"),
    ("another given name", lambda f: f.docref["contained"][3]["name"][0].update(given=["ANNE"]), 422, "invalid", "XDSRegistryMetadataError"),
    ("another signatory", signed_by_another, 422, "invalid", "XDSRegistryMetadataError"),
    ("another document", docref("masterIdentifier", "value", "urn:oid:1.2.250.1.999.1.1.77"), 422, "invalid", "XDSDocumentUniqueIdError"),
    ("an identifier that is no OID", docref("masterIdentifier", "value", "urn:uuid:0"), 422, "invalid", "XDSDocumentUniqueIdError"),
    # Whoever keeps the document is whoever asks.
    ("a custodian that is another structure", lambda f: f.docref["contained"][2]["identifier"][0].update(value="1990000788"), 403, "forbidden", ""),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "status", "kind", "code"), [s[1:] for s in SPOILED], ids=[s[0] for s in SPOILED])
def test_one_broken_rule_refuses_the_whole(client, feed, spoil, status, kind, code):
    before = client.state()["counts"]
    spoil(feed)
    reply = post(client, feed.bundle)
    assert (reply.http, (kind, code) in issues(reply)) == (status, True), reply.body
    after = client.state()["counts"]
    assert after["documents"] == before["documents"]
    assert (after["received"], after["refused"]) == (before["received"] + 1, before["refused"] + 1)
    # No value of a patient, nor of the message, is repeated.
    assert not any(word in reply.body for word in (b"DUVAL", b"JEANNE", b"1980", b"urn:oid:"))


def test_who_has_no_dmp(client, world):
    for patient in (world.UNOPENED, world.CLOSED, world.STRANGER):
        reply = post(client, Feed(world, patient).bundle)
        assert (reply.http, issues(reply)) == (404, [("not-found", "XDSUnknownPatientId")])


def test_a_document_fed_twice(client, feed, world, message):
    """By the same route, the other transaction or the other route; with other bytes it is told apart."""
    assert post(client, feed.bundle).http == 200
    for again in (post(client, feed.bundle), post(client, feed.alone, "/fhir/DocumentReference")):
        assert (again.http, issues(again)[0]) == (409, ("duplicate", "XDSDuplicateUniqueIdInRegistry"))
    other = Feed(world, world.PATIENT, number=feed.number)
    changed = other.data.replace(b"written for the tests", b"other bytes for them!")
    other.binary["data"] = base64.b64encode(changed).decode()
    other.attachment["hash"] = base64.b64encode(hashlib.sha1(changed).digest()).decode()
    reply = post(client, other.bundle)
    assert (reply.http, issues(reply)[0]) == (409, ("conflict", "XDSNonIdenticalHash"))


@pytest.mark.parametrize(("target", "status", "code"), [
    ("00000000-0000-0000-0000-000000000000", 422, "XDSReplaceFailed"),
    (None, 409, "XDSRegistryDeprecatedDocumentError"),
])  # fmt: skip
def test_what_a_replacement_names_exists_and_is_in_force(client, world, target, status, code):
    old = Feed(world, world.PATIENT)
    post(client, old.bundle)
    real = client.entry_uuid(old.unique_id).removeprefix("urn:uuid:")
    if target is None:
        second = Feed(world, world.PATIENT, number=old.number, version=2, replaces=old.unique_id, target=real)
        assert post(client, second.bundle).http == 200
    late = Feed(world, world.PATIENT, number=old.number, version=3, replaces=old.unique_id, target=target or real)
    reply = post(client, late.bundle)
    assert (reply.http, issues(reply)[0][1]) == (status, code)


# The protocol.


def test_what_is_not_fhir_is_refused(client, feed):
    body = json.dumps(feed.bundle).encode()
    assert post(client, body, **{"Content-Type": "text/xml"}).http == 415
    assert post(client, body, Accept="text/html").http == 406
    assert issues(post(client, b"{")) == [("structure", "")]
    assert post(client, b'{"resourceType":"Bundle","resourceType":"Bundle"}').http == 400
    assert post(client, b"[]").http == 400
    assert post(client, body, "/fhir/DocumentReference").http == 400
    assert post(client, body, "/fhir/Observation").http == 404
    assert client.request("PUT", "/fhir/DocumentReference", body, KIND).http == 405
    assert post(client, body, "/fhirx").http == 404


@pytest.mark.parametrize(
    "changed",
    [
        {"status": None},
        {"status": "entered-in-error"},
        {"patient.identifier": None},
        {"identifier": None},
        {"identifier": "1.2.3"},
        {"identifier": f"{URI}|a,{URI}|b"},
        {"type": "x|y"},
    ],
    ids=str,
)
def test_a_search_is_complete_and_understood(client, feed, world, changed):
    assert search(client, feed, world, **changed).http == 400


def test_a_search_of_another_patient_finds_nothing(client, feed, world):
    post(client, feed.bundle)
    for patient in (world.OTHER, world.STRANGER):
        reply = search(client, feed, world, **{"patient.identifier": f"urn:oid:{world.OID}|{patient}"})
        assert (reply.http, json.loads(reply.body)["total"]) == (200, 0)


def test_whether_a_patient_has_a_dmp(client, world):
    def asked(patient, oid=world.OID):
        return client.request("GET", f"/fhir/Patient?identifier=urn:oid:{oid}%7C{patient}")

    for patient, active in ((world.PATIENT, True), (world.CLOSED, False)):
        found = json.loads(asked(patient).body)["entry"]
        assert [e["resource"]["active"] for e in found] == [active]
    assert json.loads(asked(world.UNOPENED).body)["total"] == 0
    # A production identity here means that someone points real data at it.
    assert asked(world.PATIENT, "1.2.250.1.213.1.4.8").http == 400
    assert client.request("GET", "/fhir/Patient").http == 400


def test_the_token_is_due_for_everything(start, connect, feed, world):
    with start(token="abc") as running:
        client = connect(running)
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "abc"}):
            reply = post(client, feed.bundle, **headers)
            assert (reply.http, issues(reply)) == (401, [("login", "")])
        assert search(client, feed, world).http == 401
        assert post(client, feed.bundle, Authorization="Bearer abc").http == 200


def test_what_was_registered_stands_after_a_restart(start, connect, feed, world):
    with start() as running:
        assert post(connect(running), feed.bundle).http == 200
    with start() as running:
        client = connect(running)
        assert json.loads(search(client, feed, world).body)["total"] == 1
        assert post(client, feed.bundle).http == 409

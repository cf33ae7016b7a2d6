"""The VIHF assertion and the signature of the set: optional, read when they are there."""

from __future__ import annotations

import base64
import copy
import hashlib

import pytest
from lxml import etree

SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
SIGNS = "urn:ihe:iti:2007:AssociationType:signs"


def assertion(patient_cx, structure, mode="INDIRECTE"):
    def attribute(name, value):
        return f'<s:Attribute Name="{name}"><s:AttributeValue>{value}</s:AttributeValue></s:Attribute>'

    roles = "".join(
        f'<s:AttributeValue><Role xmlns="urn:hl7-org:v3" code="{code}" codeSystem="{system}"/></s:AttributeValue>'
        for code, system in (("10", "1.2.250.1.71.1.2.7"), ("SM26", "1.2.250.1.71.4.2.5"))
    )
    return (
        f'<w:Security xmlns:w="{SECURITY}" soap:mustUnderstand="1"><s:Assertion '
        'xmlns:s="urn:oasis:names:tc:SAML:2.0:assertion" Version="2.0" ID="_1" IssueInstant="2026-01-15T12:00:00.000Z">'
        "<s:Issuer>CN=cachet</s:Issuer><s:Subject><s:NameID>801234567897</s:NameID></s:Subject><s:AttributeStatement>"
        + attribute("Identifiant_Structure", structure)
        + f'<s:Attribute Name="urn:oasis:names:tc:xacml:2.0:subject:role">{roles}</s:Attribute>'
        + attribute("Authentification_mode", mode)
        + attribute("urn:oasis:names:tc:xacml:2.0:resource:resource-id", patient_cx.replace("&", "&amp;"))
        + "</s:AttributeStatement></s:Assertion></w:Security>"
    )


@pytest.fixture
def with_assertion(message, world):
    sent = message()
    sent.security = assertion(sent.set_identifiers["set patientId"], world.STRUCT_ID)
    return sent


def test_an_assertion_is_accepted(client, with_assertion):
    assert client.send(with_assertion).status == "Success"


def test_absence_is_refused_only_when_asked(start, connect, message, with_assertion):
    with start(require_vihf=True) as sandbox:
        client = connect(sandbox)
        assert "VIHF" in client.send(message()).fault[2]
        assert client.send(with_assertion).status == "Success"


SPOILED = [
    ("SAML 1.1", ('Version="2.0"', 'Version="1.1"'), "Version"),
    ("no assertion", ("s:Assertion", "s:Assertions"), "assertion"),
    ("no issuer", ("s:Issuer>", "s:Issuers>"), "Issuer"),
    ("no subject", ("801234567897</s:NameID>", "</s:NameID>"), "NameID"),
    ("unknown mode", (">INDIRECTE<", ">AIR<"), "Authentification_mode"),
    ("no structure", ('Name="Identifiant_Structure"', 'Name="Structure"'), "Identifiant_Structure"),
    ("another structure", (">1990000000</s", ">1990000001</s"), "AuthorInstitution"),
    (
        "physician without specialty",
        (
            '<s:AttributeValue><Role xmlns="urn:hl7-org:v3" code="SM26" codeSystem="1.2.250.1.71.4.2.5"/></s:AttributeValue>',
            "",
        ),
        "spécialité",
    ),
    ("two roles in one value", ('"/></s:AttributeValue><s:AttributeValue><Role', '"/><Role'), "role"),
]


@pytest.mark.parametrize(("change", "named"), [pytest.param(*rest, id=name) for name, *rest in SPOILED])
def test_an_assertion_the_dmp_would_refuse(client, with_assertion, change, named):
    with_assertion.edits.append(change)
    code, _, reason = client.send(with_assertion).fault
    assert code == "soap:Sender"
    assert named in reason


def test_an_assertion_about_another_patient(client, with_assertion, world):
    sent = with_assertion
    sent.security = assertion(f"{world.OTHER}^^^&{world.OID}&ISO^NH", world.STRUCT_ID)
    assert "patient" in client.send(sent).fault[2]


# The signature of the set.


def signature(sent, own_id, algorithm="sha1"):
    octets = etree.tostring(etree.fromstring(sent.entry.data).getroottree(), method="c14n", with_comments=True)
    digest = base64.b64encode(hashlib.new(algorithm, octets).digest()).decode()
    method = {"sha1": f"{DS}sha1", "sha256": "http://www.w3.org/2001/04/xmlenc#sha256"}[algorithm]
    transform = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"
    return (
        f'<Signature xmlns="{DS}" Id="{own_id}"><SignedInfo><Reference URI="#IHEManifest"/>'
        '<Reference URI="#S0-SignedProperties"/></SignedInfo><SignatureValue>AAAA</SignatureValue><Object>'
        f'<Manifest Id="IHEManifest"><Reference URI="urn:oid:{sent.set_identifiers["set uniqueId"]}">'
        f'<DigestMethod Algorithm="{method}"/><DigestValue>AA==</DigestValue></Reference>'
        f'<Reference URI="urn:oid:{sent.unique_id}"><Transforms><Transform Algorithm="{transform}"/></Transforms>'
        f'<DigestMethod Algorithm="{method}"/><DigestValue>{digest}</DigestValue></Reference></Manifest></Object></Signature>'
    ).encode()


@pytest.fixture
def signed(message):
    sent = message()
    entry = copy.deepcopy(sent.entry)
    entry.id = "Signature01"
    entry.title = "Source"
    entry.identifiers["uniqueId"] = f"1.2.250.1.999.4.{sent.number}"
    entry.data = signature(sent, entry.identifiers["uniqueId"])
    entry.slots.update(languageCode=["art"], sourcePatientId=[sent.set_identifiers["set patientId"]])
    del entry.slots["sourcePatientInfo"], entry.slots["legalAuthenticator"]
    a07 = "1.2.250.1.213.1.1.4.13"
    entry.codes.update(
        classCode=[("urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1", "URN")],
        typeCode=[("E1762", "ASTM")],
        formatCode=[(DS, "URN")],
        eventCodeList=[("1.2.840.10065.1.12.1.14", "1.2.840.10065.1.12")],
        confidentialityCode=[("N", "2.16.840.1.113883.5.25"), ("MASQUE_PS", a07), ("INVISIBLE_PATIENT", a07)],
    )
    sent.also(entry)
    sent.associations.append({"type": SIGNS, "source": "Signature01", "target": "Set01", "status": ["Original"]})
    return sent


def test_a_signed_set_is_accepted(client, signed):
    reply = client.send(signed)
    assert (reply.status, reply.errors) == ("Success", [])


def test_sha256_is_accepted(client, signed):
    entry = signed.entries[1]
    entry.data = signature(signed, entry.identifiers["uniqueId"], "sha256")
    assert client.send(signed).status == "Success"


METADATA, CONTENT = "XDSRegistryMetadataError", "InvalidDocumentContent"
SIGNED_WRONGLY = [
    ("title", lambda m, e: setattr(e, "title", "Signature"), METADATA, "title"),
    ("language", lambda m, e: e.slots.update(languageCode=["fr-FR"]), METADATA, "languageCode"),
    ("traits given", lambda m, e: e.slots.update(sourcePatientInfo=["PID-8|F"]), METADATA, "sourcePatientInfo"),
    (
        "local patient number",
        lambda m, e: e.slots.update(sourcePatientId=["P17^^^&1.2.250.1.999.9&ISO^PI"]),
        METADATA,
        "sourcePatientId",
    ),
    ("visible", lambda m, e: e.codes["confidentialityCode"].pop(), METADATA, "confidentialityCode"),
    ("type", lambda m, e: e.codes.update(typeCode=[("11488-4", "2.16.840.1.113883.6.1")]), METADATA, "typeCode"),
    ("purpose", lambda m, e: e.codes.update(eventCodeList=[]), METADATA, "eventCodeList"),
    ("no signs association", lambda m, e: m.associations.pop(), METADATA, "signs"),
    ("signs the document", lambda m, e: m.associations[-1].update(target="Document01"), METADATA, "signs"),
    (
        "unique id not an OID",
        lambda m, e: e.identifiers.update(uniqueId="Signature01"),
        "XDSDocumentUniqueIdError",
        "uniqueId",
    ),
    ("not a signature", lambda m, e: setattr(e, "data", b"<a/>"), CONTENT, "Signature"),
    ("digest of another document", lambda m, e: m.entry.edit("JVBERi0xLjQK", "JVBERi0xLjUK"), CONTENT, "digest"),
    ("document not in the manifest", lambda m, e: e.edit(f"urn:oid:{m.unique_id}", "urn:oid:1.2"), CONTENT, "manifest"),
    ("transform without comments", lambda m, e: e.edit("#WithComments", ""), CONTENT, "digest"),
    ("another Id", lambda m, e: e.edit(' Id="1.2', ' Id="2.2'), CONTENT, "Id"),
    (
        "signed properties not covered",
        lambda m, e: e.edit('<Reference URI="#S0-SignedProperties"/>', ""),
        CONTENT,
        "SignedInfo",
    ),
]


@pytest.mark.parametrize(("spoil", "code", "named"), [pytest.param(*rest, id=name) for name, *rest in SIGNED_WRONGLY])
def test_a_signature_out_of_form(client, signed, spoil, code, named):
    spoil(signed, signed.entries[1])
    reply = client.send(signed)
    assert reply.status == "Failure"
    assert any(code == one and named in what for one, what in reply.errors), reply.errors

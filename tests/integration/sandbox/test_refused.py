"""One rule broken at a time: the error says which attribute, never a value, and nothing is registered."""

from __future__ import annotations

import hashlib

import pytest

METADATA = "XDSRegistryMetadataError"
REPOSITORY = "XDSRepositoryMetadataError"
CONTENT = "InvalidDocumentContent"
PATIENT = "XDSPatientIdDoesNotMatch"
UNIQUE = "XDSDocumentUniqueIdError"
TEST_OID = "1.2.250.1.213.1.4.10"
TRE_A07 = "1.2.250.1.213.1.1.4.13"
VITAL = ("2.16.840.1.113883.6.1", "1.2.250.1.213.1.1.4.12")


def slot(name, *values):
    return lambda m: m.entry.slots.update({name: list(values)})


def no_slot(name):
    return lambda m: m.entry.slots.pop(name)


def set_slot(name, *values):
    return lambda m: m.set_slots.update({name: list(values)})


def code(name, *values):
    return lambda m: m.entry.codes.update({name: list(values)})


def identifier(name, value):
    return lambda m: m.entry.identifiers.update({name: value})


def set_identifier(name, value):
    return lambda m: m.set_identifiers.update({f"set {name}": value})


def author(name, *values):
    return lambda m: m.entry.authors[0].update({name: list(values)})


def edit(old, new):
    return lambda m: m.entry.edit(old, new)


def xml(old, new):
    return lambda m: m.edits.append((old, new))


def patient_everywhere(old, new):
    """Another identity in the document and in the metadata, so that only its own form is wrong."""

    def spoil(m):
        cx = m.set_identifiers["set patientId"]
        ins = cx[:15]
        m.entry.edit(f'root="{TEST_OID}" extension="{ins}"', f'root="{TEST_OID.replace(*old)}" extension="{new(ins)}"')
        wrong = cx.replace(ins, new(ins)).replace(*old)
        m.set_identifiers["set patientId"] = wrong
        m.entry.identifiers["patientId"] = wrong

    return spoil


CASES = [
    # The submission set.
    ("submission time missing", lambda m: m.set_slots.clear(), METADATA, "submissionTime"),
    ("submission time of 12 digits", set_slot("submissionTime", "202601151100"), METADATA, "submissionTime"),
    ("submission time that never was", set_slot("submissionTime", "20260231110000"), METADATA, "submissionTime"),
    (
        "two submission times",
        set_slot("submissionTime", "20260115110000", "20260115110001"),
        METADATA,
        "submissionTime",
    ),
    ("slot of nobody", set_slot("submissionPlace", "here"), METADATA, "Slot"),
    ("content type missing", lambda m: m.set_codes.clear(), METADATA, "contentTypeCode"),
    (
        "content type in another system",
        lambda m: m.set_codes.update(contentTypeCode=[("07", "1.2.3")]),
        METADATA,
        "contentTypeCode",
    ),
    ("author of the set missing", lambda m: m.set_authors.clear(), METADATA, "author"),
    (
        "set not marked",
        xml("urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd", "urn:uuid:a54d6aa5-d40d-43f9-88c5-000000000000"),
        METADATA,
        "classificationNode",
    ),
    (
        "mark on another object",
        xml('classifiedObject="Set01"/>', 'classifiedObject="Document01"/>'),
        METADATA,
        "classificationNode",
    ),
    ("source id not an OID", set_identifier("sourceId", "cabinet"), METADATA, "sourceId"),
    ("source id with a leading zero", set_identifier("sourceId", "1.2.250.01"), METADATA, "sourceId"),
    ("set unique id not an OID", set_identifier("uniqueId", "urn:uuid:0"), METADATA, "uniqueId"),
    ("patient of the set missing", lambda m: m.set_identifiers.pop("set patientId"), METADATA, "patientId"),
    # Identity.
    (
        "INS key off by one",
        patient_everywhere(("", ""), lambda ins: ins[:13] + f"{int(ins[13:]) % 97 + 1:02}"),
        METADATA,
        "key",
    ),
    ("production OID", patient_everywhere((".4.10", ".4.8"), lambda ins: ins), METADATA, "OID"),
    ("INS of 14 characters", patient_everywhere(("", ""), lambda ins: ins[:14]), METADATA, "15 characters"),
    (
        "local type of identifier",
        lambda m: (
            set_identifier("patientId", m.set_identifiers["set patientId"].replace("NH", "PI"))(m),
            m.entry.identifiers.update(patientId=m.set_identifiers["set patientId"]),
        ),
        METADATA,
        "patientId",
    ),
    (
        "entry of another patient than the set",
        lambda m: identifier("patientId", f"{'1' * 15}^^^&{TEST_OID}&ISO^NH")(m),
        PATIENT,
        "patientId",
    ),
    (
        "document of another patient",
        lambda m: m.entry.edit(m.set_identifiers["set patientId"][:15], "179018888800188"),
        PATIENT,
        "patientId",
    ),
    (
        "INS not first in the document",
        lambda m: m.entry.edit(
            f'<id root="{TEST_OID}"', f'<id root="1.2.250.1.999.8" extension="Z"/><id root="{TEST_OID}"'
        ),
        PATIENT,
        "first",
    ),
    # Slots of the entry.
    *[
        (f"{name} missing", no_slot(name), METADATA, name)
        for name in (
            "creationTime",
            "languageCode",
            "legalAuthenticator",
            "serviceStartTime",
            "sourcePatientId",
            "sourcePatientInfo",
        )
    ],
    ("creation time with an offset", slot("creationTime", "20260110101500+0100"), METADATA, "creationTime"),
    ("creation time left in local time", slot("creationTime", "20260110101500"), METADATA, "creationTime"),
    ("service start left in local time", slot("serviceStartTime", "20260110100000"), METADATA, "serviceStartTime"),
    ("service stop before its start", slot("serviceStopTime", "20260109000000"), METADATA, "serviceStopTime"),
    ("language of two letters", slot("languageCode", "fr"), METADATA, "languageCode"),
    (
        "legal authenticator without given name",
        slot("legalAuthenticator", "801234567897^MARTIN^^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"),
        METADATA,
        "has a value that is not the XCN",
    ),
    (
        "legal authenticator not that of the document",
        slot("legalAuthenticator", "801234567880^MARTIN^Luce^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"),
        METADATA,
        "legalAuthenticator",
    ),
    (
        "legal authenticator a device",
        slot("legalAuthenticator", "3990000000/7^a^b^^^^^^&1.2.250.1.71.4.2.1&ISO^U^^^RI"),
        METADATA,
        "has a value that is not the XCN",
    ),
    ("source patient id without authority", slot("sourcePatientId", "P17"), METADATA, "sourcePatientId"),
    (
        "source patient id unknown to the document",
        slot("sourcePatientId", "P18^^^&1.2.250.1.999.9&ISO^PI"),
        METADATA,
        "sourcePatientId",
    ),
    (
        "INS although a local number exists",
        lambda m: slot("sourcePatientId", m.set_identifiers["set patientId"])(m),
        METADATA,
        "sourcePatientId",
    ),
    ("no birth name", lambda m: m.entry.slots["sourcePatientInfo"].pop(0), METADATA, "PID-5"),
    (
        "used name not that of the document",
        lambda m: m.entry.slots["sourcePatientInfo"].__setitem__(1, "PID-5|PETI^JEANNE^^^^^D"),
        METADATA,
        "PID-5",
    ),
    ("no birth date", lambda m: m.entry.slots["sourcePatientInfo"].pop(2), METADATA, "PID-7"),
    ("other sex", lambda m: m.entry.slots["sourcePatientInfo"].__setitem__(3, "PID-8|M"), METADATA, "PID-8"),
    (
        "birth place in the wrong component",
        lambda m: m.entry.slots["sourcePatientInfo"].__setitem__(4, "PID-11|^^^^^BDL^^75112"),
        METADATA,
        "PID-11",
    ),
    (
        "unknown field",
        lambda m: m.entry.slots["sourcePatientInfo"].append("PID-13|0600000000"),
        METADATA,
        "sourcePatientInfo",
    ),
    ("URI in a feed", slot("URI", "DOC0001.XML"), METADATA, "URI"),
    (
        "repository given by the client",
        slot("repositoryUniqueId", "1.2.250.1.213.4.1.1.1.2"),
        METADATA,
        "repositoryUniqueId",
    ),
    (
        "order number without type",
        slot("urn:ihe:iti:xds:2013:referenceIdList", "A7^^^&1.2.3&ISO"),
        METADATA,
        "referenceIdList",
    ),
    # Bytes.
    ("hash of other bytes", slot("hash", hashlib.sha1(b"").hexdigest()), REPOSITORY, "hash"),
    ("size off by one", lambda m: slot("size", str(len(m.entry.data) + 1))(m), REPOSITORY, "size"),
    ("hash not hexadecimal", slot("hash", "g" * 40), METADATA, "hash"),
    ("size with a leading zero", lambda m: slot("size", f"0{len(m.entry.data)}")(m), METADATA, "size"),
    ("hash and size left out", lambda m: setattr(m.entry, "measured", False), METADATA, "hash"),
    (
        "entry without its document",
        lambda m: (m.entry.slots.update(hash=["0" * 40], size=["1"]), setattr(m.entry, "data", None)),
        "XDSMissingDocument",
        "Document",
    ),
    (
        "document under another id",
        xml('<xds:Document id="Document01">', '<xds:Document id="documentO1">'),
        "XDSMissingDocumentMetadata",
        "ExtrinsicObject",
    ),
    (
        "document id in another case",
        xml('<xds:Document id="Document01">', '<xds:Document id="document01">'),
        "XDSMissingDocument",
        "ExtrinsicObject",
    ),
    # Codes of the entry.
    *[
        (f"{name} missing", code(name), METADATA, name)
        for name in (
            "classCode",
            "typeCode",
            "confidentialityCode",
            "formatCode",
            "healthcareFacilityTypeCode",
            "practiceSettingCode",
            "eventCodeList",
        )
    ],
    ("class of another type", code("classCode", ("11", "1.2.250.1.213.1.1.4.1")), METADATA, "ASS_X04"),
    ("class in another system", code("classCode", ("10", VITAL[0])), METADATA, "classCode"),
    (
        "two classes",
        code("classCode", ("10", "1.2.250.1.213.1.1.4.1"), ("11", "1.2.250.1.213.1.1.4.1")),
        METADATA,
        "classCode",
    ),
    ("type out of the value set", code("typeCode", ("00000-0", VITAL[0])), METADATA, "typeCode"),
    ("type in another system", code("typeCode", ("11488-4", VITAL[1])), METADATA, "typeCode"),
    (
        "type that the DMP does not list",
        lambda m: (code("typeCode", ("34120-6", VITAL[0]))(m), m.entry.edit("11488-4", "34120-6")),
        METADATA,
        "typeCode",
    ),
    ("type not that of the document", lambda m: m.entry.edit("11488-4", "34749-2"), METADATA, "typeCode"),
    (
        "N not first",
        code("confidentialityCode", ("MASQUE_PS", TRE_A07), ("N", "2.16.840.1.113883.5.25")),
        METADATA,
        "confidentialityCode",
    ),
    ("visibility without N", code("confidentialityCode", ("MASQUE_PS", TRE_A07)), METADATA, "confidentialityCode"),
    (
        "a visibility twice",
        code("confidentialityCode", ("N", "2.16.840.1.113883.5.25"), ("MASQUE_PS", TRE_A07), ("MASQUE_PS", TRE_A07)),
        METADATA,
        "confidentialityCode",
    ),
    (
        "restricted, which the DMP set does not hold",
        code("confidentialityCode", ("N", "2.16.840.1.113883.5.25"), ("R", "2.16.840.1.113883.5.25")),
        METADATA,
        "confidentialityCode",
    ),
    (
        "PDF format of the XDM samples",
        code("formatCode", ("urn:ihe:iti:xds-sd:pdf:2008", VITAL[1])),
        METADATA,
        "formatCode",
    ),
    (
        "format of another template",
        code("formatCode", ("urn:asip:ci-sis:vsm:2012", "1.2.250.1.213.1.1.4.2.282")),
        METADATA,
        "templateId",
    ),
    (
        "text format for a PDF",
        code("formatCode", ("urn:ihe:iti:xds-sd:text:2008", "1.3.6.1.4.1.19376.1.2.3")),
        METADATA,
        "media type",
    ),
    (
        "facility not that of the document",
        code("healthcareFacilityTypeCode", ("SA08", "1.2.250.1.71.4.2.4")),
        METADATA,
        "healthcareFacilityTypeCode",
    ),
    (
        "facility unknown",
        code("healthcareFacilityTypeCode", ("SA00", "1.2.250.1.71.4.2.4")),
        METADATA,
        "healthcareFacilityTypeCode",
    ),
    (
        "practice setting not that of the document",
        code("practiceSettingCode", ("ETABLISSEMENT", "1.2.250.1.213.1.1.4.9")),
        METADATA,
        "practiceSettingCode",
    ),
    (
        "act that the document does not name",
        lambda m: m.entry.codes["eventCodeList"].append(("Z", "1.2.250.1.213.2.5")),
        METADATA,
        "eventCodeList",
    ),
    (
        "code without its system",
        xml(
            '<rim:Slot name="codingScheme"><rim:ValueList><rim:Value>1.2.250.1.71.4.2.4</rim:Value></rim:ValueList></rim:Slot>',
            "",
        ),
        METADATA,
        "no Slot codingScheme",
    ),
    ("code without a label", xml('<rim:Name><rim:LocalizedString value="libellé"/></rim:Name>', ""), METADATA, "label"),
    (
        "unknown scheme",
        xml("urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4", "urn:uuid:2c6b8cb7-8b2a-4051-b291-000000000000"),
        METADATA,
        "classificationScheme",
    ),
    (
        "classification of another object",
        xml(
            'classifiedObject="Document01" nodeRepresentation="10"', 'classifiedObject="Set01" nodeRepresentation="10"'
        ),
        METADATA,
        "classifiedObject",
    ),
    # Authors.
    ("author missing", lambda m: m.entry.authors.clear(), METADATA, "author"),
    ("author with a slot of another object", author("creationTime", "20260110091500"), METADATA, "Slot"),
    ("author person missing", lambda m: m.entry.authors[0].pop("authorPerson"), METADATA, "exactly once"),
    (
        "author institution missing",
        lambda m: m.entry.authors[0].pop("authorInstitution"),
        METADATA,
        "authorInstitution",
    ),
    ("author specialty missing", lambda m: m.entry.authors[0].pop("authorSpecialty"), METADATA, "authorSpecialty"),
    (
        "author without family name",
        author("authorPerson", "801234567897^^Luce^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"),
        METADATA,
        "name",
    ),
    (
        "author under the authority of structures",
        author("authorPerson", "801234567897^MARTIN^Luce^^^^^^&1.2.250.1.71.4.2.2&ISO^D^^^IDNPS"),
        METADATA,
        "authority",
    ),
    (
        "professional named as a device",
        author("authorPerson", "801234567897^MARTIN^Luce^^^^^^&1.2.250.1.71.4.2.1&ISO^U^^^IDNPS"),
        METADATA,
        "kind of name",
    ),
    (
        "author without an authority",
        author("authorPerson", "801234567897^MARTIN^Luce^^^^^^^D^^^IDNPS"),
        METADATA,
        "not &OID&ISO",
    ),
    (
        "RPPS without its prefix",
        author("authorPerson", "01234567897^MARTIN^Luce^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"),
        METADATA,
        "identifier",
    ),
    (
        "XCN with a component missing",
        author("authorPerson", "801234567897^MARTIN^Luce^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"),
        METADATA,
        "XCN",
    ),
    (
        "person who did not write the document",
        author("authorPerson", "801234567880^MARTIN^Luce^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"),
        METADATA,
        "author of the document",
    ),
    (
        "institution without name",
        author("authorInstitution", "^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1990000000"),
        METADATA,
        "authorInstitution",
    ),
    (
        "institution without identifier",
        author("authorInstitution", "Cabinet^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^"),
        METADATA,
        "authorInstitution",
    ),
    (
        "institution of nine components",
        author("authorInstitution", "Cabinet^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^1990000000"),
        METADATA,
        "XON of 10",
    ),
    (
        "institution under the authority of persons",
        author("authorInstitution", "Cabinet^^^^^&1.2.250.1.71.4.2.1&ISO^IDNST^^^1990000000"),
        METADATA,
        "authority and kind",
    ),
    (
        "specialty without its system",
        author("authorSpecialty", "G15_10/SM26^Médecine générale"),
        METADATA,
        "authorSpecialty",
    ),
    (
        "specialty unknown",
        author("authorSpecialty", "G15_10/SM99^x^1.2.250.1.213.1.1.4.5"),
        METADATA,
        "authorSpecialty",
    ),
    ("one author too many", lambda m: m.entry.authors.append(dict(m.entry.authors[0])), METADATA, "number of authors"),
    (
        "author of a set on an entry",
        xml("urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d", "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"),
        METADATA,
        "other kind",
    ),
    # The object.
    ("title missing", lambda m: setattr(m.entry, "title", ""), METADATA, "title (Name)"),
    ("title not that of the document", lambda m: setattr(m.entry, "title", "Autre"), METADATA, "title"),
    ("media type of a PDF", lambda m: m.entry.attributes.update(mimeType="application/pdf"), METADATA, "mimeType"),
    (
        "object of another type",
        lambda m: m.entry.attributes.update(objectType="urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"),
        METADATA,
        "objectType",
    ),
    (
        "born deprecated",
        lambda m: m.entry.attributes.update(status="urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"),
        METADATA,
        "status",
    ),
    ("lid given by the client", lambda m: m.entry.attributes.update(lid="urn:uuid:0"), METADATA, "lid"),
    ("unique id not that of the document", identifier("uniqueId", "1.2.250.1.999.5"), UNIQUE, "uniqueId"),
    (
        "unique id as an entryUUID",
        identifier("uniqueId", "urn:uuid:00000000-0000-4000-8000-000000000000"),
        UNIQUE,
        "uniqueId",
    ),
    (
        "identifier named after the other object",
        xml("XDSDocumentEntry.uniqueId", "XDSSubmissionSet.uniqueId"),
        METADATA,
        "Name",
    ),
    (
        "identifier of another object",
        xml('registryObject="Document01"', 'registryObject="Set01"'),
        METADATA,
        "registryObject",
    ),
    ("two objects with one id", xml('id="Document01-patientId"', 'id="Set01"'), METADATA, "id"),
    (
        "object that is not one of a submission",
        xml("<rim:RegistryObjectList>", '<rim:RegistryObjectList><rim:ObjectRef id="urn:uuid:0"/>'),
        METADATA,
        "RegistryObjectList",
    ),
    (
        "element that is not one of an entry",
        xml("</rim:ExtrinsicObject>", "<rim:ContentVersionInfo/></rim:ExtrinsicObject>"),
        METADATA,
        "no place",
    ),
    ("two slots of one name", xml('name="languageCode"', 'name="creationTime"'), METADATA, "name of another"),
    ("slot with an empty value", slot("languageCode", ""), METADATA, "empty one"),
    ("author with a code", xml('nodeRepresentation=""', 'nodeRepresentation="x"'), METADATA, "not the empty text"),
    ("empty code", code("practiceSettingCode", ("", "1.2.250.1.213.1.1.4.9")), METADATA, "missing or empty"),
    ("unknown identifier", xml("urn:uuid:58a6f841-", "urn:uuid:58a6f842-"), METADATA, "identificationScheme"),
    # Associations.
    ("entry outside the set", lambda m: m.associations.clear(), METADATA, "HasMember"),
    ("entry twice in the set", lambda m: m.associations.append(dict(m.associations[0])), METADATA, "HasMember"),
    ("member without status", lambda m: m.associations[0].update(status=[]), METADATA, "SubmissionSetStatus"),
    ("member by reference", lambda m: m.associations[0].update(status=["Reference"]), METADATA, "SubmissionSetStatus"),
    (
        "member the wrong way round",
        lambda m: m.associations[0].update(source="Document01", target="Set01"),
        METADATA,
        "HasMember does not go",
    ),
    ("short association type", lambda m: m.associations[0].update(type="HasMember"), METADATA, "associationType"),
    # The document.
    ("realm of another country", edit('realmCode code="FR"', 'realmCode code="US"'), CONTENT, "realmCode"),
    ("no realm", edit('<realmCode code="FR"/>', ""), CONTENT, "realmCode"),
    ("type id of nothing", edit("POCD_HD000040", "POCD_HD000041"), CONTENT, "typeId"),
    ("no HL7 France template", edit('<templateId root="2.16.840.1.113883.2.8.2.1"/>', ""), CONTENT, "templateId"),
    ("no CI-SIS template", edit('<templateId root="1.2.250.1.213.1.1.1.1"/>', ""), CONTENT, "templateId"),
    ("no template of a model", edit('<templateId root="1.3.6.1.4.1.19376.1.2.20"/>', ""), CONTENT, "templateId"),
    ("no patient", edit("recordTarget>", "recordTarge>"), CONTENT, "recordTarget"),
    ("INS without a birth place", edit("<county>75112</county>", ""), CONTENT, "birth place"),
    ("INS without the list of given names", edit("<given>JEANNE MARIE</given>", ""), CONTENT, "given names"),
    ("act without a date", edit('<low value="20260110100000+0100"/>', ""), CONTENT, "effectiveTime/low"),
    (
        "id without root",
        lambda m: m.entry.edit(f'<id root="{m.unique_id}"/>', '<id extension="1"/>'),
        CONTENT,
        "id has no root",
    ),
    ("local number without root", edit('<id root="1.2.250.1.999.9" ', "<id "), CONTENT, "id of the patient"),
    ("record of nobody", edit("patient>", "person>"), CONTENT, "no patient"),
    ("author without a date", edit('<author><time value="20260110101500+0100"/>', "<author>"), CONTENT, "no time"),
    (
        "replacing two documents",
        edit("<componentOf>", '<relatedDocument typeCode="RPLC"/><componentOf>'),
        CONTENT,
        "relatedDocument",
    ),
    ("no act", edit("documentationOf>", "documentationOff>"), CONTENT, "documentationOf is missing"),
    ("version not a number", edit('<versionNumber value="1"', '<versionNumber value="v1"'), CONTENT, "versionNumber"),
    ("header confidentiality unknown", edit('Code code="N"', 'Code code="MASQUE_PS"'), CONTENT, "confidentialityCode"),
    ("other namespace", edit("urn:hl7-org:v3", "urn:hl7-org:v2"), CONTENT, "ClinicalDocument"),
    ("not XML", lambda m: setattr(m.entry, "data", b"%PDF-1.4"), CONTENT, "well-formed"),
    ("cut in the middle", lambda m: setattr(m.entry, "data", m.entry.data[:1500]), CONTENT, "well-formed"),
    ("empty document", lambda m: setattr(m.entry, "data", b""), CONTENT, "well-formed"),
]


@pytest.mark.requirement("DMP-38", "DMP-39")
@pytest.mark.parametrize(("spoil", "expected", "named"), [pytest.param(*rest, id=name) for name, *rest in CASES])
def test_a_broken_rule_gives_its_error(client, message, spoil, expected, named):
    sent = message()
    spoil(sent)
    reply = client.send(sent)
    assert (reply.http, reply.status) == (200, "Failure")
    said = [what for code, what in reply.errors if code == expected]
    assert any(named in what for what in said), reply.errors
    for secret in ("DUVAL", "JEANNE", "P17", "MARTIN", sent.set_identifiers.get("set patientId", "-" * 15)[:15]):
        assert secret.encode() not in reply.body
    assert sent.unique_id not in {d["unique_id"] for d in client.state()["documents"]}


@pytest.mark.requirement("DMP-38")
def test_one_mistake_gives_one_error(client, message):
    # Without this, a sandbox that complains about everything would pass the table above.
    sent = message()
    sent.entry.slots["languageCode"] = ["en-US"]
    assert client.send(sent).codes == [METADATA, METADATA]
    sent = message()
    sent.entry.codes["practiceSettingCode"] = [("ETABLISSEMENT", "1.2.250.1.213.1.1.4.9")]
    assert client.send(sent).codes == [METADATA]


@pytest.mark.parametrize("who", ["CLOSED", "UNOPENED", "STRANGER"])
def test_a_patient_without_an_open_dmp(client, message, world, who):
    reply = client.send(message(getattr(world, who)))
    assert (reply.status, reply.codes) == ("Failure", ["XDSUnknownPatientId"])


def test_all_or_nothing(client, message):
    good, bad = message(), message()
    bad.entry.id = "Document02"
    bad.entry.title = "Autre"
    good.also(bad.entry)
    assert client.send(good).status == "Failure"
    kept = {d["unique_id"] for d in client.state()["documents"]}
    assert not {good.unique_id, bad.unique_id} & kept

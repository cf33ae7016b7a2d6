"""TD0.2: does a patient have a DMP."""

from __future__ import annotations

import pytest

ACTION = "urn:hl7-org:v3:PRPA_IN201307UV02"


def request(ins, oid):
    return f"""<PRPA_IN201307UV02 xmlns="urn:hl7-org:v3" ITSVersion="XML_1.0"><id root="1.2.250.1.999.7" extension="1"/>
<creationTime value="20260115120000"/><interactionId root="2.16.840.1.113883.1.6" extension="PRPA_IN201307UV02"/>
<processingCode code="D"/><processingModeCode code="T"/><acceptAckCode code="AL"/>
<receiver typeCode="RCV"><device classCode="DEV" determinerCode="INSTANCE"><id root="1.2.250.1.213.4.1.1.1"/>
<softwareName>DMP</softwareName></device></receiver><sender typeCode="SND"><device classCode="DEV"
determinerCode="INSTANCE"><id root="1.2.250.1.999.7"/></device></sender><controlActProcess classCode="CACT" moodCode="EVN">
<reasonCode code="TEST_EXST" codeSystem="1.2.250.1.213.1.1.4.11"/><queryByParameter><queryId root="1.2.250.1.999.7"
extension="q1"/><statusCode code="new"/><parameterList><patientIdentifier><value root="{oid}" extension="{ins}"/>
<semanticsText>Patient.id</semanticsText></patientIdentifier></parameterList></queryByParameter></controlActProcess>
</PRPA_IN201307UV02>"""


@pytest.mark.requirement("DMP-08")
@pytest.mark.parametrize(
    ("who", "code", "status"),
    [("PATIENT", "OK", "active"), ("CLOSED", "OK", "terminated"), ("UNOPENED", "NF", None), ("STRANGER", "NF", None)],
)
def test_existence(client, world, who, code, status):
    reply = client.ask("patients", ACTION, request(getattr(world, who), world.OID))
    assert reply.http == 200
    assert reply.find(".//{*}Header/{*}Action")[0].text == "urn:hl7-org:v3:PRPA_IN201308UV02"
    assert reply.find(".//{*}queryResponseCode")[0].get("code") == code
    assert reply.find(".//{*}acknowledgement/{*}typeCode")[0].get("code") == "AA"
    assert [one.get("code") for one in reply.find(".//{*}patient/{*}statusCode")] == ([status] if status else [])
    assert [one.get("extension") for one in reply.find(".//{*}queryAck/{*}queryId")] == ["q1"]


@pytest.mark.requirement("DMP-08")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(('code="D"', 'code="P"'), id="processing code"),
        pytest.param(('code="AL"', 'code="NE"'), id="acknowledgement code"),
        pytest.param(("TEST_EXST", "MODIF_DATA"), id="reason of another transaction"),
        pytest.param(("1.2.250.1.213.1.1.4.11", "1.2.250.1.213.1.1.4.12"), id="reason in another system"),
        pytest.param(('<id root="1.2.250.1.213.4.1.1.1"/>', '<id root="1.2"/>'), id="another receiver"),
        pytest.param(("<softwareName>DMP<", "<softwareName>INSi<"), id="another software"),
        pytest.param(("<semanticsText>Patient.id<", "<semanticsText>Patient<"), id="semantics"),
        pytest.param(("1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.8"), id="production OID"),
        pytest.param(("PRPA_IN201307UV02", "PRPA_IN201305UV02"), id="another interaction"),
    ],
)
def test_a_request_that_lacks_something_due(client, world, change):
    body = request(world.PATIENT, world.OID)
    assert change[0] in body
    reply = client.ask("patients", ACTION, body.replace(*change))
    assert reply.http == 400
    assert reply.fault[0] == "soap:Sender"
    assert world.PATIENT.encode() not in reply.body

"""TD0.2, the question whether a patient has a DMP: the HL7v3 request PRPA_IN201307UV02 (sheet dmp-transactions, 3).

Identifiers and instant are arguments. The answer is read by `gateways.dmp`; when to ask is the feeder's business.
"""

from __future__ import annotations

from datetime import datetime

from transvase.exporters.iti41 import Message, envelope
from transvase.formats.xml_text import attribute as q
from transvase.formats.xml_text import text as t
from transvase.model.clock import utc14

ACTION = "urn:hl7-org:v3:PRPA_IN201307UV02"
_DMP = "1.2.250.1.213.4.1.1.1"


def request(
    ins: str, ins_oid: str, sender: str, software: str, message_id: str, instant: datetime, to: str, assertion: str = ""
) -> Message:
    """`ins` has 15 characters under `ins_oid`; `sender` is the OID of the calling installation; `message_id` is `urn:uuid:…`."""
    number = q(message_id.rsplit(":", 1)[-1])
    device = 'device classCode="DEV" determinerCode="INSTANCE"'
    body = (
        '<PRPA_IN201307UV02 xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ITSVersion="XML_1.0">'
        f'<id root="{q(sender)}" extension="{number}"/><creationTime value="{utc14(instant)}"/>'
        '<interactionId root="2.16.840.1.113883.1.6" extension="PRPA_IN201307UV02"/>'
        '<processingCode code="D"/><processingModeCode code="T"/><acceptAckCode code="AL"/>'
        f'<receiver typeCode="RCV"><{device}><id root="{_DMP}"/><softwareName>DMP</softwareName></device></receiver>'
        f'<sender typeCode="SND"><{device}><id root="{q(sender)}"/><softwareName>{t(software)}</softwareName></device></sender>'
        '<attentionLine xsi:nil="true"/><controlActProcess classCode="CACT" moodCode="EVN">'
        '<reasonCode code="TEST_EXST" codeSystem="1.2.250.1.213.1.1.4.11" displayName="Test d\'existence de dossier"/>'
        f'<queryByParameter><queryId root="{q(sender)}" extension="{number}"/><statusCode code="new"/><parameterList>'
        f'<patientIdentifier><value root="{q(ins_oid)}" extension="{q(ins)}"/><semanticsText>Patient.id</semanticsText>'
        "</patientIdentifier></parameterList></queryByParameter></controlActProcess></PRPA_IN201307UV02>"
    )
    data = envelope(ACTION, message_id, to, body, assertion).encode()
    return Message(f'application/soap+xml; charset=UTF-8; action="{ACTION}"', (data,))

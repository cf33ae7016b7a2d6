"""TD0.2: does a patient have a DMP, and is it open (sheet dmp-transactions, section 3).

No trait is answered: the sandbox knows none, and the rules forbid showing those of the DMP to the user.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from xml.sax.saxutils import quoteattr

from transvase.sandbox import forms, markup
from transvase.sandbox.registry import Registry
from transvase.sandbox.soap import Fault

HL7 = "urn:hl7-org:v3"
DMP_DEVICE = "1.2.250.1.213.4.1.1.1"
_INTERACTIONS = "2.16.840.1.113883.1.6"
_REASONS = "1.2.250.1.213.1.1.4.11"
_ATTENTION = "1.2.250.1.213.4.1.2.6"

# Path of the element, attribute, value due.
_DUE = (
    ("interactionId", "root", _INTERACTIONS),
    ("interactionId", "extension", "PRPA_IN201307UV02"),
    ("processingCode", "code", "D"),
    ("processingModeCode", "code", "T"),
    ("acceptAckCode", "code", "AL"),
    ("receiver/device/id", "root", DMP_DEVICE),
    ("controlActProcess/reasonCode", "code", "TEST_EXST"),
    ("controlActProcess/reasonCode", "codeSystem", _REASONS),
)


def answer(body: markup.Element, registry: Registry, clock: datetime) -> str:
    """The PRPA_IN201308UV02 to a PRPA_IN201307UV02. Raises `Fault` when the request lacks something due."""
    if markup.parts(body) != (HL7, "PRPA_IN201307UV02"):
        raise Fault("Body does not hold a PRPA_IN201307UV02.")
    for path, attribute, due in _DUE:
        element = _find(body, path)
        if element is None or element.get(attribute) != due:
            raise Fault(f"{path}/@{attribute} is not the value due.")
    software = _find(body, "receiver/device/softwareName")
    if markup.text(software) != "DMP":
        raise Fault("receiver/device/softwareName is not DMP.")
    sender = _find(body, "sender/device/id")
    identifier = _find(body, "id")
    if sender is None or not forms.is_oid(sender.get("root", "")):
        raise Fault("sender/device/id/@root is not an OID.")
    if identifier is None or not identifier.get("root"):
        raise Fault("id/@root is missing.")
    parameters = body.findall(f".//{{{HL7}}}patientIdentifier")
    value = _find(parameters[0], "value") if len(parameters) == 1 else None
    if value is None or markup.text(_find(parameters[0], "semanticsText")) != "Patient.id":
        raise Fault("There is not exactly one patientIdentifier with value and semanticsText Patient.id.")
    number, oid = value.get("extension", ""), value.get("root", "")
    if problem := forms.ins_problem(number, oid):
        raise Fault(f"patientIdentifier is refused: {problem}.")
    query = _find(body, "controlActProcess/queryByParameter/queryId")
    return _response(registry.patient_state(number, oid), number, oid, identifier, sender, query, clock)


def _find(parent: markup.Element, path: str) -> markup.Element | None:
    return parent.find("/".join(f"{{{HL7}}}{name}" for name in path.split("/")))


def _identifier(name: str, element: markup.Element) -> str:
    extension = element.get("extension")
    return f"<{name} root={quoteattr(element.get('root', ''))}{f' extension={quoteattr(extension)}' if extension else ''}/>"


def _response(
    state: str,
    number: str,
    oid: str,
    request: markup.Element,
    sender: markup.Element,
    query: markup.Element | None,
    clock: datetime,
) -> str:
    subject = ""
    if state != "none":
        status = "active" if state == "active" else "terminated"
        subject = (
            '<subject typeCode="SUBJ"><registrationEvent classCode="REG" moodCode="EVN"><statusCode code="active"/>'
            f'<subject1 typeCode="SBJ"><patient classCode="PAT"><id root="{oid}" extension="{number}"/>'
            f'<statusCode code="{status}"/></patient></subject1></registrationEvent></subject>'
        )
    return (
        f'<PRPA_IN201308UV02 xmlns="{HL7}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ITSVersion="XML_1.0">'
        f'<id root="{DMP_DEVICE}" extension="{uuid.uuid5(uuid.NAMESPACE_OID, _identifier("id", request))}"/>'
        f'<creationTime value="{clock:%Y%m%d%H%M%S}"/>'
        f'<interactionId root="{_INTERACTIONS}" extension="PRPA_IN201308UV02"/>'
        '<processingCode code="D"/><processingModeCode code="T"/><acceptAckCode code="NE"/>'
        f'<receiver typeCode="RCV"><device classCode="DEV" determinerCode="INSTANCE">{_identifier("id", sender)}</device></receiver>'
        f'<sender typeCode="SND"><device classCode="DEV" determinerCode="INSTANCE"><id root="{DMP_DEVICE}"/>'
        "<softwareName>DMP</softwareName></device></sender>"
        # A structure that only feeds has declared no authorisation: feeding needs none.
        f'<attentionLine><keyWordText code="AUTORISATION" codeSystem="{_ATTENTION}.1"/>'
        f'<value xsi:type="CV" code="NON_EXISTE" codeSystem="{_ATTENTION}.2"/></attentionLine>'
        f'<attentionLine><keyWordText code="STATUT_MT" codeSystem="{_ATTENTION}.1"/>'
        '<value xsi:type="BL" value="false"/></attentionLine>'
        '<acknowledgement><typeCode code="AA"/>'
        f"<targetMessage>{_identifier('id', request)}</targetMessage></acknowledgement>"
        f'<controlActProcess classCode="CACT" moodCode="EVN"><code code="PRPA_TE201308UV02"/>{subject}'
        f"<queryAck>{_identifier('queryId', query) if query is not None else ''}"
        f'<queryResponseCode code="{"OK" if subject else "NF"}"/></queryAck></controlActProcess></PRPA_IN201308UV02>'
    )

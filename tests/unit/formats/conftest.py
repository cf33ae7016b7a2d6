"""A small CDA that the tests of formats vary."""

from __future__ import annotations

from collections.abc import Callable

import pytest

HEADER = """<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<realmCode code="FR"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="2.16.840.1.113883.2.8.2.1"/><templateId root="1.2.250.1.213.1.1.1.1"/>{template}
<id root="1.2.3.4.1"/><code code="11488-4" codeSystem="2.16.840.1.113883.6.1" displayName="CR de la maison"/>
<title>Compte rendu de consultation</title><effectiveTime value="20240328093000+0100"/>
<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25" displayName="Normal"/><languageCode code="fr-FR"/>
<setId root="1.2.3.4"/><versionNumber value="1"/>
<recordTarget><patientRole><id root="1.2.250.1.213.1.4.10" extension="279035121518989"/><id root="1.2.3.5" extension="77"/>
<patient><name><family qualifier="BR">PAT-TROIS</family><given>DOMINIQUE MARIE-LOUISE</given>
<given qualifier="BR">DOMINIQUE</given><family qualifier="CL">MARTIN</family><given qualifier="CL">DOM</given></name>
<administrativeGenderCode code="F"/><birthTime value="19790328"/>
<birthplace><place><addr><county>51215</county></addr></place></birthplace></patient></patientRole></recordTarget>
<author><functionCode code="PCP" codeSystem="2.16.840.1.113883.5.88" displayName="Médecin traitant"/>
<time value="20240328093000+0100"/><assignedAuthor><id root="1.2.250.1.71.4.2.1" extension="801234567897"/>
<code code="G15_10/SM26" codeSystem="1.2.250.1.213.1.1.4.5" displayName="Médecin"/>
<assignedPerson><name><given>Paul</given><family>LEGRAND</family></name></assignedPerson>
<representedOrganization><id root="1.2.250.1.71.4.2.2" extension="1750512345"/><name>Cabinet</name></representedOrganization>
</assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization><id root="1.2.250.1.71.4.2.2" extension="1750512345"/>
</representedCustodianOrganization></assignedCustodian></custodian>
<legalAuthenticator><time value="20240328093000+0100"/><signatureCode code="S"/><assignedEntity>
<id root="1.2.250.1.71.4.2.1" extension="801234567897"/>
<assignedPerson><name><given>Paul</given><family>LEGRAND</family></name></assignedPerson></assignedEntity></legalAuthenticator>
<documentationOf><serviceEvent><code code="CS" codeSystem="1.2.250.1.215.200.3.3" displayName="Consultation"/>
<effectiveTime><low value="20240328090000+0100"/></effectiveTime><performer typeCode="PRF"><assignedEntity>
<id root="1.2.250.1.71.4.2.1" extension="801234567897"/><representedOrganization>
<standardIndustryClassCode code="AMBULATOIRE" codeSystem="1.2.250.1.213.1.1.4.9" displayName="Ambulatoire"/>
</representedOrganization></assignedEntity></performer></serviceEvent></documentationOf>
<componentOf><encompassingEncounter><effectiveTime><low value="20240328090000+0100"/></effectiveTime><location>
<healthCareFacility><code code="SA07" codeSystem="1.2.250.1.71.4.2.4" displayName="Cabinet individuel"/></healthCareFacility>
</location></encompassingEncounter></componentOf>
<component>{body}</component></ClinicalDocument>"""

STRUCTURED = "<structuredBody>{sections}</structuredBody>"


@pytest.fixture(scope="session")
def a_cda() -> Callable[..., bytes]:
    """`a_cda(("old", "new"), …, body=…)`: the small document, each text replaced (it must be there)."""

    def build(*changes: tuple[str, str], template: str = "", body: str = "<structuredBody/>") -> bytes:
        document = HEADER.format(template=template, body=body)
        for old, new in changes:
            assert old in document, f"{old!r} is not in the document"
            document = document.replace(old, new)
        return document.encode()

    return build

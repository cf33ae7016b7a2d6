"""Reading the VIHF assertion of a request, when there is one (sheet vihf).

Lenient: signature, dates, certificate and homologation are not verified. What the public material shows the DMP refusing
by name is refused here too (sheet dmp-transactions, 11).
"""

from __future__ import annotations

from typing import NamedTuple

from transvase.sandbox import markup
from transvase.sandbox.soap import Fault

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
_HL7 = "urn:hl7-org:v3"
_ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role"
_RESOURCE = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"
_MODES = ("DIRECTE", "INDIRECTE", "INDIRECTE_RENFORCEE")
# Sheet vihf, 4: physicians, and pharmacists under either of the two codes the public samples and kit disagree on.
_WITH_SPECIALTY = ("10", "20", "21")


class Token(NamedTuple):
    """What later checks need: Struct_IdNat, authentication mode, patient (CX, empty when absent)."""

    structure: str
    mode: str
    patient: str


def read(security: markup.Element) -> Token:
    """The token of a `wsse:Security` header. Raises `Fault`."""
    assertions = security.findall(f"{{{SAML}}}Assertion")
    if len(assertions) != 1:
        raise Fault("Security does not hold exactly one SAML 2.0 assertion.")
    assertion = assertions[0]
    if assertion.get("Version") != "2.0" or not assertion.get("ID") or not assertion.get("IssueInstant"):
        raise Fault("The assertion lacks Version 2.0, ID or IssueInstant.")
    if not markup.text(assertion.find(f"{{{SAML}}}Issuer")):
        raise Fault("The assertion has no Issuer.")
    if not markup.text(assertion.find(f"{{{SAML}}}Subject/{{{SAML}}}NameID")):
        raise Fault("The assertion has no Subject/NameID.")
    values: dict[str, str] = {}
    roles: list[list[str]] = []
    for attribute in assertion.iterfind(f"{{{SAML}}}AttributeStatement/{{{SAML}}}Attribute"):
        name = attribute.get("Name", "")
        found = attribute.findall(f"{{{SAML}}}AttributeValue")
        if name == _ROLE:
            roles += [[role.get("code", "") for role in value.iterfind(f"{{{_HL7}}}Role")] for value in found]
        elif found:
            # The samples and the kit disagree on the case of Authentification_mode.
            values[name.lower()] = markup.text(found[0])
    mode = values.get("authentification_mode", "")
    if mode not in _MODES:
        raise Fault("Authentification_mode is not one of the three modes.")
    if not values.get("identifiant_structure"):
        raise Fault("Identifiant_Structure is missing.")
    if not roles or any(len(codes) != 1 for codes in roles):
        raise Fault("Each role must stand alone in its own AttributeValue.")
    if roles[0][0] in _WITH_SPECIALTY and len(roles) < 2:
        raise Fault("Aucune spécialité dans le vihf")
    return Token(values["identifiant_structure"], mode, values.get(_RESOURCE, ""))


def check(token: Token, patient: str, institutions: set[str]) -> None:
    """A feed's token against its set: `patient` is the CX of the set, `institutions` the Struct_IdNat of its authors'
    institutions. Raises `Fault`."""
    if token.patient != patient:
        raise Fault("The assertion is not about the patient of the submission set.")
    if token.mode != "DIRECTE" and token.structure not in institutions:
        raise Fault("Aucun AuthorInstitution ne correspond à l'utilisateur du VIHF")

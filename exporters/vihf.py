"""The VIHF: the SAML 2.0 assertion that says who asks the DMP, for which structure, about which patient (sheet vihf).

Values in, signed XML text out; identifier and instant are arguments, so that the same request has the same assertion. Reading the
seal's files belongs to `formats.structure_seal`, the place in the message to `iti41`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from transvase.formats.cda import Coded
from transvase.formats.structure_seal import DIGEST_METHOD, SIGNATURE_METHOD, Digest, Seal, digest_value
from transvase.formats.xades import DS, EXCLUSIVE_C14N
from transvase.formats.xml_text import attribute as q
from transvase.formats.xml_text import text as t
from transvase.model.codes.author_specialties import CODES as SPECIALTIES
from transvase.model.codes.confidentiality_codes import CODES as CONFIDENTIALITY
from transvase.model.codes.facility_types import CODES as FACILITIES

Mode = Literal["INDIRECTE", "DIRECTE"]
VERSION = "3.0"
_SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
_CLASSES = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
# An unattended feeder is no login of a person; in direct mode the card is.
_CONTEXT: dict[Mode, str] = {"INDIRECTE": f"{_CLASSES}unspecified", "DIRECTE": f"{_CLASSES}SmartcardPKI"}
_PROFESSIONS = "1.2.250.1.71.1.2.7"
_SKILLS = "1.2.250.1.71.4.2.5"
_SYSTEM_NAMES = {_PROFESSIONS: "G15", _SKILLS: "R01"}
# Physicians and pharmacists, whose second role is mandatory (sheet vihf, 4).
_WITH_SKILL = ("10", "21")
# A structure's prefix in Struct_IdNat, and the one of the same identifier inside a PS_IdNat (sheet practitioner-identifiers, 3).
_INSIDE = {"0": "1", "1": "3", "2": "4", "3": "5", "4": "6"}


class Person(NamedTuple):
    """The professional who answers for a request: PS_IdNat (or an identifier inside the structure), name, profession then skill.
    No role when the profession is not known under a national code."""

    id: str
    name: str
    roles: tuple[Coded, ...]

    @property
    def complete(self) -> bool:
        """The roles that the DMP asks of that profession are there ("Aucune spécialité dans le vihf" otherwise)."""
        return len(self.roles) == 2 or (len(self.roles) == 1 and self.roles[0].code not in _WITH_SKILL)


class Caller(NamedTuple):
    """What does not change in a run: Struct_IdNat, facility type (JDV_J61 code), mode, and the software: installation identifier,
    name, version, homologation number (empty where there is none yet)."""

    structure: str
    facility: str
    mode: Mode
    installation: str
    software: str
    version: str
    homologation: str


def person(row: Any, structure: str) -> Person:
    """From a `practitioner` row; `structure` is a Struct_IdNat, under which one without a national identifier is named."""
    internal = f"{_INSIDE.get(structure[:1], '')}{structure[1:]}/{row.key}"
    return Person(row.idnat or internal, " ".join(filter(None, (row.given, row.family))), _roles(row.specialty or ""))


def _roles(specialty: str) -> tuple[Coded, ...]:
    """Roles of a JDV_J01 code: `G15_10/SM26` is a profession and a skill, a code of another set stands alone."""
    known = SPECIALTIES.get(specialty)
    if known is None:
        return ()
    register, _, rest = known.code.partition("_")
    if register != "G15":
        # Trainees (G16) have no OID in the public material.
        return () if register == "G16" else (Coded(known.code, known.system, known.display),)
    code, _, skill = rest.partition("/")
    whole = SPECIALTIES.get(f"{register}_{code}")
    profession = Coded(code, _PROFESSIONS, whole.display if whole else known.display)
    if not skill:
        return (profession,)
    return profession, Coded(skill, _SKILLS, known.display.partition(" - ")[2] or known.display)


def assertion(
    caller: Caller,
    who: Person,
    patient: str,
    ident: str,
    instant: datetime,
    seal: Seal,
    digest: Digest,
    *,
    secret: bool = False,
) -> str:
    """The signed assertion. `patient` is a CX, or empty where a request has no patient; `ident` an NCName; `instant` aware.

    `secret` marks a secret connection: the legal representatives shall see nothing of it."""
    stamp = instant.astimezone(UTC)
    issued = f"{stamp:%Y-%m-%dT%H:%M:%S}.{stamp.microsecond // 1000:03d}Z"
    wire, signed = (
        _parts(form, caller, who, patient, ident, issued, seal.subject, secret) for form in (_WIRE, _SIGNED)
    )
    # The enveloped transform takes the signature away before the digest: what is signed is the assertion without it.
    value = digest_value("".join(signed).encode(), digest)
    head, rest = wire
    return f"{head}{_signature(ident, value, seal, digest)}{rest}"


class _Form(NamedTuple):
    """How the assertion is written: as it is sent, or in the exclusive canonical form that is digested, where a namespace stands on
    the elements that use it, attributes are in order and no element is empty. Nothing is parsed to have the second."""

    scope: str
    xsi: str
    canonical: bool

    def text(self, value: str) -> str:
        """Escaped for element content."""
        found = t(value)
        return found.replace("&#13;", "&#xD;") if self.canonical else found

    def attribute(self, value: str) -> str:
        """Escaped for an attribute."""
        found = q(value)
        if self.canonical and found != value:
            for ours, theirs in (("&gt;", ">"), ("&#9;", "&#x9;"), ("&#10;", "&#xA;"), ("&#13;", "&#xD;")):
                found = found.replace(ours, theirs)
        return found


_XSI = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_WIRE = _Form(f' xmlns:xs="http://www.w3.org/2001/XMLSchema"{_XSI}', "", False)
_SIGNED = _Form("", _XSI, True)


def _parts(
    form: _Form, caller: Caller, who: Person, patient: str, ident: str, issued: str, subject: str, secret: bool
) -> tuple[str, str]:
    """What stands before the signature, and after it."""
    before, after = _attributes(form, caller, who, secret)
    about = _plain(form, "urn:oasis:names:tc:xacml:2.0:resource:resource-id", patient) if patient else ""
    return (
        f'<saml2:Assertion xmlns:saml2="{_SAML}"{form.scope} ID="{form.attribute(ident)}" IssueInstant="{issued}" Version="2.0">'
        '<saml2:Issuer Format="urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName">'
        f"{form.text(subject)}</saml2:Issuer>",
        f"<saml2:Subject><saml2:NameID>{form.text(who.id)}</saml2:NameID></saml2:Subject>"
        f'<saml2:AuthnStatement AuthnInstant="{issued}"><saml2:AuthnContext><saml2:AuthnContextClassRef>'
        f"{_CONTEXT[caller.mode]}</saml2:AuthnContextClassRef></saml2:AuthnContext></saml2:AuthnStatement>"
        f"<saml2:AttributeStatement>{before}{about}{after}</saml2:AttributeStatement></saml2:Assertion>",
    )


@lru_cache(maxsize=64)
def _attributes(form: _Form, caller: Caller, who: Person, secret: bool) -> tuple[str, str]:
    """The attributes before that of the patient, and those after: the same for every document of an author."""
    facility = FACILITIES.get(caller.facility) or FACILITIES["SA43"]
    hidden = CONFIDENTIALITY["INVISIBLE_REPRESENTANTS_LEGAUX"]
    roles = "".join(
        "<saml2:AttributeValue>"
        f"{_coded(form, 'Role', role, _SYSTEM_NAMES.get(role.system) or SPECIALTIES[role.code].system_name)}"
        "</saml2:AttributeValue>"
        for role in who.roles
    )
    purpose = Coded("normal", "1.2.250.1.213.1.1.4.248", "Accès normal")
    before = (
        _plain(form, "Identifiant_Structure", caller.structure),
        _plain(form, "Secteur_Activite", f"{facility.code}^{facility.system}"),
        # The card names its holder in direct mode.
        _plain(form, "urn:oasis:names:tc:xspa:1.0:subject:subject-id", who.name) if caller.mode == "INDIRECTE" else "",
        _attribute("urn:oasis:names:tc:xacml:2.0:subject:role", roles),
        _plain(form, "VIHF_Version", VERSION),
        _plain(form, "Authentification_mode", caller.mode),
    )
    after = (
        _plain(form, "Ressource_URN", "urn:dmp"),
        _attribute(
            "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse",
            f"<saml2:AttributeValue>{_coded(form, 'PurposeOfUse', purpose, 'mode acces VIHF 2.0')}</saml2:AttributeValue>",
        ),
        _plain(
            form,
            "urn:oasis:names:tc:xspa:1.0:resource:patient:hl7:confidentiality-code",
            f"{hidden.code}^{hidden.system}",
        )
        if secret
        else "",
        _plain(form, "LPS_ID", caller.installation),
        _plain(form, "LPS_Nom", caller.software),
        _plain(form, "LPS_Version", caller.version),
        _plain(form, "LPS_ID_HOMOLOGATION_DMP", caller.homologation) if caller.homologation else "",
    )
    return "".join(before), "".join(after)


def _attribute(name: str, values: str) -> str:
    return f'<saml2:Attribute Name="{name}">{values}</saml2:Attribute>'


def _plain(form: _Form, name: str, value: str) -> str:
    return _attribute(
        name, f'<saml2:AttributeValue{form.xsi} xsi:type="xs:string">{form.text(value)}</saml2:AttributeValue>'
    )


def _coded(form: _Form, tag: str, value: Coded, system_name: str) -> str:
    facts = (
        f'code="{form.attribute(value.code)}" codeSystem="{form.attribute(value.system)}" '
        f'codeSystemName="{form.attribute(system_name)}" displayName="{form.attribute(value.display)}"'
    )
    if form.canonical:
        return f'<{tag} xmlns="urn:hl7-org:v3"{form.xsi} {facts} xsi:type="CE"></{tag}>'
    return f'<{tag} xmlns="urn:hl7-org:v3" xsi:type="CE" {facts}/>'


def _signature(ident: str, value: str, seal: Seal, digest: Digest) -> str:
    # Written in its canonical form, which declares the namespace; in the assertion the signature declares it.
    signed = (
        f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE_C14N}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{SIGNATURE_METHOD[digest]}"></ds:SignatureMethod><ds:Reference URI="#{q(ident)}">'
        f'<ds:Transforms><ds:Transform Algorithm="{DS}enveloped-signature"></ds:Transform>'
        f'<ds:Transform Algorithm="{EXCLUSIVE_C14N}"></ds:Transform></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{DIGEST_METHOD[digest]}"></ds:DigestMethod><ds:DigestValue>{value}</ds:DigestValue>'
        "</ds:Reference></ds:SignedInfo>"
    )
    inherited = signed.replace(f' xmlns:ds="{DS}"', "", 1)
    return (
        f'<ds:Signature xmlns:ds="{DS}">{inherited}<ds:SignatureValue>{seal.sign(signed.encode(), digest)}</ds:SignatureValue>'
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{seal.certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        "</ds:Signature>"
    )

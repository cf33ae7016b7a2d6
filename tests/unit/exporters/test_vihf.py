"""The VIHF: its attributes in the order of the sheet, and a signature that another library (xmlsec) accepts, but nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import xmlsec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from transvase.errors import CertificateRefused
from transvase.exporters import existence, iti41, vihf
from transvase.formats import structure_seal
from transvase.formats.structure_seal import Seal
from transvase.gateways.dmp import DMP
from transvase.model.record import ROW
from transvase.sandbox import authority

CLOCK = datetime.fromisoformat("2026-11-23T20:00:00.123456+01:00")
STRUCTURE = "1990000713"
PATIENT = "180017599000193^^^&1.2.250.1.213.1.4.10&ISO^NH"
SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
CALLER = vihf.Caller(STRUCTURE, "SA07", "INDIRECTE", "1.2.250.1.999", "Transvase", "0.1.0", "TST-000001-tmp1")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> authority.Authority:
    return authority.create(tmp_path_factory.mktemp("keys"), CLOCK, structure=STRUCTURE, hostile=True)


@pytest.fixture(scope="module")
def seal(keys: authority.Authority) -> Seal:
    return structure_seal.load(keys.seal, keys.seal_key, None, CLOCK, DMP)


def practitioner(**facts: Any) -> Any:
    blank = dict.fromkeys(ROW["practitioner"]._fields)
    sound = {"key": "7", "idnat": "899700991005", "family": "Vautrin", "given": "Claire", "specialty": "G15_10/SM26"}
    return ROW["practitioner"](**{**blank, **sound, **facts})


DOCTOR = vihf.person(practitioner(), STRUCTURE)


def made(seal: Seal, caller: vihf.Caller = CALLER, who: vihf.Person = DOCTOR, **options: Any) -> str:
    given_ = {"patient": PATIENT, "ident": "_id1", "instant": CLOCK, "digest": "sha256"} | options
    return vihf.assertion(caller, who, seal=seal, **given_)


def parsed(text: str) -> Any:
    return etree.fromstring(text.encode())


def attributes(text: str) -> dict[str, list[str]]:
    """Name to values; a coded value as `code^system`."""

    def value(node: Any) -> str:
        if not len(node):
            assert node.get(f"{XSI}type") == "xs:string"
            return node.text or ""
        assert node[0].get(f"{XSI}type") == "CE"
        return f"{node[0].get('code')}^{node[0].get('codeSystem')}"

    found = parsed(text).iterfind(f"{SAML}AttributeStatement/{SAML}Attribute")
    return {a.get("Name"): [value(v) for v in a] for a in found}


def verify(document: bytes, certificate: Path) -> None:
    """xmlsec.Error unless the signature of the only assertion of a document holds for that certificate."""
    root = etree.fromstring(document)
    (assertion,) = root.iter(f"{SAML}Assertion")
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_file(str(certificate), xmlsec.KeyFormat.CERT_PEM)
    context.register_id(assertion, "ID")
    context.verify(assertion.find("{*}Signature"))


# What it says.


@pytest.mark.requirement("VIHF-06", "VIHF-09", "VIHF-15")
def test_the_attributes_of_indirect_mode_in_the_order_of_the_sheet(seal: Seal) -> None:
    assert list(attributes(made(seal, secret=True)).items()) == [
        ("Identifiant_Structure", [STRUCTURE]),
        ("Secteur_Activite", ["SA07^1.2.250.1.71.4.2.4"]),
        ("urn:oasis:names:tc:xspa:1.0:subject:subject-id", ["Claire Vautrin"]),
        ("urn:oasis:names:tc:xacml:2.0:subject:role", ["10^1.2.250.1.71.1.2.7", "SM26^1.2.250.1.71.4.2.5"]),
        ("VIHF_Version", ["3.0"]),
        ("Authentification_mode", ["INDIRECTE"]),
        ("urn:oasis:names:tc:xacml:2.0:resource:resource-id", [PATIENT]),
        ("Ressource_URN", ["urn:dmp"]),
        ("urn:oasis:names:tc:xspa:1.0:subject:purposeofuse", ["normal^1.2.250.1.213.1.1.4.248"]),
        (
            "urn:oasis:names:tc:xspa:1.0:resource:patient:hl7:confidentiality-code",
            ["INVISIBLE_REPRESENTANTS_LEGAUX^1.2.250.1.213.1.1.4.13"],
        ),
        ("LPS_ID", ["1.2.250.1.999"]),
        ("LPS_Nom", ["Transvase"]),
        ("LPS_Version", ["0.1.0"]),
        ("LPS_ID_HOMOLOGATION_DMP", ["TST-000001-tmp1"]),
    ]


@pytest.mark.requirement("VIHF-07", "VIHF-08")
@pytest.mark.parametrize(
    ("change", "absent"),
    [
        pytest.param(
            {}, "urn:oasis:names:tc:xspa:1.0:resource:patient:hl7:confidentiality-code", id="no secret connection"
        ),
        pytest.param({"patient": ""}, "urn:oasis:names:tc:xacml:2.0:resource:resource-id", id="no patient"),
        pytest.param(
            {"caller": CALLER._replace(mode="DIRECTE")}, "urn:oasis:names:tc:xspa:1.0:subject:subject-id", id="card"
        ),
        pytest.param({"caller": CALLER._replace(homologation="")}, "LPS_ID_HOMOLOGATION_DMP", id="no homologation yet"),
    ],
)
def test_what_is_left_out(seal: Seal, change: dict[str, Any], absent: str) -> None:
    whole = list(attributes(made(seal, secret=True)))
    options = {"secret": bool(change)} | change
    assert list(attributes(made(seal, **options))) == [name for name in whole if name != absent]


@pytest.mark.requirement("VIHF-02", "VIHF-03", "VIHF-04")
def test_the_frame(seal: Seal) -> None:
    root = parsed(made(seal))
    assert (root.tag, root.get("Version"), root.get("ID")) == (f"{SAML}Assertion", "2.0", "_id1")
    # UTC, milliseconds.
    assert root.get("IssueInstant") == "2026-11-23T19:00:00.123Z"
    assert [etree.QName(child).localname for child in root] == [
        "Issuer", "Signature", "Subject", "AuthnStatement", "AttributeStatement",
    ]  # fmt: skip
    assert root[0].get("Format") == "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
    assert root[0].text == f"CN=cachet,OU={STRUCTURE},O=Cabinet du bac a sable,ST=Paris (75),C=FR"
    assert root.findtext(f"{SAML}Subject/{SAML}NameID") == "899700991005"
    held = root.findtext(".//{*}X509Certificate")
    assert held == seal.certificate


@pytest.mark.requirement("VIHF-05")
@pytest.mark.parametrize(
    ("mode", "context"),
    [
        ("INDIRECTE", "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"),
        ("DIRECTE", "urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI"),
    ],
)
def test_the_context_agrees_with_the_mode(seal: Seal, mode: vihf.Mode, context: str) -> None:
    root = parsed(made(seal, CALLER._replace(mode=mode)))
    assert root.findtext(f".//{SAML}AuthnContextClassRef") == context
    assert attributes(made(seal, CALLER._replace(mode=mode)))["Authentification_mode"] == [mode]


@pytest.mark.requirement("VIHF-10", "VIHF-11")
@pytest.mark.parametrize(
    ("specialty", "roles", "complete"),
    [
        ("G15_10/SM26", ["10", "SM26"], True),
        ("G15_10", ["10"], False),
        ("G15_21/D", ["21", "D"], True),
        ("G15_21", ["21"], False),
        ("G15_50", ["50"], True),
        ("G15_60", ["60"], True),
        ("G15_60/SI01", ["60", "SI01"], True),
        ("71", ["71"], True),
        # The OID of the professions of trainees is in no public material.
        ("G16_10", [], False),
        ("MG", [], False),
        (None, [], False),
    ],
)
def test_roles(seal: Seal, specialty: str | None, roles: list[str], complete: bool) -> None:
    who = vihf.person(practitioner(specialty=specialty), STRUCTURE)
    assert ([r.code for r in who.roles], who.complete) == (roles, complete)
    # Each alone in a value of the same attribute.
    stated = attributes(made(seal, who=who))["urn:oasis:names:tc:xacml:2.0:subject:role"]
    assert [value.partition("^")[0] for value in stated] == roles


def test_the_labels_of_a_profession_and_its_skill() -> None:
    assert [r.display for r in DOCTOR.roles] == ["Médecin", "Qualifié en Médecine Générale (SM)"]


@pytest.mark.requirement("VIHF-04")
@pytest.mark.parametrize(
    ("structure", "identifier"),
    [
        ("1990000713", "3990000713/7"),
        ("2732829320", "4732829320/7"),
        ("399800072300010", "599800072300010/7"),
        ("489970099100501", "689970099100501/7"),
        ("099100100100", "199100100100/7"),
    ],
)
def test_one_without_national_identifier_is_named_inside_the_structure(structure: str, identifier: str) -> None:
    assert vihf.person(practitioner(idnat=None), structure).id == identifier


# What it proves.


@pytest.mark.requirement("VIHF-16")
@pytest.mark.parametrize("digest", ["sha256", "sha1"])
@pytest.mark.parametrize("mode", ["INDIRECTE", "DIRECTE"])
def test_the_signature_holds_in_each_message(
    seal: Seal, keys: authority.Authority, digest: str, mode: vihf.Mode
) -> None:
    token = made(seal, CALLER._replace(mode=mode), digest=digest, secret=True)
    message_id = "urn:uuid:6f0d7f0e-5a0c-5c1e-9a57-0c3d2b1a4e6f"
    to = "https://dmp.invalid/repository"
    verify(token.encode(), keys.seal)
    feed = iti41.provide_and_register("<request/>", [("Document01", b"<a/>")], message_id, to, token)
    query = iti41.query_by_unique_id(["1.2.3"], message_id, to, token)
    asked = existence.request(
        "180017599000193", "1.2.250.1.213.1.4.10", "1.2.3", "Transvase", message_id, CLOCK, to, token
    )
    for envelope in (feed.parts[1], query.parts[0], asked.parts[0]):
        verify(envelope, keys.seal)
        (header,) = etree.fromstring(envelope).iter("{http://www.w3.org/2003/05/soap-envelope}Header")
        assert [etree.QName(node).localname for node in header][-1] == "Security"
        assert header[-1][0].tag == f"{SAML}Assertion"


# What escapes differ in: the wire, the canonical form, in text and in attributes.
ODD = st.text(st.sampled_from("aé<>&\"'\t\n\r \ue000"), max_size=12)


@pytest.mark.requirement("VIHF-16")
@settings(max_examples=150, deadline=None)
@given(ODD, ODD, ODD, ODD, st.booleans(), st.sampled_from(["INDIRECTE", "DIRECTE"]))
def test_what_is_digested_is_the_canonical_form_of_what_is_sent(
    name: str, patient: str, label: str, subject: str, secret: bool, mode: vihf.Mode
) -> None:
    who = DOCTOR._replace(name=name, roles=tuple(role._replace(display=label) for role in DOCTOR.roles))
    facts = (
        CALLER._replace(mode=mode, software=name),
        who,
        patient,
        "_id1",
        "2026-11-23T19:00:00.123Z",
        subject,
        secret,
    )
    sent, digested = ("".join(vihf._parts(form, *facts)).encode() for form in (vihf._WIRE, vihf._SIGNED))
    assert etree.tostring(etree.fromstring(sent), method="c14n", exclusive=True) == digested
    assert etree.tostring(etree.fromstring(digested), method="c14n", exclusive=True) == digested


@pytest.mark.requirement("VIHF-16")
def test_algorithms_by_setting(seal: Seal) -> None:
    for digest, method, value in (
        ("sha256", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256"),
        ("sha1", "http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2000/09/xmldsig#sha1"),
    ):
        root = parsed(made(seal, digest=digest))
        assert root.find(".//{*}SignatureMethod").get("Algorithm") == method
        assert root.find(".//{*}DigestMethod").get("Algorithm") == value
        assert [t.get("Algorithm") for t in root.iter("{*}Transform")] == [
            "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
            "http://www.w3.org/2001/10/xml-exc-c14n#",
        ]


@pytest.mark.requirement("VIHF-17")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param((STRUCTURE + "<", "1990000714<"), id="structure"),
        pytest.param(("SM26", "SM04"), id="skill"),
        pytest.param(("180017599000193", "180017599000290"), id="patient"),
        pytest.param(("899700991005", "899700991013"), id="person"),
        pytest.param(("INDIRECTE", "DIRECTE"), id="mode"),
        pytest.param(("2026-11-23T19:00:00.123Z", "2026-11-24T19:00:00.123Z"), id="instant"),
        pytest.param(('ID="_id1"', 'ID="_id2"'), id="identifier"),
        pytest.param(('code="normal"', 'code="bris_de_glace"'), id="purpose"),
        pytest.param(
            ("</saml2:AttributeStatement>", '<saml2:Attribute Name="x"/></saml2:AttributeStatement>'),
            id="one more attribute",
        ),
        pytest.param(("<saml2:Issuer ", " <saml2:Issuer "), id="a space"),
        pytest.param(("xmldsig-more#rsa-sha256", "xmldsig-more#rsa-sha512"), id="algorithm"),
    ],
)
def test_a_change_anywhere_is_seen(seal: Seal, keys: authority.Authority, change: tuple[str, str]) -> None:
    token = made(seal)
    assert change[0] in token
    with pytest.raises(xmlsec.Error):
        verify(token.replace(*change, 1).encode(), keys.seal)


@pytest.mark.requirement("VIHF-13")
def test_another_key_is_seen(seal: Seal, keys: authority.Authority) -> None:
    with pytest.raises(xmlsec.Error):
        verify(made(seal).encode(), keys.client)


@pytest.mark.requirement("VIHF-19")
def test_the_same_arguments_give_the_same_bytes_and_others_do_not(seal: Seal) -> None:
    assert made(seal) == made(seal)
    different = {
        made(seal),
        made(seal, ident="_id2"),
        made(seal, instant=CLOCK + timedelta(milliseconds=1)),
        made(seal, secret=True),
    }
    assert len(different) == 4


@pytest.mark.requirement("VIHF-18")
@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=40), st.text(max_size=20))
def test_any_name_leaves_as_it_is_and_the_signature_holds(
    seal: Seal, keys: authority.Authority, name: str, version: str
) -> None:
    """Markup, accents, control characters, line ends: what XML cannot hold is replaced, the rest is read back."""
    token = made(seal, CALLER._replace(version=version), DOCTOR._replace(name=name))
    verify(token.encode(), keys.seal)
    held = attributes(token)["urn:oasis:names:tc:xspa:1.0:subject:subject-id"][0]
    assert [a for a, b in zip(held, name, strict=True) if a != b and a != "\ufffd"] == []


# The seal's files.


Spoil = Callable[[authority.Authority, Path], tuple[Path, Path, bytes | None]]


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def protected(keys: authority.Authority, folder: Path) -> Path:
    seal = structure_seal.load(keys.seal, keys.seal_key, None, CLOCK, DMP)
    form = Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"right")
    return written(folder / "protected.key", seal.key.private_bytes(*form))


@pytest.mark.requirement("VIHF-13")
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(
            lambda k, f: (k.seal, k.client_key, None),
            "client.key is not the RSA key of seal seal.pem",
            id="another key",
        ),
        pytest.param(
            lambda k, f: (f / "absent.pem", k.seal_key, None), "absent.pem cannot be read", id="no certificate"
        ),
        pytest.param(lambda k, f: (k.seal, f / "absent.key", None), "absent.key cannot be read", id="no key"),
        pytest.param(
            lambda k, f: (written(f / "bad.pem", b"x"), k.seal_key, None), "bad.pem cannot be read", id="no PEM"
        ),
        pytest.param(lambda k, f: (written(f / "e.pem", b""), k.seal_key, None), "e.pem cannot be read", id="empty"),
        pytest.param(lambda k, f: (k.seal, protected(k, f), None), "protected.key cannot be read", id="no password"),
        pytest.param(
            lambda k, f: (k.seal, protected(k, f), b"wrong"), "protected.key cannot be read", id="wrong password"
        ),
        pytest.param(
            lambda k, f: (k.expired, k.expired_key, None), "expired.pem is not valid at this date", id="ended"
        ),
    ],
)
def test_a_seal_that_cannot_be_used(keys: authority.Authority, tmp_path: Path, spoil: Spoil, said: str) -> None:
    certificate, key, password = spoil(keys, tmp_path)
    with pytest.raises(CertificateRefused, match=said) as refused:
        structure_seal.load(certificate, key, password, CLOCK, DMP)
    assert refused.value.exit_code == 50
    assert "le cachet" in refused.value.sentence("fr") or "du cachet" in refused.value.sentence("fr")


def test_a_password_opens_the_key_that_has_one_and_does_not_hinder_the_other(
    keys: authority.Authority, tmp_path: Path
) -> None:
    for key in (protected(keys, tmp_path), keys.seal_key):
        assert structure_seal.load(keys.seal, key, b"right", CLOCK, DMP).units == (STRUCTURE,)


@pytest.mark.requirement("VIHF-12")
def test_a_seal_knows_its_own_certificate(seal: Seal, keys: authority.Authority, tmp_path: Path) -> None:
    assert seal.holds(keys.seal)
    assert not seal.holds(keys.client)
    assert not seal.holds(tmp_path / "absent.pem")
    assert seal.units == (STRUCTURE,)

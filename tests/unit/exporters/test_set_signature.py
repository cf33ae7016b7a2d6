"""The signature of a submission set: the XAdES that the sheet describes, accepted by another library (signxml), nothing changed."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from pathlib import Path

import pytest
import signxml
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod

from transvase.exporters import set_signature
from transvase.formats import structure_seal
from transvase.formats.cda import Coded
from transvase.formats.structure_seal import Digest, Seal, Uncanonical, canonical_digest
from transvase.formats.xds import Author, DocumentEntry, SubmissionSet
from transvase.gateways.dmp import DMP
from transvase.sandbox import authority, signature

CLOCK = datetime.fromisoformat("2026-11-23T20:00:00+01:00")
DS = "{http://www.w3.org/2000/09/xmldsig#}"
XADES = "{http://uri.etsi.org/01903/v1.1.1#}"
WITH_COMMENTS = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"
METHODS = {
    "sha1": ("http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2000/09/xmldsig#sha1"),
    "sha256": ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256"),
}
SET, OWN, DOCUMENT = "1.2.250.1.999.6.1", "1.2.250.1.999.6.1.1", "1.2.250.1.999.9.1.1"
PATIENT = "180017599000193^^^&1.2.250.1.213.1.4.10&ISO^NH"
AUTHOR = Author("8997^VAUTRIN^CLAIRE", ("Cabinet^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1990000713",))
LEAD = DocumentEntry(
    DOCUMENT, facility=Coded("SA07", "1.2", "Cabinet"), practice_setting=Coded("AMBULATOIRE", "1.3", "A")
)
SUBMISSION = SubmissionSet(SET, patient_id=PATIENT, authors=(AUTHOR,))
CDA = """<?xml version="1.0"?><!-- avant --><?pi x?><ClinicalDocument b="2" a="é" xmlns="urn:hl7-org:v3"><t  />
<!-- dedans --><text representation="B64">QUJD</text></ClinicalDocument>""".encode()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> authority.Authority:
    return authority.create(tmp_path_factory.mktemp("keys"), CLOCK)


@pytest.fixture(scope="module")
def seal(keys: authority.Authority) -> Seal:
    return structure_seal.load(keys.seal, keys.seal_key, None, CLOCK, DMP)


def signed(
    seal: Seal, digest: Digest = "sha1", documents: dict[str, bytes] | None = None
) -> tuple[DocumentEntry, bytes]:
    given_ = {DOCUMENT: CDA} if documents is None else documents
    references = [set_signature.reference(name, data, digest) for name, data in given_.items()]
    return set_signature.sign(OWN, SUBMISSION, references, LEAD, CLOCK, seal, digest)


def verified(data: bytes, certificate: Path) -> set[str]:
    """Names of the elements that the signature covers, or an exception of signxml (or of the XML parser)."""
    expected = signxml.SignatureConfiguration(
        expect_references=2,
        signature_methods=frozenset({SignatureMethod.RSA_SHA1, SignatureMethod.RSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA1, DigestAlgorithm.SHA256}),
    )
    results = signxml.XMLVerifier().verify(
        data, x509_cert=certificate.read_text(), expect_config=expected, validate_schema=False
    )
    return {etree.QName(result.signed_xml).localname for result in results}


# The document.


@pytest.mark.requirement("DMP-43")
@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_another_library_accepts_it(seal: Seal, keys: authority.Authority, digest: Digest) -> None:
    _, data = signed(seal, digest)
    assert verified(data, keys.seal) == {"Manifest", "SignedProperties"}
    method, value = METHODS[digest]
    root = etree.fromstring(data)
    assert root.find(f".//{DS}SignatureMethod").get("Algorithm") == method
    assert {m.get("Algorithm") for m in root.iter(f"{DS}DigestMethod", f"{XADES}DigestMethod")} == {value}


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_the_strict_service_accepts_it(seal: Seal, digest: Digest) -> None:
    _, data = signed(seal, digest, {DOCUMENT: CDA, "1.2.9": b"<a/>"})
    assert signature.problems(data, OWN, SET, {DOCUMENT: CDA, "1.2.9": b"<a/>"}) == []
    # The same judge sees another document.
    assert signature.problems(data, OWN, SET, {DOCUMENT: CDA.replace(b"QUJD", b"QUJE"), "1.2.9": b"<a/>"})


@pytest.mark.requirement("DMP-42")
def test_its_parts_as_the_sheet_lists_them(seal: Seal) -> None:
    _, data = signed(seal)
    root = etree.fromstring(data)
    assert (root.tag, root.get("Id")) == (f"{DS}Signature", OWN)
    assert root.find(f"{DS}SignedInfo/{DS}CanonicalizationMethod").get("Algorithm") == WITH_COMMENTS
    assert [(r.get("URI"), r.get("Type")) for r in root.iterfind(f"{DS}SignedInfo/{DS}Reference")] == [
        ("#IHEManifest", "http://www.w3.org/2000/09/xmldsig#Manifest"),
        ("#S0-SignedProperties", "http://uri.etsi.org/01903/v1.1.1#SignedProperties"),
    ]
    whole, document = root.find(f".//{DS}Manifest")
    assert (whole.get("URI"), whole.findtext(f"{DS}DigestValue"), whole.find(f"{DS}Transforms")) == (
        f"urn:oid:{SET}",
        "AA==",
        None,
    )
    assert document.get("URI") == f"urn:oid:{DOCUMENT}"
    assert [t.get("Algorithm") for t in document.iter(f"{DS}Transform")] == [WITH_COMMENTS]
    canonical = etree.tostring(etree.fromstring(CDA).getroottree(), method="c14n", with_comments=True)
    assert base64.b64decode(document.findtext(f"{DS}DigestValue")) == hashlib.sha1(canonical).digest()
    purpose = root.find(f".//{DS}SignatureProperty")
    assert (purpose.get("Id"), purpose.get("Target"), purpose.text) == (
        "purposeOfSignature",
        f"#{OWN}",
        "1.2.840.10065.1.12.1.14",
    )
    assert root.find(f".//{XADES}QualifyingProperties").get("Target") == f"#{OWN}"
    assert root.findtext(f".//{XADES}SigningTime") == "2026-11-23T19:00:00.000Z"
    digest = root.findtext(f".//{XADES}CertDigest/{XADES}DigestValue")
    assert base64.b64decode(digest) == hashlib.sha1(seal.der).digest()
    assert root.findtext(f".//{XADES}IssuerSerial/{DS}X509IssuerName") == "CN=Autorite jetable du bac a sable"
    assert root.findtext(f".//{XADES}IssuerSerial/{DS}X509SerialNumber") == str(seal.serial)
    assert root.find(f".//{XADES}SignaturePolicyIdentifier/{XADES}SignaturePolicyImplied") is not None
    assert len(root.find(f".//{XADES}SignedDataObjectProperties")) == 0
    assert root.findtext(f"{DS}KeyInfo/{DS}X509Data/{DS}X509Certificate") == seal.certificate


@pytest.mark.requirement("DMP-43")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param((b"AA==", b"AQ=="), id="digest of the set"),
        pytest.param((DOCUMENT.encode(), b"1.2.250.1.999.9.1.2"), id="document referred to"),
        pytest.param((f"urn:oid:{SET}<".encode(), b""), id="reference left out"),
        pytest.param((b"2026-11-23T19", b"2026-11-24T19"), id="signing time"),
        pytest.param((b"X509SerialNumber>", b"X509SerialNumber>9"), id="certificate named"),
        pytest.param((b"rsa-sha1", b"rsa-sha256"), id="algorithm"),
        pytest.param((b"SignaturePolicyImplied></", b"SignaturePolicyImplied> </"), id="a space"),
    ],
)
def test_a_change_anywhere_signed_is_seen(seal: Seal, keys: authority.Authority, change: tuple[bytes, bytes]) -> None:
    _, data = signed(seal)
    if change[1] == b"":
        first = data.index(b'<ds:Reference URI="urn:oid:')
        changed = data[:first] + data[data.index(b"</ds:Reference>", first) + len(b"</ds:Reference>") :]
    else:
        assert change[0] in data
        changed = data.replace(*change, 1)
    with pytest.raises((signxml.exceptions.InvalidInput, signxml.exceptions.SignXMLException)):
        verified(changed, keys.seal)


@pytest.mark.requirement("DMP-44")
def test_another_certificate_is_seen(seal: Seal, keys: authority.Authority) -> None:
    with pytest.raises(signxml.exceptions.SignXMLException):
        verified(signed(seal)[1], keys.client)


def test_the_same_arguments_give_the_same_bytes(seal: Seal) -> None:
    assert signed(seal) == signed(seal)


# Its entry.


@pytest.mark.requirement("DMP-40")
def test_the_entry_of_the_sheet(seal: Seal) -> None:
    entry, data = signed(seal)
    assert (entry.unique_id, entry.mime_type, entry.language, entry.title) == (OWN, "text/xml", "art", "Source")
    assert (entry.class_code.code, entry.class_code.system) == ("urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1", "URN")
    assert (entry.type_code.code, entry.type_code.system, entry.type_code.display) == ("E1762", "ASTM", "Full Document")
    assert entry.format_code == Coded("http://www.w3.org/2000/09/xmldsig#", "URN", "Default Signature Style")
    assert entry.event_codes == (Coded("1.2.840.10065.1.12.1.14", "1.2.840.10065.1.12", "Source"),)
    assert [c.code for c in entry.confidentiality] == ["N", "MASQUE_PS", "INVISIBLE_PATIENT"]
    assert (entry.patient_id, entry.source_patient_id, entry.source_patient_info) == (PATIENT, PATIENT, ())
    assert {entry.creation_time, entry.service_start_time, entry.service_stop_time} == {"20261123190000"}
    assert (entry.facility, entry.practice_setting, entry.authors) == (LEAD.facility, LEAD.practice_setting, (AUTHOR,))
    assert (entry.sha1, entry.size) == (hashlib.sha1(data).hexdigest().upper(), len(data))


# The digest of a document.


def whole_digest(data: bytes) -> str:
    """The long way: all of it through the parser."""
    octets = etree.tostring(etree.fromstring(data).getroottree(), method="c14n", with_comments=True)
    return base64.b64encode(hashlib.sha1(octets).digest()).decode()


B64 = base64.b64encode(bytes(range(256)) * 20).decode()
LINES = "\n".join(B64[at : at + 76] for at in range(0, len(B64), 76))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f'<a z="1" b="2"><t representation="B64">{B64}</t><c /></a>', id="one line"),
        pytest.param(f'<a><t representation="B64" b="é">\n{LINES}\n</t></a>', id="lines"),
        pytest.param(f'<a><t representation="B64">{LINES}</t></a>'.replace("\n", "\r\n"), id="lines of another system"),
        pytest.param(f'<a><t representation="B64" x="a>{B64}"/></a>', id="in an attribute"),
        pytest.param(f'<a><!-- representation="B64">{B64}<b/> --><t/></a>', id="in a comment"),
        pytest.param(f'<a><![CDATA[representation="B64">{B64}<]]></a>', id="in CDATA"),
        pytest.param(f'<?pi representation="B64">{B64}<?><a/>', id="in an instruction"),
        pytest.param('<!-- representation="B64" -->\n<a/>', id="before the root"),
        pytest.param('<a><t representation="B64">QUJD<!-- c --><b/></t></a>', id="then a comment"),
        pytest.param('<a><t representation="B64"></t></a>', id="empty"),
        pytest.param('<a><t representation="B64">QUJD&#69;</t></a>', id="a reference"),
        pytest.param(f'<a><t representation="B64">{B64}</t><t>\ue000</t></a>', id="a private character"),
        pytest.param(f'<a><t representation="B64">{B64}</t><t>&#xE000;</t></a>', id="a private character by number"),
        pytest.param(f"<a><t representation='B64'>{B64}</t></a>", id="other quotes"),
        pytest.param("<a/>", id="nothing embedded"),
        pytest.param(
            '<?xml version="1.0" encoding="ISO-8859-1"?>\n<a representation="B64">QUJD</a>', id="declared Latin 1"
        ),
    ],
)
def test_the_short_way_gives_the_digest_of_the_long_one(text: str) -> None:
    data = text.encode()
    assert canonical_digest(data, "sha1") == whole_digest(data)


def test_another_encoding_is_canonical_utf_8() -> None:
    data = f'<?xml version="1.0" encoding="ISO-8859-1"?><a é="1"><t representation="B64">{B64}</t></a>'.encode(
        "latin-1"
    )
    assert canonical_digest(data, "sha1") == whole_digest(data)


MARKUP = st.sampled_from(
    [
        "<b>",
        "</b>",
        "<b/>",
        '<b representation="B64">',
        ">",
        "<!--",
        "-->",
        "&amp;",
        "\r\n",
        " ",
        "=",
        "\ue000",
        "é",
        ' value="',
        '"',
        "\x7fhere\x7f",
        '<b root="x" value="y" a="z"/>',
    ]
)


@pytest.mark.requirement("DMP-42")
@settings(max_examples=300, deadline=None)
@given(st.lists(MARKUP | st.text("ABCab019+/=\n", max_size=12), max_size=12))
def test_any_document_has_the_digest_of_its_canonical_form_or_is_refused(pieces: list[str]) -> None:
    data = f"<a>{''.join(pieces)}</a>".encode()
    try:
        expected = whole_digest(data)
    except etree.XMLSyntaxError:
        with pytest.raises(Uncanonical):
            canonical_digest(data, "sha1")
    else:
        assert canonical_digest(data, "sha1") == expected


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"%PDF-1.4", id="no XML"),
        pytest.param(b"<a>", id="cut"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', id="entities"),
        pytest.param(b'<a xmlns="relative"/>', id="relative namespace"),
        pytest.param(b'<a><t representation="B64">QUJD</t>', id="cut after the base64"),
    ],
)
def test_what_has_no_canonical_form(data: bytes) -> None:
    with pytest.raises(Uncanonical) as refused:
        set_signature.reference(DOCUMENT, data, "sha1")
    assert "QUJD" not in str(refused.value)

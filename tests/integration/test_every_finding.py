"""Findings of `verify`, one change of a good archive each: the change, and every finding that follows from it."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID
from lxml import etree

from transvase.exporters import seal
from transvase.formats import xdm, zip_stream
from transvase.formats.xades import DS, ECDSA_SHA256, RSA_SHA256, XADES
from transvase.validators import archive, archive_patient
from transvase.validators.archive import Report, verify

from .test_seal import CLOCK as SIGNED_AT
from .test_seal import DAY, Pair, issue, owner
from .test_verify_report import (
    CLOCK,
    METADATA,
    NAME,
    SECOND,
    Files,
    data,
    edited,
    renamed,
    replaced,
    sealed,
    without,
    zipped,
)

# The bodies of the generator declare nothing.
ALWAYS = {"ARC-PDF-UNDECLARED"}
PATIENT = "PAT00001.ZIP"
PAGE = "DOCUMENTATION/LISEZMOI.TXT"


@pytest.fixture(scope="module")
def members(small) -> Files:
    return dict(small.members)


@pytest.fixture(scope="module")
def patient(small) -> Files:
    return dict(small.inner(PATIENT))


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., Report]:
    """Verify the bytes of an archive, without a digest beside: only its content can betray it."""

    def run(content: bytes, **options: Any) -> Report:
        (tmp_path / NAME).write_bytes(content)
        return verify(tmp_path / NAME, **options)

    return run


def met(report: Report) -> set[str]:
    return {f.id for f in report.findings} - ALWAYS


def unread(report: Report) -> set[str]:
    return {f.id for f in report.not_checked}


def test_the_archive_that_is_changed_on_this_page_is_good(check, members, patient):
    assert met(check(sealed({**members, PATIENT: zipped(patient)}))) == set()
    assert met(check(unlisted(members))) == set()


# -- the outer archive -----------------------------------------------------------------------------------------------------


def unlisted(files: Files) -> bytes:
    """The archive in our form; its manifest stays what it is."""
    return zip_stream.build([(n, d, not n.endswith(".ZIP")) for n, d in files.items()], CLOCK)


def directory(content: bytes, name: str, at: int, value: bytes) -> bytes:
    """Bytes of a member's entry in the directory of a ZIP, `at` from the entry's start, replaced."""
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(name.encode()))
    assert content[entry + 46 :].startswith(name.encode())
    return content[: entry + at] + value + content[entry + at + len(value) :]


def damaged(content: bytes, name: str) -> bytes:
    """A member whose two records agree on a CRC that is not its own."""
    record = content.index(name.encode()) - 30
    assert content[record:].startswith(b"PK\x03\x04")
    return directory(content[: record + 14] + bytes(4) + content[record + 18 :], name, 16, bytes(4))


def twice(files: Files) -> bytes:
    listed = [(n, d, not n.endswith(".ZIP")) for n, d in files.items()]
    return zip_stream.build([*listed, listed[0]], CLOCK)


def gap_before_the_directory(files: Files) -> bytes:
    content = unlisted(files)
    (start,) = struct.unpack("<I", content[-6:-2])
    return content[:start] + b"x" + content[start:-6] + struct.pack("<I", start + 1) + content[-2:]


def in_manifest(pattern: str, by: str) -> Callable[[Files], bytes]:
    return lambda files: unlisted(edited(files, "MANIFEST.XML", pattern, by))


def another_patient_line(files: Files) -> bytes:
    counted = edited(files, "MANIFEST.XML", "<patientArchiveCount>1", "<patientArchiveCount>2")
    return unlisted(edited(counted, "MANIFEST.XML", r"(<Archive>.*?</Archive>)", r"\1\1"))


OUTER: dict[str, tuple[Callable[[Files], bytes], set[str]]] = {
    "no ZIP": (lambda f: b"nothing of a ZIP", {"ARC-ZIP-UNREADABLE"}),
    "a name twice": (twice, {"ARC-TWICE"}),
    "README gone": (lambda f: unlisted(without(f, "^README")), {"ARC-MISSING"}),
    "DOCUMENTATION gone": (lambda f: unlisted(without(f, "^DOCUMENTATION")), {"ARC-MISSING"}),
    "a member of another CRC": (lambda f: damaged(unlisted(f), PAGE), {"ARC-DAMAGED"}),
    "an inner archive of another CRC": (lambda f: damaged(unlisted(f), PATIENT), {"ARC-DAMAGED"}),
    "an encrypted member": (lambda f: directory(unlisted(f), PAGE, 8, b"\1"), {"ARC-ZIP-ENCRYPTED", "ARC-RECORD"}),
    "a member compressed otherwise": (
        lambda f: directory(unlisted(f), PAGE, 10, b"\x0c"), {"ARC-ZIP-METHOD", "ARC-RECORD"}),
    "rights of a member": (lambda f: directory(unlisted(f), PAGE, 38, b"\1"), {"ARC-RECORD"}),
    "a member made to fill a disk": (lambda f: unlisted({**f, PAGE: bytes(2_000_000)}), {"ARC-ZIP-RATIO"}),
    "bytes before the first member": (lambda f: b"x" + unlisted(f), {"ARC-GAP"}),
    "bytes before the directory": (gap_before_the_directory, {"ARC-GAP-END"}),
    "bytes after the end": (lambda f: unlisted(f) + b"x", {"ARC-TAIL"}),
    "a patient more than counted": (in_manifest("<patientArchiveCount>1", "<patientArchiveCount>2"), {"ARC-MANIFEST-COUNTS"}),
    "a transverse archive less than counted": (
        in_manifest("<transverseArchiveCount>1", "<transverseArchiveCount>0"), {"ARC-MANIFEST-COUNTS"}),
    "a line twice": (another_patient_line, {"ARC-MANIFEST-TWICE"}),
    "a patient of no line": (lambda f: unlisted({**f, "PAT00002.ZIP": f[PATIENT]}), {"ARC-UNLISTED"}),
    "a line of no patient": (lambda f: unlisted(without(f, "^PAT")), {"ARC-LISTED-ABSENT"}),
    "a patient without identifier": (in_manifest("<patientId>.*?</patientId>", ""), {"ARC-NO-PATIENT-ID"}),
    "a transverse archive of a patient": (
        in_manifest("(<type>TRANSVERSE</type>)", r"\1<patientId>1</patientId>"), {"ARC-TRANSVERSE-PATIENT-ID"}),
    "another size": (in_manifest(r"<size>\d+", "<size>7"), {"ARC-SIZE"}),
    "another digest": (in_manifest(r"<hash>[0-9a-f]+", f"<hash>{'0' * 64}"), {"ARC-HASH"}),
}  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), OUTER.values(), ids=OUTER.keys())
def test_port_63_each_change_of_the_outer_archive_is_told_and_nothing_else(check, members, change, expected):
    assert met(check(change(members))) == expected


def test_an_archive_of_another_name_and_one_that_cannot_be_read(members, tmp_path):
    (tmp_path / "ARCHIVE.ZIP").write_bytes(unlisted(members))
    assert met(verify(tmp_path / "ARCHIVE.ZIP")) == {"ARC-NAME"}
    assert [(f.id, f.facts) for f in verify(tmp_path).findings] == [("ARC-READ", {"error": "IsADirectoryError"})]


# -- a patient's archive ---------------------------------------------------------------------------------------------------


def in_metadata(pattern: str, by: str) -> Callable[[Files], bytes]:
    return lambda files: zipped(edited(files, METADATA, pattern, by))


def without_documents(files: Files) -> bytes:
    """Metadata that describe nothing; the submission set stays."""
    text = re.sub(rb"<rim:(ExtrinsicObject|Association) .*?</rim:\1>|<rim:Association [^>]*/>", b"", files[METADATA])
    return zipped({**files, METADATA: text})


UNIQUE = r'"2\.999\.250\.1\.9\.\d+\.1"'

# Nothing in the outer archive and its manifest betrays these.
INNER: dict[str, tuple[Callable[[Files], bytes], set[str]]] = {
    "a character that no path has": (lambda f: zipped({**f, "PDF/a\x07": b"x"}), {"ARC-ZIP-CHARACTER"}),
    "a name twice but for its case": (lambda f: zipped({**f, "readme.txt": b"x"}), {"ARC-ZIP-TWICE"}),
    "a link": (lambda f: directory(zipped(f), "INDEX.HTM", 38, struct.pack("<I", 0o120777 << 16)), {"ARC-ZIP-LINK"}),
    "no submission folder": (
        lambda f: zipped(without(f, "SUBSET01/")), {"ARC-XDM-NO-SUBSET", "ARC-DATA-LINES", "ARC-PDF-STRAY"}),
    "a file directly in IHE_XDM": (lambda f: zipped({**f, "IHE_XDM/A.TXT": b"x"}), {"ARC-XDM-DIRECT"}),
    "another name of the folder": (lambda f: zipped(renamed(f, "SUBSET01", "LOT1")), {"ARC-XDM-SUBSET-NAME"}),
    "metadata of no document": (
        without_documents, {"ARC-XDM-NO-DOCUMENT", "ARC-XDM-UNDESCRIBED", "ARC-DATA-LINES", "ARC-PDF-STRAY"}),
    "a submission set without identifier": (
        in_metadata(r'value="[\d.]+"(><rim:Name><rim:LocalizedString value="XDSSubmissionSet.uniqueId")', r'value=""\1'),
        {"ARC-XDM-SET-ID"}),
    "a document without identifier": (
        in_metadata(rf"value={UNIQUE}", 'value=""'), {"ARC-XDM-DOCUMENT-ID", "ARC-DATA-LINES", "ARC-META-DIFFERS"}),
    "a document of no submission set": (in_metadata(r":HasMember", ":Signs"), {"ARC-XDM-MEMBER"}),
    "a document of another patient": (
        in_metadata(r'value="\d+(\^[^"]*"><rim:Name><rim:LocalizedString value="XDSDocumentEntry.patientId")', r'value="1\1'),
        {"ARC-XDM-PATIENT", "ARC-META-DIFFERS", "ARC-PATIENT-ID"}),
    "a document that is damaged": (
        lambda f: directory(zipped(f), SECOND, 16, bytes(4)), {"ARC-XDM-UNREAD", "ARC-DATA-LINES", "ARC-PDF-STRAY"}),
    "a document of another vendor without a time": (
        lambda f: zipped(data(
            replaced(f, re.sub(rb'<effectiveTime value="[^"]*"', b'<effectiveTime value=""', f[SECOND], count=1)),
            lambda held: held["documents"][0].update(form="carried"))),
        {"ARC-META-UNDERIVED"}),
}  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), INNER.values(), ids=INNER.keys())
def test_each_change_of_a_patient_s_archive_is_told_and_nothing_else(check, members, patient, change, expected):
    assert met(check(sealed({**members, PATIENT: change(patient)}))) == expected


LIMITS = {"ARC-ZIP-ENTRIES": "MAX_ENTRIES", "ARC-ZIP-TOTAL": "MAX_TOTAL_BYTES", "ARC-ZIP-LARGE": "MAX_ENTRY_BYTES"}


@pytest.mark.parametrize(("expected", "limit"), LIMITS.items())
def test_a_patient_s_archive_beyond_a_limit_is_not_opened(check, members, monkeypatch, expected, limit):
    monkeypatch.setattr(xdm, limit, 5)
    (found,) = check(unlisted(members)).findings
    assert (found.id, found.facts["archive"], found.facts["most"]) == (expected, PATIENT, 5)


def test_a_record_too_large_to_read_is_said(check, members, monkeypatch):
    monkeypatch.setattr(archive_patient, "MAX_DATA_BYTES", 5)
    report = check(unlisted(members))
    assert met(report) == set() and "ARC-NOT-DATA" in unread(report)


def test_port_37_a_document_carried_as_received_only_warns_when_the_schema_refuses_it(
    check, members, patient, tmp_path
):
    schema = tmp_path / "other.xsd"
    schema.write_text('<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="other"/></xs:schema>')
    carried = data(patient, lambda held: [line.update(form="carried") for line in held["documents"]])
    report = check(sealed({**members, PATIENT: zipped(carried)}), schema=schema)
    told = [(f.id, f.severity, f.facts["document"]) for f in report.findings if f.id not in ALWAYS]
    # The synthesis is ours.
    assert told == [
        ("ARC-CDA-SCHEMA", "block", 1),
        ("ARC-CDA-SCHEMA-CARRIED", "warning", 2),
        ("ARC-CDA-SCHEMA-CARRIED", "warning", 3),
    ]


# -- SIGN.XML --------------------------------------------------------------------------------------------------------------


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def told(files: Files, name: str) -> str:
    found = re.search(rf"<{name}>([^<]*)<", files["MANIFEST.XML"].decode())
    assert found
    return found[1]


@pytest.fixture(scope="module")
def pair(members) -> Pair:
    return issue(owner(told(members, "structIdNat")), key=key())


def signed(
    files: Files,
    by: Pair,
    *,
    der: bytes = b"",
    export_id: str = "",
    more: tuple[tuple[str, str], ...] = (),
    left_out: str = "",
) -> Files:
    """The archive with a SIGN.XML made as an export makes it, without its checks."""
    own = der or by.certificate.public_bytes(serialization.Encoding.DER)
    signer = seal.Signer(by.key, (own,), ECDSA_SHA256, "", SIGNED_AT, SIGNED_AT)
    listed = {
        n: hashlib.sha256(d).hexdigest() for n, d in files.items() if n.endswith(".ZIP") and n != left_out
    } | dict(more)
    manifest = hashlib.sha256(files["MANIFEST.XML"]).hexdigest()
    text = b"".join(seal.seal(signer, export_id or told(files, "exportId"), SIGNED_AT, manifest, listed.items))
    return {**files, "SIGN.XML": text}


@pytest.fixture(scope="module")
def good(members, pair) -> Files:
    return signed(members, pair)


def test_the_signed_archive_that_is_changed_on_this_page_is_good(check, good, pair):
    assert met(check(unlisted(good))) == set()
    assert met(check(unlisted({**good, "SIGN.XML": forged(good["SIGN.XML"], pair)}))) == set()


def forged(
    text: bytes,
    by: Pair,
    edit: Callable[[Any], object] = lambda root: None,
    after: Callable[[Any], object] = lambda root: None,
) -> bytes:
    """SIGN.XML signed again by who signs: `edit` changes what is signed, `after` what SignedInfo says of it."""
    root = etree.fromstring(text)
    edit(root)
    (info,) = root.iter(f"{{{DS}}}SignedInfo")
    parts = (next(root.iter(f"{{{DS}}}Manifest")), next(root.iter(f"{{{XADES}}}SignedProperties")))
    for reference, part in zip(info.iterfind(f"{{{DS}}}Reference"), parts, strict=True):
        digest = hashlib.sha256(etree.tostring(part, method="c14n", exclusive=True, with_tail=False)).digest()
        reference.find(f"{{{DS}}}DigestValue").text = base64.b64encode(digest).decode()
    after(root)
    value = by.key.sign(etree.tostring(info, method="c14n", exclusive=True, with_tail=False), ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(value)
    (place,) = root.iter(f"{{{DS}}}SignatureValue")
    place.text = base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()
    return bytes(etree.tostring(root))


def at(root: Any, path: str) -> Any:
    """The first element of that path, whose names are of DS or XADES."""
    found = root.find(f".//{path}", {"ds": DS, "xades": XADES})
    assert found is not None, path
    return found


def put(path: str, text: str) -> Callable[[Any], None]:
    def edit(root: Any) -> None:
        at(root, path).text = text

    return edit


def name_twice(root: Any) -> None:
    first, second, *_ = at(root, "ds:Manifest")
    second.set("URI", first.get("URI"))


def one_reference(root: Any) -> None:
    info = at(root, "ds:SignedInfo")
    info.remove(info[-1])


# What the signer himself may have written otherwise: the value of the signature is good.
FORGED: dict[str, tuple[dict[str, Callable[[Any], object]], str]] = {
    "what is signed": ({"after": one_reference}, "ARC-SIGN-SCOPE"),
    "certificate announced": (
        {"edit": put("xades:CertDigest/ds:DigestValue", base64.b64encode(bytes(32)).decode())}, "ARC-SIGN-CERTIFICATE"),
    "list": ({"edit": name_twice}, "ARC-SIGN-LIST"),
    "export": ({"edit": put("xades:Identifier", "urn:other")}, "ARC-SIGN-NO-EXPORT"),
    "time": ({"edit": put("xades:SigningTime", "hier")}, "ARC-SIGN-NO-TIME"),
    "time without its offset": ({"edit": put("xades:SigningTime", "2026-11-23T20:00:00")}, "ARC-SIGN-NO-TIME"),
    "digest": (
        {"edit": lambda r: at(r, "ds:Manifest/ds:Reference/ds:DigestMethod").set("Algorithm", f"{DS}sha1")}, "ARC-SIGN-DIGEST"),
}  # fmt: skip


@pytest.mark.parametrize(("edits", "expected"), FORGED.values(), ids=FORGED.keys())
def test_port_82_a_signature_of_another_form_is_refused_though_its_value_is_good(check, good, pair, edits, expected):
    assert met(check(unlisted({**good, "SIGN.XML": forged(good["SIGN.XML"], pair, **edits)}))) == {expected}


def nine_certificates(text: bytes) -> bytes:
    return re.sub(rb"(<ds:X509Certificate>.*?</ds:X509Certificate>)", rb"\1" * 9, text)


def key_of_no_algorithm(text: bytes) -> bytes:
    """The certificate says that its key is of an algorithm that nobody knows."""
    found = re.search(rb"<ds:X509Certificate>(.*?)<", text)
    assert found
    der = base64.b64decode(found[1])
    changed = der.replace(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d027f"))
    assert changed != der
    return text.replace(found[1], base64.b64encode(changed))


def by(pattern: bytes, other: bytes) -> Callable[[bytes], bytes]:
    def change(text: bytes) -> bytes:
        changed = re.sub(pattern, other, text, count=1, flags=re.DOTALL)
        assert changed != text, pattern
        return changed

    return change


REFUSED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no XML": (lambda t: b"signed, trust me", "ARC-SIGN-XML"),
    "another root": (lambda t: b"<a/>", "ARC-SIGN-ROOT"),
    "a part more": (by(rb"</ds:Signature>", rb"<ds:Object></ds:Object></ds:Signature>"), "ARC-SIGN-FORM"),
    "properties of another": (by(rb'Target="#signature"', rb'Target="#other"'), "ARC-SIGN-PROPERTIES"),
    "a comment": (by(rb"<ds:KeyInfo>", rb"<ds:KeyInfo><!-- -->"), "ARC-SIGN-NOTE"),
    "an Id twice": (by(rb"<ds:Object>", rb'<ds:Object Id="archives">'), "ARC-SIGN-ID-TWICE"),
    "no certificate": (by(rb"<ds:X509Certificate>.*</ds:X509Certificate>", b""), "ARC-SIGN-NO-CERTIFICATE"),
    "a certificate that is none": (by(rb"(<ds:X509Certificate>).*?<", rb"\1AAAA<"), "ARC-SIGN-CERTIFICATE-UNREAD"),
    "nine certificates": (nine_certificates, "ARC-SIGN-CERTIFICATES"),
    "another canonical form": (
        by(rb'(<ds:CanonicalizationMethod Algorithm=)"[^"]*"', rb'\1"http://www.w3.org/TR/2001/REC-xml-c14n-20010315"'),
        "ARC-SIGN-CANONICAL"),
    "what has no canonical form": (
        by(rb"<ds:SignedInfo ", rb'<ds:SignedInfo xmlns:a="relative" a:b="c" '), "ARC-SIGN-UNCANONICAL"),
    "a key that nobody reads": (key_of_no_algorithm, "ARC-SIGN-KEY"),
    "the algorithm of another key": (by(re.escape(ECDSA_SHA256.encode()), RSA_SHA256.encode()), "ARC-SIGN-ALGORITHM"),
    "another value": (by(rb"(<ds:SignatureValue>)[^<]*", rb"\1" + base64.b64encode(bytes(64))), "ARC-SIGN-VALUE"),
    "a value that is not base64": (by(rb"(<ds:SignatureValue>)", rb"\1*"), "ARC-SIGN-BASE64"),
    "a name of the list": (by(rb'URI="PAT00001', rb'URI="PAT00002'), "ARC-SIGN-CONTENT"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_port_82_a_changed_signature_is_refused_for_what_was_changed(check, good, change, expected):
    assert met(check(unlisted({**good, "SIGN.XML": change(good["SIGN.XML"])}))) == {expected}


def test_a_signature_that_is_too_large_or_cannot_be_read(check, good, monkeypatch):
    assert met(check(damaged(unlisted(good), "SIGN.XML"))) == {"ARC-DAMAGED", "ARC-SIGN-DAMAGED"}
    monkeypatch.setattr(archive, "MAX_BYTES", len(good["SIGN.XML"]) - 1)
    assert met(check(unlisted(good))) == {"ARC-SIGN-LARGE"}


ZEROS = "0" * 64
COVERED: dict[str, tuple[Callable[[Files, Pair], Files], str]] = {
    "an archive that is not listed": (lambda f, p: signed(f, p, more=(("PAT00009.ZIP", ZEROS),)), "ARC-SIGN-EXTRA"),
    "a member of another name": (lambda f, p: signed(f, p, more=(("NOTICE.PDF", ZEROS),)), "ARC-SIGN-EXTRA-OTHER"),
    "an archive left out": (lambda f, p: signed(f, p, left_out=PATIENT), "ARC-SIGN-LEFT-OUT"),
    "another digest": (lambda f, p: signed(f, p, more=((PATIENT, ZEROS),)), "ARC-SIGN-CHANGED"),
    "another export": (lambda f, p: signed(f, p, export_id="00000000-0000-0000-0000-000000000000"), "ARC-SIGN-EXPORT"),
}  # fmt: skip


@pytest.mark.parametrize(("sign", "expected"), COVERED.values(), ids=COVERED.keys())
def test_port_81_a_signature_covers_what_the_manifest_lists_and_its_export(check, members, pair, sign, expected):
    assert met(check(unlisted(sign(members, pair)))) == {expected}


def unreadable_extension(pair: Pair) -> bytes:
    """The certificate whose use of the key is not the bits that it should be."""
    der = pair.certificate.public_bytes(serialization.Encoding.DER)
    usage = bytes.fromhex("0603551d0f0101ff0404")
    changed = der.replace(usage + b"\x03", usage + b"\x04")
    assert changed != der
    x509.load_der_x509_certificate(changed)
    return changed


def test_port_82_the_certificate_answers_for_the_archive_at_that_time(check, members, pair):
    structure = told(members, "structIdNat")
    for expected, subject, more in (
        ("ARC-SIGN-DATES", owner(structure), {"end": SIGNED_AT - DAY}),
        ("ARC-SIGN-USE", owner(structure), {"signing": False}),
        ("ARC-SIGN-OWNER", owner("10B0999999"), {}),
    ):
        assert met(check(unlisted(signed(members, issue(subject, key=key(), **more))))) == {expected}
    assert met(check(unlisted(signed(members, pair, der=unreadable_extension(pair))))) == {"ARC-SIGN-EXTENSIONS"}
    other = issue(owner(structure), key=key()).certificate
    assert met(check(unlisted(signed(members, pair)), trusted=(other,))) == {"ARC-SIGN-CHAIN"}


# -- what nobody looked at -------------------------------------------------------------------------------------------------


def test_what_was_not_checked_is_said_whole(check, members, good, pair):
    always = {"ARC-NOT-DIGEST", "ARC-NOT-SCHEMA", "ARC-NOT-MODELS", "ARC-NOT-PDFA", "ARC-NOT-TRANSVERSE"}
    assert unread(check(unlisted(members))) == always | {"ARC-NOT-SIGNED"}
    assert unread(check(unlisted(good))) == always | {"ARC-NOT-CHAIN", "ARC-NOT-REVOCATION"}
    assert unread(check(unlisted(good), trusted=(pair.certificate,))) == always | {"ARC-NOT-REVOCATION"}
    nobody = issue({NameOID.COMMON_NAME: "Cachet"}, key=key())
    report = check(unlisted(signed(members, nobody)), trusted=(nobody.certificate,))
    assert unread(report) == always | {"ARC-NOT-OWNER", "ARC-NOT-REVOCATION"} and met(report) == set()

"""SIGN.XML: verified by two other libraries, and by ours against every change, wrong key, wrong date, wrong owner, wrong chain."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import signxml
import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.xades import XAdESVerifier

from transvase.errors import SettingsInvalid
from transvase.exporters import portability, seal
from transvase.formats import zip_stream
from transvase.validators.archive import Report, verify
from transvase.validators.seal import authorities

CLOCK = datetime.fromisoformat("2026-11-23T20:00:00+01:00")
DAY = timedelta(days=1)
DS = "{http://www.w3.org/2000/09/xmldsig#}"
XADES = "{http://uri.etsi.org/01903/v1.3.2#}"
NAME = "PA20261123T200000.ZIP"
# The Struct_IdNat of the invented practice.
STRUCTURE = "10B0000001"


class Pair(NamedTuple):
    """A certificate and its key; `folder` holds them as PEM when they are used by settings."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def issue(
    subject: dict[Any, str],
    by: Pair | None = None,
    *,
    key: Any = None,
    start: datetime = CLOCK - 30 * DAY,
    end: datetime = CLOCK + 30 * DAY,
    ca: bool = False,
    path_length: int | None = None,
    signing: bool = True,
) -> Pair:
    key = key or rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject.items()])
    usage = dict.fromkeys(
        ("key_encipherment", "data_encipherment", "key_agreement", "crl_sign", "encipher_only", "decipher_only"), False
    )
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by.certificate.subject if by else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca, path_length), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=signing and not ca, content_commitment=signing and not ca, key_cert_sign=ca, **usage
            ),
            critical=True,
        )
    )
    return Pair(built.sign(by.key if by else key, hashes.SHA256()), key)


def owner(structure: str = STRUCTURE, name: str = "Maison de santé") -> dict[Any, str]:
    """A subject as those of the IGC Santé: the Struct_IdNat is an OU."""
    return {
        NameOID.COUNTRY_NAME: "FR",
        NameOID.ORGANIZATION_NAME: name,
        NameOID.ORGANIZATIONAL_UNIT_NAME: structure,
        NameOID.COMMON_NAME: "Cachet",
    }


class Authority(NamedTuple):
    root: Pair
    middle: Pair
    seal: Pair


@pytest.fixture(scope="module")
def structure(small) -> str:
    with zipfile.ZipFile(small.path) as archive:
        found = re.search(r"<structIdNat>([^<]*)<", archive.read("MANIFEST.XML").decode())
    assert found
    return found[1]


@pytest.fixture(scope="module")
def authority(structure) -> Authority:
    root = issue({NameOID.COMMON_NAME: "Racine d'essai"}, ca=True)
    middle = issue({NameOID.COMMON_NAME: "Intermédiaire d'essai"}, root, ca=True, path_length=0)
    return Authority(root, middle, issue(owner(structure), middle))


def pem(folder: Path, pair: Pair, *, password: bytes | None = None, chain: tuple[Pair, ...] = ()) -> dict[str, str]:
    """The pair as files; the two fields of a job."""
    folder.mkdir(parents=True, exist_ok=True)
    closed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    data = pair.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, closed)
    (folder / "key.pem").write_bytes(data)
    (folder / "seal.pem").write_bytes(b"".join(p.pem for p in (pair, *chain)))
    return {"signing_key": str(folder / "key.pem"), "signing_certificate": str(folder / "seal.pem")}


@pytest.fixture(scope="module")
def export(practice_copy) -> Callable[..., Path]:
    """`export(folder, pair)` signs the smallest practice's archive."""

    def run(folder: Path, pair: Pair, password: bytes | None = None, chain: tuple[Pair, ...] = ()) -> Path:
        job = practice_copy(folder)._replace(**pem(folder / "keys", pair, password=password, chain=chain))
        facts = portability.export(job, folder / "out", {}, workers=1, password=password)
        path: Path = folder / "out" / facts["archive"]
        return path

    return run


@pytest.fixture(scope="module")
def practice_copy(small) -> Callable[[Path], portability.Job]:
    """A job on a copy of the smallest practice, so that no test changes what another reads."""
    import shutil

    def run(folder: Path) -> portability.Job:
        if not (folder / "work").exists():
            shutil.copytree(small.work, folder / "work")
        return portability.job_of(folder / "work", {}, CLOCK, "Transvase 0.1.0", None, "Europe/Paris")

    return run


@pytest.fixture(scope="module")
def signed(export, authority, tmp_path_factory) -> Path:
    return export(tmp_path_factory.mktemp("signed"), authority.seal, chain=(authority.middle,))


@pytest.fixture(scope="module")
def files(signed) -> dict[str, bytes]:
    with zipfile.ZipFile(signed) as archive:
        return {i.filename: archive.read(i) for i in archive.infolist()}


@pytest.fixture(scope="module")
def trusted(authority, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("authorities") / "authorities.pem"
    path.write_bytes(authority.root.pem)
    return path


@pytest.fixture
def check(tmp_path, trusted) -> Callable[..., Report]:
    """Verify members put together again in our form, beside a digest of themselves: only the signature can betray them."""

    def run(members: dict[str, bytes], authority: Path | None = trusted) -> Report:
        data = zip_stream.build(
            [(n, d, not n.endswith(".ZIP")) for n, d in members.items()], CLOCK.replace(tzinfo=None)
        )
        (tmp_path / NAME).write_bytes(data)
        (tmp_path / f"{NAME}.sha256").write_text(hashlib.sha256(data).hexdigest())
        return verify(tmp_path / NAME, trusted=authorities(authority) if authority else None)

    return run


def relisted(members: dict[str, bytes]) -> dict[str, bytes]:
    """With a manifest that announces the archives as they are now."""
    text = members["MANIFEST.XML"].decode()
    for name, data in members.items():
        text = re.sub(
            rf"(<archiveid>{name}</archiveid>.*?<size>)\d+(</size><hash>)[0-9a-f]+",
            rf"\g<1>{len(data)}\g<2>{hashlib.sha256(data).hexdigest()}",
            text,
        )
    return {**members, "MANIFEST.XML": text.encode()}


# -- What is written ------------------------------------------------------------------------------------------------------------


def test_port_80_a_signed_archive_has_no_problem(signed, trusted):
    report = verify(signed, trusted=authorities(trusted))
    assert report.problems == []
    assert not any("not signed" in line or "--authority" in line for line in report.unchecked)
    assert any("revocation" in line for line in report.unchecked)


def test_sign_xml_stands_right_after_the_manifest(files):
    assert list(files)[:3] == ["README.TXT", "MANIFEST.XML", "SIGN.XML"]


def test_port_81_what_is_signed_is_the_manifest_its_export_id_and_every_inner_archive(files):
    root = etree.fromstring(files["SIGN.XML"])
    listed = {
        r.get("URI"): base64.b64decode(r.findtext(f"{DS}DigestValue")).hex() for r in root.find(f".//{DS}Manifest").iter(f"{DS}Reference")
    }  # fmt: skip
    inner = {n for n in files if n.endswith(".ZIP")}
    assert listed == {n: hashlib.sha256(files[n]).hexdigest() for n in {"MANIFEST.XML", *inner}}
    export_id = re.search(r"<exportId>([^<]+)<", files["MANIFEST.XML"].decode())[1]
    assert root.findtext(f".//{XADES}Identifier") == f"urn:uuid:{export_id}"
    assert root.findtext(f".//{XADES}SigningTime") == "2026-11-23T20:00:00+01:00"


def test_xmlsec_verifies_the_signature_and_the_archives_beside_it(files, authority, tmp_path, monkeypatch):
    """libxmlsec, as another receiver would use it: it follows the references of the list to the files of a folder."""
    for name in ("MANIFEST.XML", *(n for n in files if n.endswith(".ZIP"))):
        (tmp_path / name).write_bytes(files[name])
    monkeypatch.chdir(tmp_path)
    by_xmlsec(files["SIGN.XML"], authority.seal)
    wrong = files["SIGN.XML"].replace(b"2026-11-23T20", b"2026-11-23T21")
    with pytest.raises(xmlsec.Error):
        by_xmlsec(wrong, authority.seal)


def by_xmlsec(data: bytes, pair: Pair) -> None:
    root = etree.fromstring(data)
    context = xmlsec.SignatureContext()
    for node in root.iter():
        if node.get("Id"):
            context.register_id(node, "Id", None)
    context.key = xmlsec.Key.from_memory(pair.pem, xmlsec.constants.KeyDataFormatCertPem)
    context.verify(root)


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_signxml_verifies_the_signature_and_the_signing_certificate(kind, files, structure, export, tmp_path):
    data = files["SIGN.XML"]
    if kind == "ec":
        pair = issue(owner(structure), key=ec.generate_private_key(ec.SECP256R1()))
        with zipfile.ZipFile(export(tmp_path, pair)) as archive:
            data = archive.read("SIGN.XML")
    root = etree.fromstring(data)
    own = base64.b64decode(root.findtext(f".//{DS}X509Certificate"))
    found = XAdESVerifier().verify(
        etree.tostring(root),
        x509_cert=x509.load_der_x509_certificate(own),
        expect_references=2,
        expect_config=signxml.xades.XAdESSignatureConfiguration(require_x509=True),
    )
    assert {etree.QName(r.signed_xml).localname for r in found} == {"Manifest", "SignedProperties"}


@pytest.mark.parametrize("curve", [None, ec.SECP256R1(), ec.SECP384R1()], ids=["rsa", "p-256", "p-384"])
def test_the_same_key_signs_the_same_bytes_and_ours_verifies_them(export, structure, tmp_path, curve):
    pair = issue(owner(structure), key=curve and ec.generate_private_key(curve))
    first, second = (export(tmp_path / n, pair) for n in "ab")
    assert first.read_bytes() == second.read_bytes()
    (tmp_path / "own.pem").write_bytes(pair.pem)
    assert verify(first, trusted=authorities(tmp_path / "own.pem")).problems == []


def test_port_83_signed_or_not_is_said_in_the_readme_the_documentation_and_the_facts(
    small, files, practice_copy, signed
):
    import orjson

    unsigned = small.members
    for member in ("README.TXT", "DOCUMENTATION/LISEZMOI.TXT"):
        assert b"non signee" in unsigned[member] or b"n'est pas signee" in unsigned[member]
        assert b"SIGN.XML" in files[member] and b"signee." not in files[member].replace(b"non signee", b"")
        assert b"n'est pas signee" not in files[member] and b"non signee" not in files[member]
    assert files["README.TXT"].isascii() and b"liste de confiance europeenne" in files["README.TXT"]
    assert small.facts["signed"] is False and small.facts["signatory"] == ""
    facts = orjson.loads((signed.parents[1] / "work" / "export.json").read_bytes())
    assert facts["signed"] is True and "CN=Cachet" in facts["signatory"]


def test_a_large_export_is_signed_in_little_memory(authority, tmp_path):
    """Ten thousand archives: the text is megabytes, SignedInfo less than two kilobytes, and nothing of it is held."""
    import tracemalloc

    signer = seal.load(
        **{k.removeprefix("signing_"): v for k, v in pem(tmp_path, authority.seal).items()}, password=None
    )
    assert signer
    tracemalloc.start()
    total = 0
    for chunk in seal.seal(
        signer, "x", CLOCK, "0" * 64, lambda: ((f"PAT{n:05d}.ZIP", f"{n:064x}") for n in range(10_000))
    ):
        total += len(chunk)
        assert len(chunk) < 5_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total > 2_000_000
    assert peak < 500_000


# -- Settings -------------------------------------------------------------------------------------------------------------------


def test_a_protected_key_needs_its_password(practice_copy, authority, tmp_path):
    job = practice_copy(tmp_path)._replace(**pem(tmp_path, authority.seal, password=b"secret"))
    assert portability.signer_of(job, b"secret")
    for wrong in (None, b"other"):
        with pytest.raises(SettingsInvalid, match="signing_key"):
            portability.signer_of(job, wrong)


def test_a_password_for_another_key_does_no_harm(practice_copy, authority, tmp_path):
    assert portability.signer_of(practice_copy(tmp_path)._replace(**pem(tmp_path, authority.seal)), b"of the DMP's key")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        pytest.param(lambda a, d: {"signing_key": pem(d, a.seal)["signing_key"]}, "signing_certificate", id="certificate missing"),
        pytest.param(lambda a, d: {"signing_certificate": pem(d, a.seal)["signing_certificate"]}, "signing_key", id="key missing"),
        pytest.param(lambda a, d: pem(d, Pair(a.root.certificate, a.seal.key)), "signing_certificate", id="of another key"),
        pytest.param(lambda a, d: pem(d, a.seal) | {"signing_key": str(d / "none.pem")}, "signing_key", id="no such file"),
        pytest.param(lambda a, d: pem(d, a.seal) | {"signing_certificate": str(d / "key.pem")}, "signing_certificate", id="not a certificate"),
        pytest.param(lambda a, d: pem(d, a.seal) | {"signing_key": str(d / "seal.pem")}, "signing_key", id="not a key"),
        pytest.param(lambda a, d: pem(d, issue(owner(), key=rsa.generate_private_key(65537, 1024))), "signing_key", id="short key"),
        pytest.param(lambda a, d: pem(d, issue(owner(), end=CLOCK - DAY)), "signing_certificate", id="expired"),
        pytest.param(lambda a, d: pem(d, issue(owner(), start=CLOCK + DAY)), "signing_certificate", id="not yet valid"),
    ],
)  # fmt: skip
def test_what_cannot_sign_stops_the_export_before_it_begins(practice_copy, authority, tmp_path, wrong, named):
    job = practice_copy(tmp_path)._replace(**wrong(authority, tmp_path / "keys"))
    with pytest.raises(SettingsInvalid, match=f"export.{named}"):
        portability.export(job, tmp_path / "out", {}, workers=1)
    assert not (tmp_path / "out").exists()


# -- Changes after signing ------------------------------------------------------------------------------------------------------


def test_the_tools_of_this_page_change_nothing(check, files):
    assert check(files).problems == []
    assert check(relisted(files)).problems == []


@pytest.mark.parametrize("name", ["PAT00001.ZIP", "TRANSVERSE.ZIP"])
def test_an_archive_changed_after_signing_is_reported_though_the_manifest_follows(check, files, name):
    """One member less inside, put together again: a good ZIP, listed as it is."""
    import io

    with zipfile.ZipFile(io.BytesIO(files[name])) as inner:
        kept = [
            (i.filename, inner.read(i), True)
            for i in inner.infolist()
            if i.filename not in ("DONNEES.JSON", "TRANSVERSE/ACCES.LOG")
        ]
    changed = {**files, name: zip_stream.build(kept, CLOCK.replace(tzinfo=None))}
    problems = check(relisted(changed)).problems
    assert f"SIGN.XML: {name} changed after signing." in problems
    assert "SIGN.XML: MANIFEST.XML changed after signing." in problems


@pytest.mark.parametrize(
    ("pattern", "by"),
    [
        (r"<exportId>.", "<exportId>g"),
        (r"<exportStatus>COMPLETE", "<exportStatus>PARTIAL"),
        (r"<email>", "<email>x"),
        (r"\n</Manifest>", "\n\n</Manifest>"),
    ],
)
def test_a_manifest_changed_after_signing_is_reported(check, files, pattern, by):
    text = re.sub(pattern, by, files["MANIFEST.XML"].decode(), count=1)
    assert text.encode() != files["MANIFEST.XML"]
    assert any("MANIFEST.XML" in p for p in check({**files, "MANIFEST.XML": text.encode()}).problems)


def test_a_patient_added_or_removed_after_signing_is_reported(check, files):
    text = files["MANIFEST.XML"].decode()
    line = re.search(r" *<Archive><archiveid>PAT00001.*?</Archive>\n", text)[0]
    more = text.replace(line, line + line.replace("PAT00001", "PAT00002")).replace(
        "<patientArchiveCount>1", "<patientArchiveCount>2"
    )
    added = check({**files, "MANIFEST.XML": more.encode(), "PAT00002.ZIP": files["PAT00001.ZIP"]}).problems
    assert "SIGN.XML: PAT00002.ZIP is not signed." in added
    less = text.replace(line, "").replace("<patientArchiveCount>1", "<patientArchiveCount>0")
    removed = check({n: d for n, d in files.items() if n != "PAT00001.ZIP"} | {"MANIFEST.XML": less.encode()}).problems
    assert "SIGN.XML: PAT00001.ZIP is signed but not in MANIFEST.XML." in removed


def test_the_signature_of_another_export_is_reported(check, files, authority, practice_copy, tmp_path):
    job = practice_copy(tmp_path)._replace(
        clock=(CLOCK + timedelta(hours=1)).isoformat(), **pem(tmp_path, authority.seal)
    )
    facts = portability.export(job, tmp_path / "out", {}, workers=1)
    with zipfile.ZipFile(tmp_path / "out" / facts["archive"]) as archive:
        other = archive.read("SIGN.XML")
    problems = check({**files, "SIGN.XML": other}).problems
    assert "SIGN.XML: it was made for another export than that of MANIFEST.XML." in problems


def edits(data: bytes) -> list[tuple[str, bytes]]:
    """Changes of SIGN.XML that each leave it well-formed."""
    text = data.decode()

    def sub(pattern: str, by: str, count: int = 1) -> bytes:
        changed = re.sub(pattern, by, text, count=count, flags=re.DOTALL)
        assert changed != text, pattern
        return changed.encode()

    def of_version_8(found: re.Match[str]) -> str:
        changed = base64.b64decode(found[2]).replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020107"), 1)
        with pytest.raises(x509.InvalidVersion):
            x509.load_der_x509_certificate(changed)
        return found[1] + base64.b64encode(changed).decode()

    other = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    return [
        ("signing time", sub(r"<xades:SigningTime>2026", "<xades:SigningTime>2025")),
        ("comment in the signing time", sub(r"(<xades:SigningTime>2026-11-23)(T[^<]*)", r"\1<!-- -->\2")),
        ("export", sub(r"urn:uuid:.", "urn:uuid:0f")),
        ("digest of an archive", sub(r'(URI="PAT00001.ZIP">.*?<ds:DigestValue>)[^<]*', rf"\g<1>{other}")),
        ("name of an archive", sub(r'URI="PAT00001', 'URI="PAT00002')),
        ("an archive less", sub(r'<ds:Reference URI="PAT00001.ZIP">.*?</ds:Reference>\n', "")),
        ("digest of the list", sub(r'(URI="#archives">.*?<ds:DigestValue>)[^<]*', rf"\g<1>{other}")),
        ("signature value", sub(r"(<ds:SignatureValue>)(.)", lambda m: m[1] + ("A" if m[2] != "A" else "B"))),  # type: ignore[arg-type]
        ("no signature value", sub(r"<ds:SignatureValue>.*?</ds:SignatureValue>", "<ds:SignatureValue></ds:SignatureValue>")),
        ("weaker algorithm", sub(r"2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#rsa-sha1")),
        ("other canonical form", sub(r"2001/10/xml-exc-c14n#", "TR/2001/REC-xml-c14n-20010315", 0)),
        ("no reference to the list", sub(r'<ds:Reference Id="list".*?</ds:Reference>', "")),
        ("reference to another Id", sub(r'URI="#archives"', 'URI="#properties"')),
        ("Id twice", sub(r'<ds:Object>', '<ds:Object Id="archives">')),
        ("a second list before", sub(r"<ds:Object>", '<ds:Object><ds:Manifest Id="more"></ds:Manifest></ds:Object><ds:Object>')),
        ("a second list in the same object", sub(r"(<ds:Manifest .*?</ds:Manifest>)", r'\1<ds:Manifest Id="more"></ds:Manifest>')),
        ("no certificate", sub(r"<ds:X509Certificate>.*</ds:X509Certificate>", "")),
        ("a certificate that is none", sub(r"(<ds:X509Certificate>).*?<", r"\1AAAA<")),
        ("a certificate of a version that no norm knows", sub(r"(<ds:X509Certificate>)([^<]*)", of_version_8)),  # type: ignore[arg-type]
        ("another root", sub(r"^(.*?\n)(.*)$", r"\1<a>\2</a>")),
        ("a DOCTYPE", sub(r"\n", "\n<!DOCTYPE a [<!ENTITY b 'c'>]>")),
        ("nothing", b""),
        ("not XML", b"signed, trust me"),
    ]  # fmt: skip


def test_any_edit_of_sign_xml_is_reported(check, files):
    for what, data in edits(files["SIGN.XML"]):
        assert any(p.startswith("SIGN.XML: ") for p in check({**files, "SIGN.XML": data}).problems), what


def test_bytes_of_sign_xml_flipped_one_after_the_other_are_reported(check, files):
    """Every 97th byte, and the last ones of each base64 value, whose unused bits a lax reader would let pass."""
    data = files["SIGN.XML"]
    ends = [
        m.start() - n
        for m in re.finditer(rb"</ds:(?:SignatureValue|X509Certificate|DigestValue)>", data)
        for n in (1, 2, 3)
    ]
    for at in sorted({*range(60, len(data), 97), *ends}):
        flipped = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert check({**files, "SIGN.XML": flipped}).problems, at


# -- Certificates ---------------------------------------------------------------------------------------------------------------


def resigned(
    files: dict[str, bytes], pair: Pair, time: datetime = CLOCK, chain: tuple[Pair, ...] = ()
) -> dict[str, bytes]:
    """The archive signed by another pair, without the checks that an export makes."""
    export_id = re.search(r"<exportId>([^<]+)<", files["MANIFEST.XML"].decode())[1]  # type: ignore[index]
    method = seal.RSA_SHA256 if isinstance(pair.key, rsa.RSAPrivateKey) else seal.ECDSA_SHA256
    der = tuple(p.certificate.public_bytes(serialization.Encoding.DER) for p in (pair, *chain))
    signer = seal.Signer(pair.key, der, method, "", time, time)
    inner = [(n, hashlib.sha256(d).hexdigest()) for n, d in files.items() if n.endswith(".ZIP")]
    manifest = hashlib.sha256(files["MANIFEST.XML"]).hexdigest()
    return {**files, "SIGN.XML": b"".join(seal.seal(signer, export_id, time, manifest, lambda: inner))}


def test_a_signature_made_again_by_the_same_hand_is_good(check, files, authority):
    assert check(resigned(files, authority.seal, chain=(authority.middle,))).problems == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        pytest.param(lambda a, s: (issue(owner(s), a.middle, end=CLOCK - DAY), (a.middle,)), "not valid at the signing time", id="expired"),
        pytest.param(lambda a, s: (issue(owner(s), a.middle, start=CLOCK + DAY), (a.middle,)), "not valid at the signing time", id="not yet valid"),
        pytest.param(lambda a, s: (issue(owner(s), a.middle, signing=False), (a.middle,)), "not one for signatures", id="not for signing"),
        pytest.param(lambda a, s: (issue(owner("10B0999999"), a.middle), (a.middle,)), "another structure", id="of another structure"),
        pytest.param(lambda a, s: (issue(owner(s)), ()), "authorities given", id="self-signed"),
        pytest.param(lambda a, s: (a.seal, ()), "authorities given", id="authority between missing"),
        pytest.param(lambda a, s: (issue(owner(s), Pair(a.middle.certificate, a.seal.key)), (a.middle,)), "authorities given", id="not issued by who it says"),
        pytest.param(lambda a, s: (issue(owner(s), a.seal), (a.seal, a.middle)), "authorities given", id="issued by a seal"),
        pytest.param(lambda a, s: below(a, s), "authorities given", id="longer than the authority allows"),
        pytest.param(lambda a, s: expired_between(a, s), "authorities given", id="authority expired"),
        pytest.param(lambda a, s: (Pair(a.seal.certificate, a.root.key), (a.middle,)), "does not verify", id="wrong key"),
        pytest.param(lambda a, s: (issue(owner(s), a.middle, key=rsa.generate_private_key(65537, 1024)), (a.middle,)), "algorithm is not accepted", id="short key"),
    ],
)  # fmt: skip
def test_port_82_a_certificate_that_does_not_answer_for_the_archive_is_reported(
    check, files, authority, structure, wrong, sentence
):
    pair, chain = wrong(authority, structure)
    assert any(sentence in p for p in check(resigned(files, pair, chain=chain)).problems)


def below(a: Authority, structure: str) -> tuple[Pair, tuple[Pair, ...]]:
    more = issue({NameOID.COMMON_NAME: "Une de trop"}, a.middle, ca=True)
    return issue(owner(structure), more), (more, a.middle)


def expired_between(a: Authority, structure: str) -> tuple[Pair, tuple[Pair, ...]]:
    old = issue({NameOID.COMMON_NAME: "Ancienne"}, a.root, ca=True, end=CLOCK - DAY)
    return issue(owner(structure), old), (old,)


def test_authorities_that_sign_each_other_in_circles_end(check, files, structure, trusted):
    first = issue({NameOID.COMMON_NAME: "A"}, ca=True)
    second = issue({NameOID.COMMON_NAME: "B"}, first, ca=True)
    again = issue({NameOID.COMMON_NAME: "A"}, second, key=first.key, ca=True)
    report = check(resigned(files, issue(owner(structure), second), chain=(second, again, first)))
    assert any("authorities given" in p for p in report.problems)


def test_a_certificate_expired_since_is_good_for_what_it_signed_before(check, files, authority, structure):
    """Valid at the signing time, which nobody proves: it says so."""
    old = issue(owner(structure), authority.middle, start=CLOCK - 10 * DAY, end=CLOCK + DAY)
    report = check(resigned(files, old, chain=(authority.middle,)))
    assert report.problems == []
    assert any("signing time" in line for line in report.unchecked)


def test_a_certificate_without_a_national_identifier_is_compared_by_name_and_proves_nothing(check, files, authority):
    subject = {NameOID.COMMON_NAME: "Cachet", NameOID.ORGANIZATION_NAME: "Un autre nom"}
    report = check(resigned(files, issue(subject, authority.middle), chain=(authority.middle,)))
    assert report.problems == []
    assert any("nothing that can be compared" in line for line in report.unchecked)


def test_without_an_authority_the_chain_is_said_not_to_be_verified(check, files):
    report = check(files, None)
    assert report.problems == []
    assert any("--authority" in line for line in report.unchecked)


def test_an_unsigned_archive_says_so_and_fails_where_an_authority_is_required(check, files):
    unsigned = {n: d for n, d in files.items() if n != "SIGN.XML"}
    assert check(unsigned, None).problems == []
    assert any("not signed" in line for line in check(unsigned, None).unchecked)
    assert any("SIGN.XML is missing" in p for p in check(unsigned).problems)


# -- The commands ---------------------------------------------------------------------------------------------------------------


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "transvase.commands.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_verify_with_an_authority(signed, trusted, small, tmp_path):
    done = command("verify", signed, "--authority", trusted)
    assert (done.returncode, "not signed" in done.stdout) == (0, False)
    assert command("verify", small.path, "--authority", trusted).returncode == 40
    (tmp_path / "bad.pem").write_text("nothing")
    for bad in (tmp_path / "bad.pem", tmp_path / "none.pem"):
        assert command("verify", signed, "--authority", bad).returncode == 2


def test_the_clock_of_a_signature_is_that_of_the_export(files):
    assert datetime.fromisoformat(etree.fromstring(files["SIGN.XML"]).findtext(f".//{XADES}SigningTime")).astimezone(
        UTC
    ) == CLOCK.astimezone(UTC)

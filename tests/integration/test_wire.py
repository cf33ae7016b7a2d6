"""What leaves on the wire, read by others than us: TLS by the server's side of the standard library, MIME parts by its `email`, signatures
by libxmlsec, canonical forms by libxml2 (sheets dmp-transactions.md, 2 and 8; vihf.md).

Between the client and the local DMP stands a relay with the same certificates: it keeps each request as it came, and passes it on.
"""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import hashlib
import re
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import xmlsec
from lxml import etree

from transvase.assets import feeding, withdrawal
from transvase.assets.quota import Limits
from transvase.assets.signing import Proofs
from transvase.errors import CertificateRefused
from transvase.exporters.portability import job_of
from transvase.formats import structure_seal
from transvase.gateways import dmp
from transvase.ledger import acts
from transvase.ledger.submissions import Ledger
from transvase.sandbox import authority
from transvase.sandbox.dmp import SERVICES, Sandbox

from ..builders import CLOCK, OFFICE, a_document, a_patient, fed_practice, registered_patients  # noqa: TID252

STRUCTURE = OFFICE[0].values["struct_idnat"]
# The suites of the web services, TLS 1.2 only (sheet, 2).
SUITES = (
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
SOAP, WSA = "{http://www.w3.org/2003/05/soap-envelope}", "{http://www.w3.org/2005/08/addressing}"
SAML, DS = "{urn:oasis:names:tc:SAML:2.0:assertion}", "{http://www.w3.org/2000/09/xmldsig#}"
XOP, XDS = "{http://www.w3.org/2004/08/xop/include}", "{urn:ihe:iti:xds-b:2007}"
RIM = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"


class Request(NamedTuple):
    """A request as the relay read it, and the connection that bore it."""

    version: str
    suite: str
    client: str
    head: bytes
    body: bytes

    @property
    def path(self) -> str:
        return self.head.split(b" ", 2)[1].decode()

    @property
    def content_type(self) -> str:
        found = re.search(rb"\r\nContent-Type: ([^\r]+)\r\n", self.head)
        assert found
        return found[1].decode()


def whole(stream: socket.SocketIO | ssl.SSLSocket, file: object) -> tuple[bytes, bytes] | None:
    """Head and body of a message with Content-Length; None at the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = file.readline()  # type: ignore[attr-defined]
        if not line:
            return None
        head += line
    size = re.search(rb"(?i)\r\nContent-Length: (\d+)\r\n", head)
    assert size
    return head, file.read(int(size[1]))  # type: ignore[attr-defined]


@contextlib.contextmanager
def relay(
    keys: authority.Authority, port: int, suites: str = "", version: ssl.TLSVersion | None = None
) -> Iterator[tuple[int, list[Request]]]:
    """A relay to a local port; its own port, and what it kept."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys.server, keys.server_key)
    context.load_verify_locations(keys.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    if version:
        context.minimum_version = min(version, ssl.TLSVersion.TLSv1_2)
        context.maximum_version = version
    if suites:
        context.set_ciphers(suites)
    onward = ssl.create_default_context(cafile=str(keys.ca))
    onward.load_cert_chain(keys.client, keys.client_key)
    kept: list[Request] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(raw: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as near:
            suite, _, _ = near.cipher() or ("", "", 0)
            subject = dict(pair for group in (near.getpeercert() or {}).get("subject", ()) for pair in group)
            with (
                socket.create_connection(("127.0.0.1", port)) as plain,
                onward.wrap_socket(plain, server_hostname="127.0.0.1") as far,
                near.makefile("rb") as asked,
                far.makefile("rb") as answered,
            ):
                while request := whole(near, asked):
                    kept.append(Request(near.version() or "", suite, str(subject.get("commonName")), *request))
                    far.sendall(b"".join(request))
                    if answer := whole(far, answered):
                        near.sendall(b"".join(answer))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                raw, _ = listener.accept()
                threading.Thread(target=serve, args=(raw,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], kept
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


class Office(NamedTuple):
    """A practice of two patients, its certificates, and the national list."""

    folder: Path
    keys: authority.Authority
    patients: Path

    def sandbox(self, place: Path) -> Sandbox:
        shutil.copytree(self.keys.ca.parent, place)
        return Sandbox(place, self.patients, CLOCK, structure=STRUCTURE, require_vihf=True)

    def context(self) -> ssl.SSLContext:
        return dmp.tls(self.keys.client, self.keys.client_key, self.keys.ca, None)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    folder = tmp_path_factory.mktemp("wire")
    keys = authority.create(folder / "keys", CLOCK, structure=STRUCTURE)
    # Of the second nothing is known: the DMP is asked (TD0.2).
    people = [a_patient("P1"), a_patient("P2", dmp="unknown")]
    fed_practice(folder / "work", *people, a_document("D1"), a_document("D2", "P2"))
    return Office(folder, keys, registered_patients(folder / "patients.csv", "P1", "P2"))


@pytest.fixture(scope="module", params=["sha1", "sha256"])
def captured(request: pytest.FixtureRequest, office: Office, tmp_path_factory: pytest.TempPathFactory) -> list[Request]:
    """A night, a question about a doubt and a deletion, with each digest of the set's signature."""
    place = tmp_path_factory.mktemp("night")
    seal = structure_seal.load(office.keys.seal, office.keys.seal_key, None, CLOCK, dmp.DMP)
    proofs = Proofs(seal, "INDIRECTE", "sha256", request.param, "")
    job, context = job_of(office.folder / "work", {}, CLOCK, "Transvase 0.1.0", None, "Europe/Paris"), office.context()
    with (
        office.sandbox(place / "sandbox") as service,
        relay(office.keys, service.port) as (port, kept),
        Ledger(place / "ledger.sqlite", "dmp") as ledger,
    ):

        def connect() -> dmp.Dmp:
            return dmp.Dmp(f"https://127.0.0.1:{port}{SERVICES}", context, 20)

        fed = feeding.feed(job, ledger, connect, Limits(10_000, 30_000, 1), lambda: CLOCK, proofs=proofs)
        assert (fed.sent, fed.stopped) == (2, "")
        acts.delete(ledger, CLOCK, "D1", "a2", "error")
        assert withdrawal.withdraw(job, ledger, connect, lambda: CLOCK, proofs) == ""
        assert ledger.counts() == {"registered": 1, "deleted": 1}
    return kept


def parts(request: Request) -> list[email.message.EmailMessage]:
    """The parts of a request by the library's own parser; a request of one part is its only one."""
    whole = f"MIME-Version: 1.0\r\nContent-Type: {request.content_type}\r\n\r\n".encode() + request.body
    message = email.message_from_bytes(whole, policy=email.policy.HTTP)
    assert not message.defects
    found = list(message.iter_parts()) if message.is_multipart() else [message]
    assert not any(part.defects for part in found)
    return found  # type: ignore[return-value]


def content(part: email.message.EmailMessage) -> bytes:
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    return data


def envelope(request: Request) -> etree._Element:
    return etree.fromstring(content(parts(request)[0]))


def verified(signature: etree._Element, root: etree._Element, name: str, office: Office) -> None:
    """libxmlsec holds the signature for good, with the structure's seal alone."""
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_file(str(office.keys.seal), xmlsec.KeyFormat.CERT_PEM)
    for node in root.iter():
        if isinstance(node.tag, str) and node.get(name):
            context.register_id(node, name)
    context.verify(signature)


def set_verified(signature: etree._Element, office: Office) -> None:
    """The same for a set's signature: libxmlsec verifies SignedInfo, libxml2 its two references. Of the manifest nothing is fetched: its
    lines name what travels beside (`urn:oid:`), which libxmlsec cannot follow."""
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_file(str(office.keys.seal), xmlsec.KeyFormat.CERT_PEM)
    signed = signature.find(f"{DS}SignedInfo")
    assert signed is not None
    method = signed.find(f"{DS}SignatureMethod")
    assert method is not None
    transform = {"rsa-sha1": xmlsec.Transform.RSA_SHA1, "rsa-sha256": xmlsec.Transform.RSA_SHA256}
    value = base64.b64decode(signature.findtext(f"{DS}SignatureValue", ""))
    context.verify_binary(canonical(signed), transform[method.get("Algorithm", "").rpartition("#")[2]], value)
    lines = signed.findall(f"{DS}Reference")
    assert [line.get("URI") for line in lines] == ["#IHEManifest", "#S0-SignedProperties"]
    for line in lines:
        (target,) = signature.xpath(f"//*[@Id='{line.get('URI', '')[1:]}']")
        assert digest_of(line) == hashlib.new(algorithm_of(line), canonical(target)).digest()


def canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", with_comments=True, with_tail=False)


def digest_of(line: etree._Element) -> bytes:
    return base64.b64decode(line.findtext(f"{DS}DigestValue", ""))


def algorithm_of(line: etree._Element) -> str:
    method = line.find(f"{DS}DigestMethod")
    assert method is not None
    return method.get("Algorithm", "").rpartition("#")[2]


def submissions(captured: list[Request]) -> list[Request]:
    return [r for r in captured if r.path.endswith("/repository")]


@pytest.mark.requirement("DMP-04", "DMP-08", "DMP-15")
def test_each_service_was_spoken_to(captured: list[Request]) -> None:
    actions = [envelope(r).findtext(f".//{WSA}Action") or "" for r in captured]
    assert {a.rpartition(":")[2] for a in actions} == {
        "PRPA_IN201307UV02", "ProvideAndRegisterDocumentSet-b", "RegistryStoredQuery", "UpdateDocumentSet",
    }  # fmt: skip
    assert len({envelope(r).findtext(f".//{WSA}MessageID") for r in captured}) == len(captured)


@pytest.mark.requirement("VIHF-01")
def test_each_request_bears_a_vihf_that_an_independent_library_verifies(
    captured: list[Request], office: Office
) -> None:
    for request in captured:
        root = envelope(request)
        (assertion,) = root.iter(f"{SAML}Assertion")
        (signature,) = assertion.findall(f"{DS}Signature")
        verified(signature, root, "ID", office)
        name = assertion.find(f".//{SAML}NameID")
        assert name is not None
        name.text = "899700000000"
        with pytest.raises(xmlsec.Error):
            verified(signature, root, "ID", office)


@pytest.mark.requirement("DMP-43")
def test_each_set_is_signed_and_its_manifest_holds_the_canonical_document(
    captured: list[Request], office: Office
) -> None:
    assert len(submissions(captured)) == 2
    for request in submissions(captured):
        _, document, proof = parts(request)
        signature = etree.fromstring(content(proof))
        assert signature.tag == f"{DS}Signature"
        set_verified(signature, office)
        whole_set, line = signature.findall(f".//{DS}Manifest/{DS}Reference")
        data = canonical(etree.fromstring(content(document)))
        assert digest_of(line) == hashlib.new(algorithm_of(line), data).digest()
        text = content(parts(request)[0]).decode()
        for reference in (whole_set, line):
            assert f'value="{reference.get("URI", "").removeprefix("urn:oid:")}"' in text


@pytest.mark.requirement("VIHF-17")
@pytest.mark.parametrize("where", ["Manifest", "SignedInfo", "SignatureValue"])
def test_a_signature_that_was_touched_is_seen(captured: list[Request], office: Office, where: str) -> None:
    """The verification above can fail."""
    signature = etree.fromstring(content(parts(submissions(captured)[0])[2]))
    found = signature.find(f".//{DS}{where}")
    assert found is not None
    if where == "SignatureValue":
        found.text = "AAAA"
    else:
        found.set("Touched", "1")
    with pytest.raises((xmlsec.Error, AssertionError)):
        set_verified(signature, office)


@pytest.mark.requirement("DMP-05")
def test_the_parts_are_those_that_the_envelope_names(captured: list[Request]) -> None:
    for request in submissions(captured):
        root, *others = parts(request)
        parameters = dict(email.message_from_string(f"Content-Type: {request.content_type}\n\n").get_params() or ())
        assert parameters["type"] == "application/xop+xml" and parameters["start-info"] == "application/soap+xml"
        assert root["Content-ID"] == parameters["start"]
        assert {p.get_content_type() for p in others} == {
            "text/xml"
        } and root.get_content_type() == "application/xop+xml"
        message = etree.fromstring(content(root))
        named = {d.get("id"): d.find(f"{XOP}Include").get("href") for d in message.iter(f"{XDS}Document")}
        by_id = {f"cid:{p['Content-ID'].strip('<>')}": content(p) for p in others}
        assert list(named.values()) == list(by_id)
        for entry in message.iter(f"{RIM}ExtrinsicObject"):
            data = by_id[named[entry.get("id")]]
            slots = {s.get("name"): s.findtext(f".//{RIM}Value") for s in entry.findall(f"{RIM}Slot")}
            assert slots["hash"].lower() == hashlib.sha1(data, usedforsecurity=False).hexdigest()
            assert slots["size"] == str(len(data))


@pytest.mark.requirement("DMP-04")
def test_the_envelope_is_canonical_where_it_is_signed_and_has_one_action(captured: list[Request]) -> None:
    for request in captured:
        root = envelope(request)
        assert root.tag == f"{SOAP}Envelope" and b"<!DOCTYPE" not in request.body
        action = root.findtext(f".//{WSA}Action")
        assert action and (f'action="{action}"' in request.content_type or request.path.endswith("/patients"))
        assert root.findtext(f".//{WSA}To", "").endswith(request.path)


@pytest.mark.requirement("DMP-01")
def test_connections_are_mutual_and_kept(captured: list[Request]) -> None:
    assert {r.version for r in captured} <= {"TLSv1.2", "TLSv1.3"}
    assert {r.client for r in captured} == {"auth-cli"}


def one_question(office: Office, port: int) -> str:
    from transvase.exporters import iti41

    client = dmp.Dmp(f"https://127.0.0.1:{port}{SERVICES}", office.context(), 20)
    try:
        message_id = "urn:uuid:6f0d7f0e-5a0c-5c1e-9a57-0c3d2b1a4e6f"
        message = iti41.query_by_unique_id(["1.2.3"], message_id, f"https://127.0.0.1:{port}{SERVICES}/registry")
        return client.query(message.content_type, message.parts, message.length, message_id).code
    finally:
        client.close()


@pytest.mark.requirement("DMP-02")
@pytest.mark.parametrize("suite", SUITES)
def test_each_suite_of_the_service_is_spoken(office: Office, tmp_path: Path, suite: str) -> None:
    with (
        office.sandbox(tmp_path / "s") as service,
        relay(office.keys, service.port, suite, ssl.TLSVersion.TLSv1_2) as (port, kept),
    ):
        # Without VIHF, which is no matter here.
        assert one_question(office, port) == "HTTP400"
        assert [(r.version, r.suite) for r in kept] == [("TLSv1.2", suite)]


@pytest.mark.requirement("DMP-02")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_nothing_older_is_spoken(office: Office) -> None:
    with relay(office.keys, 1, "ALL:@SECLEVEL=0", ssl.TLSVersion.TLSv1_1) as (port, kept):
        with pytest.raises(CertificateRefused):
            one_question(office, port)
        assert kept == []

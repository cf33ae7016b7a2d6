"""TLS, HTTP, multipart and SOAP: what is refused before metadata are looked at, and how."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PATH = "/si-dmp-server/v2/services/repository"


# TLS.


def refused(connect, sandbox, **options) -> bool:
    """Whether a connection with these credentials gets no answer at all."""
    try:
        connect(sandbox, **options).state()
    except (OSError, http.client.HTTPException):
        return True
    return False


def test_the_structure_certificate_is_accepted(sandbox, connect):
    assert not refused(connect, sandbox)


def test_no_client_certificate(sandbox, connect):
    assert refused(connect, sandbox, anonymous=True)


@pytest.mark.parametrize("name", ["expired", "stranger", "seal"])
def test_a_certificate_that_may_not_connect(sandbox, connect, name):
    pair = (getattr(sandbox.authority, name), getattr(sandbox.authority, f"{name}_key"))
    assert refused(connect, sandbox, certificate=pair)


def test_tls_1_1_is_refused_and_1_2_accepted(sandbox, connect):
    client = connect(sandbox)
    client.tls.maximum_version = ssl.TLSVersion.TLSv1_2
    client.tls.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")
    assert client.state()["counts"]
    old = connect(sandbox)
    old.tls.minimum_version = old.tls.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError):
        old.state()


def test_plain_http_gets_nothing(sandbox):
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as raw:
        raw.sendall(b"GET /control/state HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP" not in raw.recv(100)


@pytest.mark.skipif(os.name == "nt", reason="modes of files are POSIX")
def test_private_keys_are_private(sandbox):
    for path in sandbox.authority:
        assert path.stat().st_mode & 0o077 == 0


# HTTP.


class Raw:
    """A TLS connection that sends what it is told."""

    def __init__(self, client) -> None:
        self.socket = client.tls.wrap_socket(
            socket.create_connection(("127.0.0.1", client.sandbox.port), timeout=10), server_hostname="127.0.0.1"
        )

    def answer(self, data: bytes) -> bytes:
        """Everything the server sends until it closes."""
        self.socket.sendall(data)
        received = b""
        with self.socket:
            while piece := self.socket.recv(65536):
                received += piece
        return received


HEAD = f"POST {PATH} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"

BAD_HTTP = [
    ("HTTP/1.0", f"POST {PATH} HTTP/1.0\r\nHost: h\r\n\r\n", 505),
    ("no host", f"POST {PATH} HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400),
    ("no length", HEAD + "\r\n", 411),
    ("length not a number", HEAD + "Content-Length: -1\r\n\r\n", 400),
    ("length above the limit", HEAD + "Content-Length: 999999999999\r\n\r\n", 413),
    ("two lengths", HEAD + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    ("length and chunks", HEAD + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("another transfer encoding", HEAD + "Transfer-Encoding: gzip\r\n\r\n", 501),
    ("chunk without size", HEAD + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ("chunk longer than it says", HEAD + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", 400),
    ("header folded over two lines", HEAD + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n", 400),
    ("header without a colon", HEAD + "X\r\n\r\n", 400),
    ("head above the limit", HEAD + f"X: {'a' * 40000}\r\n\r\n", 431),
    ("GET on a service", f"GET {PATH} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 405),
    (
        "another path",
        "POST /si-dmp-server/v1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        404,
    ),
    (
        "control by another method",
        "PUT /control HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        405,
    ),
]


@pytest.mark.parametrize(("request_text", "status"), [pytest.param(*rest, id=name) for name, *rest in BAD_HTTP])
def test_bad_http(client, request_text, status):
    assert Raw(client).answer(request_text.encode()).startswith(f"HTTP/1.1 {status} ".encode())


def head(sent, url, length, extra="") -> bytes:
    host = url.split("/")[2]
    lines = [f"POST {PATH} HTTP/1.1", f"Host: {host}", f"Content-Type: {sent.headers()['Content-Type']}"]
    return ("\r\n".join([*lines, f"{length}{extra}"]) + "\r\n\r\n").encode()


def test_chunks_keep_alive_and_continue(client, message):
    sent = message()
    body = sent.body(client.sandbox.url)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i : i + 999]), body[i : i + 999]) for i in range(0, len(body), 999))
    extra = "\r\nExpect: 100-continue"
    first = head(sent, client.sandbox.url, "Transfer-Encoding: chunked", extra) + chunks + b"0\r\n\r\n"
    second = b"GET /control/state HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    received = Raw(client).answer(first + second)
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.startswith(b"HTTP/1.1 100 Continue")
    assert b"ResponseStatusType:Success" in received
    assert sent.unique_id.encode() in received


def test_a_length_shorter_than_the_body_cuts_the_multipart(client, message):
    sent = message()
    body = sent.body(client.sandbox.url)
    received = Raw(client).answer(head(sent, client.sandbox.url, f"Content-Length: {len(body) - 40}") + body)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert sent.unique_id not in {d["unique_id"] for d in client.state()["documents"]}


def test_a_length_longer_than_the_body_registers_nothing(client, message):
    sent = message()
    body = sent.body(client.sandbox.url)
    raw = Raw(client)
    raw.socket.sendall(head(sent, client.sandbox.url, f"Content-Length: {len(body) + 40}") + body)
    raw.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        raw.socket.recv(1)
    raw.socket.close()
    assert sent.unique_id not in {d["unique_id"] for d in client.state()["documents"]}


def test_a_silent_client_is_let_go(client, message, monkeypatch):
    monkeypatch.setattr("transvase.sandbox.server.PATIENCE", 0.2)
    sent = message()
    before = time.monotonic()
    received = Raw(client).answer(head(sent, client.sandbox.url, "Content-Length: 100") + b"half")
    assert received.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - before < 5


# Multipart.


def retyped(old, new):
    return lambda m: {"Content-Type": m.headers()["Content-Type"].replace(old, new)}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param(retyped("multipart/related", "multipart/mixed"), 415, id="multipart of another kind"),
        pytest.param(lambda m: {"Content-Type": "application/soap+xml"}, 415, id="not multipart"),
        pytest.param(lambda m: {}, 400, id="no content type"),
        pytest.param(retyped('; type="application/xop+xml"', ""), 400, id="no type"),
        pytest.param(
            retyped('start-info="application/soap+xml"', 'start-info="text/xml"'), 400, id="start-info of SOAP 1.1"
        ),
        pytest.param(
            retyped("ProvideAndRegisterDocumentSet-b", "RetrieveDocumentSet"), 400, id="action of another transaction"
        ),
        pytest.param(retyped("<root@test>", "<other@test>"), 400, id="start names no part"),
        pytest.param(retyped('start="<root@test>"; ', ""), 400, id="no start"),
        pytest.param(retyped("<root@test>", "root@test"), 400, id="start without brackets"),
        pytest.param(retyped("limite-1", "limite-2"), 400, id="another boundary"),
        pytest.param(retyped("limite-1", "x" * 71), 400, id="boundary of 71 characters"),
        pytest.param(retyped('boundary="limite-1"', 'boundary="limite-1'), 400, id="open quote"),
    ],
)
def test_bad_content_type(client, message, headers, status):
    sent = message()
    assert client.request("POST", PATH, sent.body(client.sandbox.url), headers(sent)).http == status


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda b: b[: len(b) // 2], id="cut in the middle"),
        pytest.param(lambda b: b[:-4], id="closing boundary cut"),
        pytest.param(lambda b: b"hello\r\n" + b, id="preamble"),
        pytest.param(lambda b: b + b"hello", id="epilogue"),
        pytest.param(
            lambda b: b.replace(b"Content-Transfer-Encoding: binary", b"Content-Transfer-Encoding: base64"),
            id="base64 parts",
        ),
        pytest.param(lambda b: b.replace(b"Content-ID: <Document01@test>\r\n", b""), id="part without Content-ID"),
        pytest.param(lambda b: b.replace(b"<Document01@test>", b"<root@test>"), id="two parts of one name"),
        pytest.param(lambda b: b.replace(b"charset=UTF-8; ", b"charset=ISO-8859-1; "), id="root part in Latin-1"),
        pytest.param(
            lambda b: b.replace(b"application/xop+xml; charset", b"text/xml; charset"), id="root part not XOP"
        ),
        pytest.param(lambda b: b.replace(b"\r\n\r\n", b"\r\n", 1), id="part without a blank line"),
        pytest.param(lambda b: b"", id="empty body"),
        pytest.param(lambda b: b"--limite-1\r\n" * 5000, id="nothing but boundaries"),
    ],
)
def test_bad_multipart(client, message, spoil):
    sent = message()
    body = sent.body(client.sandbox.url)
    assert spoil(body) != body
    assert client.request("POST", PATH, spoil(body), sent.headers()).http == 400


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_body_is_never_registered_nor_fatal(client, message, data):
    sent = message()
    body = bytearray(sent.body(client.sandbox.url))
    document = body.index(b"<ClinicalDocument")
    place = data.draw(st.integers(document, document + len(sent.entry.data) - 100))
    if data.draw(st.booleans()):
        body[place] ^= 0xFF
    else:
        del body[place]
    reply = client.request("POST", PATH, bytes(body), sent.headers())
    assert reply.http in (200, 400)
    assert b"ResponseStatusType:Success" not in reply.body
    assert sent.unique_id not in {d["unique_id"] for d in client.state()["documents"]}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=300))
def test_junk_is_refused_without_a_server_error(client, message, junk):
    sent = message()
    assert client.request("POST", PATH, junk, sent.headers()).http == 400
    wrapped = b"--limite-1\r\nContent-ID: <root@test>\r\n" + junk + b"\r\n--limite-1--\r\n"
    assert client.request("POST", PATH, wrapped, sent.headers()).http == 400


# SOAP.

BAD_SOAP = [
    (
        "SOAP 1.1",
        ("http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/"),
        500,
        "soap:VersionMismatch",
        "",
    ),
    ("not XML", ("<soap:Body>", "<soap:Body"), 400, "soap:Sender", ""),
    ("UTF-16 declared", ('encoding="UTF-8"', 'encoding="UTF-16"'), 400, "soap:Sender", ""),
    ("no message id", ("wsa:MessageID>", "wsa:MessageId>"), 400, "soap:Sender", "wsa:MessageAddressingHeaderRequired"),
    (
        "message id not a URN",
        ("<wsa:MessageID>urn:uuid:", "<wsa:MessageID>"),
        400,
        "soap:Sender",
        "wsa:InvalidAddressingHeader",
    ),
    ("to another service", ("/repository</wsa:To>", "/registry</wsa:To>"), 400, "soap:Sender", "wsa:InvalidAddress"),
    (
        "to another host",
        ("<wsa:To>https://127.0.0.1:", "<wsa:To>https://127.0.0.2:"),
        400,
        "soap:Sender",
        "wsa:InvalidAddress",
    ),
    (
        "reply elsewhere",
        ("addressing/anonymous", "addressing/none"),
        400,
        "soap:Sender",
        "wsa:OnlyAnonymousAddressSupported",
    ),
    (
        "action need not be understood",
        ('<wsa:Action soap:mustUnderstand="1">', "<wsa:Action>"),
        400,
        "soap:Sender",
        "wsa:InvalidAddressingHeader",
    ),
    (
        "action of another transaction",
        ("DocumentSet-b</wsa:Action>", "DocumentSet</wsa:Action>"),
        400,
        "soap:Sender",
        "wsa:ActionNotSupported",
    ),
    (
        "two actions",
        ("</soap:Header>", '<wsa:Action soap:mustUnderstand="1">x</wsa:Action></soap:Header>'),
        400,
        "soap:Sender",
        "wsa:InvalidCardinality",
    ),
    (
        "unknown header to be understood",
        ("</soap:Header>", '<x xmlns="urn:x" soap:mustUnderstand="true"/></soap:Header>'),
        500,
        "soap:MustUnderstand",
        "",
    ),
    ("two bodies", ("</soap:Body>", "</soap:Body><soap:Body/>"), 400, "soap:Sender", ""),
    ("two elements in the body", ("</soap:Body>", "<x/></soap:Body>"), 400, "soap:Sender", ""),
    ("another request", ("ProvideAndRegisterDocumentSetRequest", "RetrieveDocumentSetRequest"), 400, "soap:Sender", ""),
    ("no registry package", ("rim:RegistryPackage", "rim:RegistryPackages"), 400, "soap:Sender", ""),
    ("no entry", ("rim:ExtrinsicObject", "rim:ExtrinsicObjects"), 400, "soap:Sender", ""),
    ("include of no part", ("cid:Document01%40test", "cid:Document02%40test"), 400, "soap:Sender", ""),
    ("include by URL", ("cid:Document01%40test", "http://127.0.0.1/x"), 400, "soap:Sender", ""),
    (
        "document without include",
        ('<xds:Document id="Document01"><', '<xds:Document id="Document01">QQ==</xds:Document><xds:Document id="b"><'),
        400,
        "soap:Sender",
        "",
    ),
]


@pytest.mark.parametrize(
    ("change", "status", "code", "subcode"), [pytest.param(*rest, id=name) for name, *rest in BAD_SOAP]
)
def test_bad_soap(client, message, change, status, code, subcode):
    sent = message()
    sent.edits.append(change)
    reply = client.send(sent)
    assert reply.http == status
    assert reply.media_type.startswith("application/soap+xml")
    assert reply.fault[0] == code
    assert subcode in [*reply.fault[1], ""]
    assert bool(subcode) is bool(reply.fault[1])
    assert sent.unique_id not in {d["unique_id"] for d in client.state()["documents"]}


OUT_OF_SHAPE = [
    ("documents before the objects", ("lcm:SubmitObjectsRequest", "lcm:SubmitObject"), "begin with"),
    ("no list of objects", ("rim:RegistryObjectList", "rim:RegistryObjects"), "RegistryObjectList"),
    ("stranger after the documents", ("</xds:Document>", "</xds:Document><xds:Note/>"), "other than Document"),
    ("document without id", ('<xds:Document id="Document01">', "<xds:Document>"), "no id"),
]


@pytest.mark.parametrize(("change", "named"), [pytest.param(*rest, id=name) for name, *rest in OUT_OF_SHAPE])
def test_a_request_out_of_shape(client, message, change, named):
    sent = message()
    sent.edits.append(change)
    code, _, reason = client.send(sent).fault
    assert code == "soap:Sender"
    assert named in reason


def test_a_part_that_no_document_includes(client, message):
    sent = message()
    sent.edits.append(("<xds:Document", "<!--<xds:Document"))
    sent.edits.append(("</xds:Document>", "</xds:Document>-->"))
    assert client.send(sent).fault[0] == "soap:Sender"


def test_a_message_id_may_come_again_only_with_the_same_content(client, message):
    first, second = message(), message()
    second.message_id = first.message_id.replace("urn:uuid:", "URN:UUID:".lower())
    assert client.send(first).status == "Success"
    assert client.send(first).codes[0] == "XDSDuplicateUniqueIdInRegistry"
    assert client.send(second).fault[1] == ["wsa:InvalidAddressingHeader", "wsa:DuplicateMessageID"]


# Hostile XML.

BOMB = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefghi", "bcdefghij", strict=True))
    + "]>"
)
HOSTILE = {
    "empty document type": "<!DOCTYPE a>",
    "a billion laughs": BOMB,
    "a local file": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    "a remote DTD": '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd">',
}


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in HOSTILE.items()])
def test_document_types_are_refused_in_envelope_and_document(client, message, text):
    in_envelope, in_document = message(), message()
    in_envelope.edits.append(("?><soap", f"?>{text}<soap"))
    in_document.entry.edit("<ClinicalDocument", f"{text}<ClinicalDocument")
    in_document.entry.edit("DUVAL", "&j;" if "ENTITY j" in text else "DUVAL")
    before = time.monotonic()
    assert client.send(in_envelope).fault[0] == "soap:Sender"
    reply = client.send(in_document)
    assert reply.codes == ["InvalidDocumentContent"]
    assert time.monotonic() - before < 2


def test_an_encoding_cannot_hide_a_document_type(client, message):
    sent = message()
    sent.entry.data = b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a><a/>'
    assert client.send(sent).codes == ["InvalidDocumentContent"]
    sent.entry.data = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a><a/>'.encode("utf-16")
    sent.message_id = message().message_id
    assert client.send(sent).codes == ["InvalidDocumentContent"]


def test_deep_nesting_is_survived(client, message):
    sent = message()
    sent.entry.data = b"<a>" * 200_000 + b"</a>" * 200_000
    assert client.send(sent).codes == ["InvalidDocumentContent"]
    assert client.state()["counts"]

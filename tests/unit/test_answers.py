"""Every form that an answer of the DMP may take, and what the client may conclude from it (sheet dmp-transactions, 2 and 11).

`accepted` and `refused` are said only of what the registry surely did; anything else is a doubt, and the registry is asked.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transvase.gateways.dmp import STALE, Answer, Entry, Found, Reference, read_answer, read_found, read_reference

STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
RS, RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0", "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
QUERY = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
SOAP12, SOAP11 = "http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/"
WSA = "http://www.w3.org/2005/08/addressing"
UNIQUE = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
OURS, ANOTHER = "urn:uuid:00000000-0000-4000-8000-000000000001", "urn:uuid:00000000-0000-4000-8000-000000000002"

XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


def envelope(body: str, relates_to: str = "", soap: str = SOAP12) -> bytes:
    related = f'<a:RelatesTo xmlns:a="{WSA}">{relates_to}</a:RelatesTo>' if relates_to else ""
    return (
        f'{XML}<s:Envelope xmlns:s="{soap}"><s:Header>{related}</s:Header><s:Body>{body}</s:Body></s:Envelope>'.encode()
    )


def response(status: str, *codes: str, severity: str = "Error") -> str:
    errors = "".join(
        f'<rs:RegistryError errorCode="{c}" codeContext="Nom du patient : MARTIN" location="" '
        f'severity="urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:{severity}"/>'
        for c in codes
    )
    listed = f"<rs:RegistryErrorList>{errors}</rs:RegistryErrorList>" if codes else ""
    return f'<rs:RegistryResponse xmlns:rs="{RS}" status="{status}">{listed}</rs:RegistryResponse>'


def fault(code: str, *subcodes: str) -> str:
    inner = ""
    for subcode in reversed(subcodes):
        inner = f"<s:Subcode><s:Value>{subcode}</s:Value>{inner}</s:Subcode>"
    return (
        f'<s:Fault xmlns:s="{SOAP12}"><s:Code><s:Value>{code}</s:Value>{inner}</s:Code>'
        '<s:Reason><s:Text xml:lang="fr">Le patient MARTIN est inconnu</s:Text></s:Reason></s:Fault>'
    )


def multipart(part: bytes, *others: bytes) -> bytes:
    boundary = b"--MIMEBoundary_1"
    head = b"Content-Type: application/xop+xml; charset=UTF-8\r\nContent-ID: <root@dmp>\r\n\r\n"
    return b"".join(b"\r\n" + boundary + b"\r\n" + head + p for p in (part, *others)) + b"\r\n" + boundary + b"--\r\n"


SUCCESS = envelope(response(STATUS + "Success"))
PAGE = b"<!DOCTYPE html><html><head><title>Proxy</title></head><body><h1>Service indisponible</h1></body></html>"
PLAIN_PAGE = b"<html><body><p>Service indisponible</p></body></html>"
DOCTYPE = XML.encode() + b'<!DOCTYPE x [<!ENTITY a "Success">]>' + SUCCESS[len(XML) :]

ANSWERS = [
    # What the registry surely did.
    ("success", 200, SUCCESS, Answer("accepted")),
    ("success with a warning", 200, envelope(response(STATUS + "Success", "XDSExtraMetadataNotSaved", severity="Warning")), Answer("accepted")),
    ("success in a multipart", 200, multipart(SUCCESS), Answer("accepted")),
    ("refused", 200, envelope(response(STATUS + "Failure", "XDSUnknownPatientId")), Answer("refused", "XDSUnknownPatientId")),
    ("refused by a code with a prefix", 200, envelope(response(STATUS + "Failure", "urn:ihe:iti:XDSMissingDocument")), Answer("refused", "XDSMissingDocument")),
    ("refused for two reasons", 200, envelope(response(STATUS + "Failure", "XDSMissingDocument", "XDSRegistryMetadataError")),
     Answer("refused", "XDSMissingDocument")),
    ("refused in a multipart", 200, multipart(envelope(response(STATUS + "Failure", "XDSReplaceFailed"))), Answer("refused", "XDSReplaceFailed")),
    ("refused with a code of the DMP", 200, envelope(response(STATUS + "Failure", "DMPAccessDeniedByRightsService")),
     Answer("refused", "DMPAccessDeniedByRightsService")),
    ("a code that is a sentence is not kept", 200, envelope(response(STATUS + "Failure", "Patient MARTIN inconnu")), Answer("refused", "unknown")),
    ("a code that is a number is not kept", 200, envelope(response(STATUS + "Failure", "180017599000157")), Answer("refused", "unknown")),
    ("our message is wrong", 400, envelope(fault("s:Sender")), Answer("refused", "Sender")),
    ("our message is wrong, and why", 400, envelope(fault("s:Sender", "dmp:DMPAccessDeniedByRightsService")), Answer("refused", "DMPAccessDeniedByRightsService")),
    ("the particular reason is the last", 400, envelope(fault("s:Sender", "wsa:InvalidAddressingHeader", "wsa:InvalidAddress")),
     Answer("refused", "InvalidAddress")),
    ("our message is wrong, in a multipart", 500, multipart(envelope(fault("s:Sender", "dmp:DMPAccessDeniedByRightsService"))),
     Answer("refused", "DMPAccessDeniedByRightsService")),
    # Refusals under which the registry may hold the document.
    *(
        (f"failure {code}", 200, envelope(response(STATUS + "Failure", code)), Answer("doubt", code))
        for code in ("XDSDuplicateUniqueIdInRegistry", "XDSNonIdenticalHash", "XDSRepositoryBusy", "XDSRegistryBusy", "XDSRepositoryError", "XDSRegistryError")
    ),
    ("a doubtful code behind another", 200, envelope(response(STATUS + "Failure", "XDSMissingDocument", "XDSRegistryError")),
     Answer("doubt", "XDSMissingDocument")),
    ("our message was received before", 400, envelope(fault("s:Sender", "wsa:InvalidAddressingHeader", "wsa:DuplicateMessageID")),
     Answer("doubt", "DuplicateMessageID")),
    ("failure without a reason", 200, envelope(response(STATUS + "Failure")), Answer("doubt", "unknown")),
    ("partial", 200, envelope(response(STATUS + "PartialSuccess", "XDSExtraMetadataNotSaved", severity="Warning")), Answer("doubt", "PartialSuccess")),
    ("a status of nobody", 200, envelope(response("Success")), Answer("doubt", "unknown")),
    ("no status", 200, envelope(f'<rs:RegistryResponse xmlns:rs="{RS}"/>'), Answer("doubt", "unknown")),
    ("the server failed", 500, envelope(fault("s:Receiver")), Answer("doubt", "Receiver")),
    ("the server failed, and why", 500, envelope(fault("s:Receiver", "dmp:DMPTechnicalError")), Answer("doubt", "DMPTechnicalError")),
    ("the server failed, in a multipart", 500, multipart(envelope(fault("s:Receiver"))), Answer("doubt", "Receiver")),
    ("it did not understand a header", 500, envelope(fault("s:MustUnderstand")), Answer("doubt", "MustUnderstand")),
    ("a fault without a code", 500, envelope(f'<s:Fault xmlns:s="{SOAP12}"/>'), Answer("doubt", "unknown")),
    ("a fault of SOAP 1.1", 500, envelope('<s:Fault><faultcode>s:Client</faultcode></s:Fault>', soap=SOAP11), Answer("doubt", "unreadable")),
    # Overload: the service asks to wait.
    ("busy", 503, b"Service Unavailable\n", Answer("overloaded", "HTTP503")),
    ("too many requests", 429, b"", Answer("overloaded", "HTTP429")),
    ("busy, says a proxy", 503, PAGE, Answer("overloaded", "HTTP503")),
    ("busy, even with a fault", 503, envelope(fault("s:Sender")), Answer("overloaded", "HTTP503")),
    # What cannot be read says nothing.
    ("empty", 200, b"", Answer("doubt", "unreadable")),
    ("empty error", 500, b"", Answer("doubt", "unreadable")),
    ("text", 500, b"Internal Server Error\n", Answer("doubt", "unreadable")),
    ("page of a proxy with 200", 200, PAGE, Answer("doubt", "unreadable")),
    ("page of a proxy with 502", 502, PAGE, Answer("doubt", "unreadable")),
    ("page that is XML too", 200, PLAIN_PAGE, Answer("doubt", "unreadable")),
    ("page that quotes a success", 200, b"<html><body>" + response(STATUS + "Success").encode()[:40] + b"</body></html>", Answer("doubt", "unreadable")),
    ("a DOCTYPE", 200, DOCTYPE, Answer("doubt", "unreadable")),
    ("an encoding that is not ours", 200, SUCCESS.replace(b"UTF-8", b"UTF-7"), Answer("doubt", "unreadable")),
    ("bytes", 200, b"\x00\xff\xfe<\x80>", Answer("doubt", "unreadable")),
    ("multipart without its part", 200, b"\r\n--MIMEBoundary_1--\r\n", Answer("doubt", "unreadable")),
    ("multipart whose head does not end", 200, b"--MIMEBoundary_1\r\nContent-Type: text/xml\r\n", Answer("doubt", "unreadable")),
    ("an empty body of SOAP", 200, envelope(""), Answer("doubt", "unreadable")),
    ("the answer of a query", 200, envelope(f'<q:AdhocQueryResponse xmlns:q="{QUERY}" status="{STATUS}Success"/>'), Answer("doubt", "unreadable")),
    ("two answers in one", 200, SUCCESS + SUCCESS, Answer("doubt", "unreadable")),
]  # fmt: skip


@pytest.mark.requirement("DMP-06", "DMP-07", "DMP-56")
@pytest.mark.parametrize(("status", "body", "expected"), [a[1:] for a in ANSWERS], ids=[a[0] for a in ANSWERS])
def test_what_an_answer_tells(status: int, body: bytes, expected: Answer) -> None:
    assert read_answer(status, {}, body, OURS) == expected


@pytest.mark.requirement("DMP-06")
@pytest.mark.parametrize("cut", range(1, len(SUCCESS), 7))
def test_a_truncated_success_is_a_doubt(cut: int) -> None:
    assert read_answer(200, {}, SUCCESS[:cut]) == Answer("doubt", "unreadable")
    assert read_answer(200, {}, multipart(SUCCESS)[:cut]).kind == "doubt"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("", 0.0),
        ("soon", 0.0),
        ("-3", 0.0),
        ("1.5", 0.0),
        ("²", 0.0),
        ("Mon, 23 Nov 2026 20:00:00 GMT", 0.0),
    ],
)
def test_how_long_an_overloaded_service_asks_to_wait(header: str, seconds: float) -> None:
    assert read_answer(503, {"retry-after": header}, b"") == Answer("overloaded", "HTTP503", seconds)


@pytest.mark.parametrize(
    "body",
    [response(STATUS + "Success"), response(STATUS + "Failure", "XDSUnknownPatientId"), fault("s:Sender")],
    ids=["success", "failure", "fault"],
)
def test_the_answer_to_another_message_tells_nothing_of_ours(body: str) -> None:
    assert read_answer(200, {}, envelope(body, relates_to=ANOTHER), OURS) == Answer("doubt", STALE)
    sure = read_answer(200, {}, envelope(body, relates_to=OURS), OURS)
    assert sure.kind in ("accepted", "refused")
    # A server that says to nothing what it answers is believed.
    assert read_answer(200, {}, envelope(body), OURS) == sure


@given(st.binary(max_size=200), st.sampled_from([200, 202, 400, 500, 502]))
def test_no_bytes_make_an_acceptance_by_chance(body: bytes, status: int) -> None:
    assert read_answer(status, {}, body) == Answer("doubt", "unreadable")
    assert read_found(body) == Found(False, {}, "unreadable")


@pytest.mark.requirement("DMP-06")
@given(st.integers(0, len(SUCCESS) - 1), st.integers(0, 255))
def test_a_spoilt_success_is_never_a_refusal(place: int, value: int) -> None:
    spoilt = SUCCESS[:place] + bytes([value]) + SUCCESS[place + 1 :]
    assert read_answer(200, {}, spoilt).kind in ("accepted", "doubt")


@pytest.mark.requirement("DMP-12")
@given(st.text(max_size=80))
def test_no_text_of_the_server_is_kept(text: str) -> None:
    clean = "".join(c for c in text if c.isprintable() and c not in '<>&"')
    code = read_answer(200, {}, envelope(response(STATUS + "Failure", clean))).code
    assert code == "unknown" or (code.isascii() and code.replace("_", "").isalnum() and len(code) <= 61)


# What the registry holds under a uniqueId.


def entry(unique: str, sha1: str | None = "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709", status: str = "Approved", ident: str = "urn:uuid:e1") -> str:  # fmt: skip
    hashed = (
        f'<rim:Slot name="hash"><rim:ValueList><rim:Value>{sha1}</rim:Value></rim:ValueList></rim:Slot>'
        if sha1 is not None
        else ""
    )
    return (
        f'<rim:ExtrinsicObject id="{ident}" status="urn:oasis:names:tc:ebxml-regrep:StatusType:{status}">'
        f'<rim:Slot name="size"><rim:ValueList><rim:Value>12</rim:Value></rim:ValueList></rim:Slot>{hashed}'
        f'<rim:ExternalIdentifier identificationScheme="urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427" value="x^^^&amp;1&amp;ISO^NH"/>'
        f'<rim:ExternalIdentifier identificationScheme="{UNIQUE}" value="{unique}"/></rim:ExtrinsicObject>'
    )


def listing(*entries: str, status: str = STATUS + "Success") -> str:
    return (
        f'<q:AdhocQueryResponse xmlns:q="{QUERY}" xmlns:rim="{RIM}" status="{status}">'
        f"<rim:RegistryObjectList>{''.join(entries)}</rim:RegistryObjectList></q:AdhocQueryResponse>"
    )


LOWER = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
ONE = Entry("1.2.3.1", "urn:uuid:e1", LOWER, "Approved", "x^^^&1&ISO^NH")
FOUND = [
    ("nothing held", envelope(listing()), Found(True, {})),
    ("one document", envelope(listing(entry("1.2.3.1"))), Found(True, {"1.2.3.1": ONE})),
    ("one document, in a multipart", multipart(envelope(listing(entry("1.2.3.1")))), Found(True, {"1.2.3.1": ONE})),
    ("its hash with blanks", envelope(listing(entry("1.2.3.1", f"\n {LOWER} "))), Found(True, {"1.2.3.1": ONE})),
    ("without its hash", envelope(listing(entry("1.2.3.1", None))), Found(True, {"1.2.3.1": ONE._replace(sha1="")})),
    ("with an empty hash", envelope(listing(entry("1.2.3.1", ""))), Found(True, {"1.2.3.1": ONE._replace(sha1="")})),
    ("replaced since", envelope(listing(entry("1.2.3.1", status="Deprecated"))), Found(True, {"1.2.3.1": ONE._replace(status="Deprecated")})),
    ("two documents", envelope(listing(entry("1.2.3.1"), entry("1.2.3.2", ident="urn:uuid:e2"))),
     Found(True, {"1.2.3.1": ONE, "1.2.3.2": Entry("1.2.3.2", "urn:uuid:e2", LOWER, "Approved", "x^^^&1&ISO^NH")})),
    ("an object without uniqueId", envelope(listing(entry(""))), Found(True, {})),
    ("the query failed", envelope(listing(status=STATUS + "Failure")), Found(False, {}, "Failure")),
    ("a part of the answer is no answer", envelope(listing(entry("1.2.3.1"), status=STATUS + "PartialSuccess")), Found(False, {}, "Failure")),
    ("no status", envelope(listing(status="")), Found(False, {}, "Failure")),
    ("a fault", envelope(fault("s:Receiver")), Found(False, {}, "Failure")),
    ("the answer of a sending", SUCCESS, Found(False, {}, "Failure")),
    ("a page", PAGE, Found(False, {}, "unreadable")),
    ("a page that is XML too", PLAIN_PAGE, Found(False, {}, "Failure")),
    ("empty", b"", Found(False, {}, "unreadable")),
    ("a DOCTYPE", b"<!DOCTYPE x>" + envelope(listing())[len(XML) :], Found(False, {}, "unreadable")),
    ("truncated", envelope(listing(entry("1.2.3.1")))[:-20], Found(False, {}, "unreadable")),
    ("the answer to another message", envelope(listing(), relates_to=ANOTHER), Found(False, {}, STALE)),
    ("the answer to ours", envelope(listing(), relates_to=OURS), Found(True, {})),
]  # fmt: skip


@pytest.mark.requirement("DMP-15", "DMP-50")
@pytest.mark.parametrize(("body", "expected"), [f[1:] for f in FOUND], ids=[f[0] for f in FOUND])
def test_what_the_registry_holds(body: bytes, expected: Found) -> None:
    assert read_found(body, OURS) == expected


# The references under one uniqueId (TD3.1b).

REFERENCES = [
    ("none", envelope(listing()), Reference(True)),
    ("one", envelope(listing('<rim:ObjectRef id="urn:uuid:e1"/>')), Reference(True, ("urn:uuid:e1",))),
    ("one, in a multipart", multipart(envelope(listing('<rim:ObjectRef id="urn:uuid:e1"/>'))), Reference(True, ("urn:uuid:e1",))),
    ("one said twice", envelope(listing('<rim:ObjectRef id="urn:uuid:e1"/><rim:ObjectRef id="urn:uuid:e1"/>')), Reference(True, ("urn:uuid:e1",))),
    ("two", envelope(listing('<rim:ObjectRef id="urn:uuid:e1"/><rim:ObjectRef id="urn:uuid:e2"/>')), Reference(True, ("urn:uuid:e1", "urn:uuid:e2"))),
    ("a whole entry", envelope(listing(entry("1.2.3.1"))), Reference(True, ("urn:uuid:e1",))),
    ("no identifier", envelope(listing("<rim:ObjectRef/>")), Reference(True)),
    ("an identifier that is no entryUUID", envelope(listing('<rim:ObjectRef id="1.2.3"/>')), Reference(True)),
    ("the query failed", envelope(listing(status=STATUS + "Failure")), Reference(False, (), "Failure")),
    ("a fault", envelope(fault("s:Receiver")), Reference(False, (), "Failure")),
    ("a page", PAGE, Reference(False, (), "unreadable")),
    ("empty", b"", Reference(False, (), "unreadable")),
    ("the answer to another message", envelope(listing(), relates_to=ANOTHER), Reference(False, (), STALE)),
]  # fmt: skip


@pytest.mark.requirement("DMP-18")
@pytest.mark.parametrize(("body", "expected"), [r[1:] for r in REFERENCES], ids=[r[0] for r in REFERENCES])
def test_what_a_replacement_may_point_at(body: bytes, expected: Reference) -> None:
    assert read_reference(body, OURS) == expected

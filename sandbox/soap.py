"""SOAP 1.2 envelopes: reading their WS-Addressing headers strictly, writing answers and faults.

Written from the sheet dmp-transactions, section 2. The meaning of a body belongs to the module of its transaction; the
content of the security header to `vihf`.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from transvase.sandbox import markup

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://www.w3.org/2005/08/addressing"
SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
ANONYMOUS = f"{ADDRESSING}/anonymous"

_MESSAGE_ID = re.compile(r"urn:uuid:[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}")
_TRUE = ("1", "true")
_UNDERSTOOD = {(ADDRESSING, name) for name in ("MessageID", "To", "ReplyTo", "FaultTo", "From", "Action")} | {
    (SECURITY, "Security")
}
_ONCE = {(ADDRESSING, name) for name in ("MessageID", "To", "ReplyTo", "Action")} | {(SECURITY, "Security")}


class Fault(Exception):
    """A SOAP 1.2 fault: `code` is Sender, Receiver, VersionMismatch or MustUnderstand; `subcodes` go from general to
    particular (prefixed names); `reason` is one sentence that quotes nothing of the message."""

    def __init__(self, reason: str, code: str = "Sender", subcodes: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.subcodes = subcodes

    @property
    def status(self) -> int:
        """The HTTP status of the SOAP 1.2 binding."""
        return 400 if self.code == "Sender" else 500


class Envelope(NamedTuple):
    """A read request: message id, action, the only element of the body, the security header, a digest of the bytes."""

    message_id: str
    action: str
    body: markup.Element
    security: markup.Element | None
    digest: str


def read(data: bytes, url: str, actions: tuple[str, ...]) -> Envelope:
    """Check an envelope addressed to `url` (as `https://host:port/path`) for one of `actions`. Raises `Fault`."""
    try:
        root = markup.parse(data, bare=True)
    except markup.Malformed as problem:
        raise Fault(f"The envelope is refused: {problem}.") from None
    namespace, name = markup.parts(root)
    if name == "Envelope" and namespace != SOAP:
        raise Fault("The envelope is not in the SOAP 1.2 namespace.", "VersionMismatch")
    children = list(markup.elements(root))
    if name != "Envelope" or [markup.parts(child) for child in children] != [(SOAP, "Header"), (SOAP, "Body")]:
        raise Fault("The message is not an Envelope with one Header and one Body.")
    header, body = children
    content = list(markup.elements(body))
    if len(content) != 1:
        raise Fault("Body does not hold exactly one element.")
    blocks = _blocks(header)
    message_id = markup.text(_required(blocks, "MessageID"))
    if not _MESSAGE_ID.fullmatch(message_id):
        raise Fault("MessageID is not urn:uuid: and a UUID.", subcodes=("wsa:InvalidAddressingHeader",))
    if _address(markup.text(_required(blocks, "To"))) != _address(url):
        raise Fault(
            "To is not the address of this service.", subcodes=("wsa:InvalidAddressingHeader", "wsa:InvalidAddress")
        )
    reply_to = _required(blocks, "ReplyTo")
    if markup.text(reply_to.find(f"{{{ADDRESSING}}}Address")) != ANONYMOUS:
        raise Fault(
            "ReplyTo is not anonymous.", subcodes=("wsa:InvalidAddressingHeader", "wsa:OnlyAnonymousAddressSupported")
        )
    action = _required(blocks, "Action")
    for label, block in (("ReplyTo", reply_to), ("Action", action)):
        if block.get(f"{{{SOAP}}}mustUnderstand") not in _TRUE:
            raise Fault(f"{label} has no mustUnderstand.", subcodes=("wsa:InvalidAddressingHeader",))
    if markup.text(action) not in actions:
        raise Fault("Action is not one of this service.", subcodes=("wsa:ActionNotSupported",))
    security = blocks.get((SECURITY, "Security"))
    return Envelope(message_id, markup.text(action), content[0], security, hashlib.sha256(data).hexdigest())


def _blocks(header: markup.Element) -> dict[tuple[str, str], markup.Element]:
    blocks: dict[tuple[str, str], markup.Element] = {}
    for block in markup.elements(header):
        key = markup.parts(block)
        if key not in _UNDERSTOOD and block.get(f"{{{SOAP}}}mustUnderstand") in _TRUE:
            raise Fault("A header to be understood is unknown here.", "MustUnderstand")
        if key in _ONCE and key in blocks:
            raise Fault(
                f"Header {key[1]} is repeated.", subcodes=("wsa:InvalidAddressingHeader", "wsa:InvalidCardinality")
            )
        blocks[key] = block
    return blocks


def _required(blocks: dict[tuple[str, str], markup.Element], name: str) -> markup.Element:
    block = blocks.get((ADDRESSING, name))
    if block is None:
        raise Fault(f"Header {name} is missing.", subcodes=("wsa:MessageAddressingHeaderRequired",))
    return block


def _address(url: str) -> str:
    """Scheme and host without regard to case, default port left out; the path as it is."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host.lower().removesuffix(':443')}{slash}{path}"


def answer(action: str, relates_to: str, body: str) -> bytes:
    """An answer envelope around `body` (XML text). Its MessageID derives from the request's: same request, same bytes."""
    return _envelope(action, relates_to, body)


def fault(problem: Fault, relates_to: str = "") -> bytes:
    """The envelope of a fault."""
    subcodes = ""
    for subcode in reversed(problem.subcodes):
        subcodes = f"<soap:Subcode><soap:Value>{escape(subcode)}</soap:Value>{subcodes}</soap:Subcode>"
    body = (
        f"<soap:Fault><soap:Code><soap:Value>soap:{problem.code}</soap:Value>{subcodes}</soap:Code>"
        f'<soap:Reason><soap:Text xml:lang="en">{escape(problem.reason)}</soap:Text></soap:Reason></soap:Fault>'
    )
    return _envelope(f"{ADDRESSING}/soap/fault", relates_to, body)


def _envelope(action: str, relates_to: str, body: str) -> bytes:
    identifier = uuid.uuid5(uuid.NAMESPACE_URL, f"{action} {relates_to}")
    related = f"<wsa:RelatesTo>{escape(relates_to)}</wsa:RelatesTo>" if relates_to else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<soap:Envelope xmlns:soap={quoteattr(SOAP)} xmlns:wsa={quoteattr(ADDRESSING)}><soap:Header>"
        f'<wsa:Action soap:mustUnderstand="1">{escape(action)}</wsa:Action>'
        f"<wsa:MessageID>urn:uuid:{identifier}</wsa:MessageID>{related}"
        f"</soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode()

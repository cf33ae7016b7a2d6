"""Bytes of the DMP's XDS messages: ITI-41 as MTOM/XOP multipart, the ITI-18 query by uniqueId and ITI-57, in SOAP 1.2 with WS-Addressing
(sheet dmp-transactions.md, sections 2, 6, 7, 10). Identifiers are arguments; sending belongs to `gateways`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from transvase.formats.xml_text import attribute as q
from transvase.formats.xml_text import text as t

SUBMIT_ACTION = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
UPDATE_ACTION = "urn:ihe:iti:2010:UpdateDocumentSet"
QUERY_ACTION = "urn:ihe:iti:2007:RegistryStoredQuery"
_GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
_ANONYMOUS = "http://www.w3.org/2005/08/addressing/anonymous"
_SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"


class Message(NamedTuple):
    """A request: value of Content-Type, and the body in parts so that a document is not copied."""

    content_type: str
    parts: tuple[bytes, ...]

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return sum(map(len, self.parts))


def envelope(action: str, message_id: str, to: str, body: str, assertion: str = "") -> str:
    """A request's envelope; `assertion` is the signed VIHF (`exporters.vihf`), put in the security header when there is one."""
    security = f'<wsse:Security xmlns:wsse="{_SECURITY}">{assertion}</wsse:Security>' if assertion else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://www.w3.org/2005/08/addressing">'
        f'<soap:Header><wsa:Action soap:mustUnderstand="true">{t(action)}</wsa:Action><wsa:MessageID>{t(message_id)}</wsa:MessageID>'
        f'<wsa:ReplyTo soap:mustUnderstand="true"><wsa:Address>{_ANONYMOUS}</wsa:Address></wsa:ReplyTo><wsa:To>{t(to)}</wsa:To>'
        f"{security}</soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>"
    )


def provide_and_register(
    request: str, documents: Sequence[tuple[str, bytes]], message_id: str, to: str, assertion: str = ""
) -> Message:
    """`request` is the SubmitObjectsRequest; `documents` (Document@id, bytes) in its order; `message_id` is `urn:uuid:…`."""
    stem = message_id.rsplit(":", 1)[-1]
    boundary = f"transvase-{stem}"
    includes = "".join(
        f'<xds:Document id="{q(ident)}"><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" '
        f'href="cid:{q(ident)}.{stem}@transvase"/></xds:Document>'
        for ident, _ in documents
    )
    body = (
        '<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="urn:ihe:iti:xds-b:2007">'
        f"{request}{includes}</xds:ProvideAndRegisterDocumentSetRequest>"
    )
    root = f"root.{stem}@transvase"
    head = (
        f'--{boundary}\r\nContent-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\r\n'
        f"Content-Transfer-Encoding: binary\r\nContent-ID: <{root}>\r\n\r\n"
    ).encode()
    parts: list[bytes] = [head, envelope(SUBMIT_ACTION, message_id, to, body, assertion).encode()]
    for ident, data in documents:
        parts += (
            f"\r\n--{boundary}\r\nContent-Type: text/xml\r\nContent-Transfer-Encoding: binary\r\n"
            f"Content-ID: <{ident}.{stem}@transvase>\r\n\r\n".encode(),
            data,
        )
    parts.append(f"\r\n--{boundary}--\r\n".encode())
    content_type = (
        f'multipart/related; type="application/xop+xml"; boundary="{boundary}"; start="<{root}>"; '
        f'start-info="application/soap+xml"; action="{SUBMIT_ACTION}"'
    )
    return Message(content_type, tuple(parts))


def query_by_unique_id(
    unique_ids: Sequence[str], message_id: str, to: str, assertion: str = "", *, references: bool = False
) -> Message:
    """ITI-18 GetDocuments by uniqueId: whole entries, or with `references` their entryUUIDs alone (TD3.1b), which a structure's
    certificate may always ask for (sheet, 4 and 10)."""
    kind = "ObjectRef" if references else "LeafClass"
    values = ",".join(f"'{u}'" for u in unique_ids)
    body = (
        '<query:AdhocQueryRequest xmlns:query="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" '
        'xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">'
        f'<query:ResponseOption returnComposedObjects="true" returnType="{kind}"/>'
        f'<rim:AdhocQuery id="{_GET_DOCUMENTS}"><rim:Slot name="$XDSDocumentEntryUniqueId"><rim:ValueList>'
        f"<rim:Value>({t(values)})</rim:Value></rim:ValueList></rim:Slot></rim:AdhocQuery></query:AdhocQueryRequest>"
    )
    data = envelope(QUERY_ACTION, message_id, to, body, assertion).encode()
    return Message(f'application/soap+xml; charset=UTF-8; action="{QUERY_ACTION}"', (data,))


def update(request: str, message_id: str, to: str, assertion: str = "") -> Message:
    """ITI-57: a change of metadata, without documents (TD3.3). `request` is the SubmitObjectsRequest."""
    data = envelope(UPDATE_ACTION, message_id, to, request, assertion).encode()
    return Message(f'application/soap+xml; charset=UTF-8; action="{UPDATE_ACTION}"', (data,))

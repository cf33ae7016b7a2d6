"""A strict local audit repository (IHE ATNA, ITI-20): syslog over TLS with frames of RFC 5425, headers of RFC 5424 and messages of DICOM
PS3.15, A.5. Read from those texts alone; what it refuses is kept with its reason, since syslog answers nothing.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import re
import ssl
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from transvase.sandbox import authority
from transvase.sandbox.markup import Element, parse
from transvase.sandbox.service import InThread, accepting

_HOST = "127.0.0.1"
_BOM = b"\xef\xbb\xbf"
_LARGEST = 256 * 1024
# RFC 5424, 6: PRI, version, timestamp with at most six digits of seconds and an offset, then names of printable ASCII.
_HEADER = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) "
    rb"([!-~]{1,32}) - (.*)",
    re.DOTALL,
)
_EVENTS = {"110100", "110101", "110106", "110107", "110110", "110112", "110113", "110114"}
_ROLES = {"110150", "110151", "110152", "110153", "110154", "110155"}
# The order of children and the attributes that each element must and may have (PS3.15, A.5.1, in RELAX NG there).
_CODE = ({"csd-code", "codeSystemName", "originalText"}, {"displayName"})
_CHILDREN = {
    "AuditMessage": (
        "EventIdentification",
        "ActiveParticipant+",
        "AuditSourceIdentification",
        "ParticipantObjectIdentification*",
    ),
    "EventIdentification": ("EventID", "EventTypeCode*"),
    "ActiveParticipant": ("RoleIDCode*",),
    "AuditSourceIdentification": ("AuditSourceTypeCode*",),
    "ParticipantObjectIdentification": ("ParticipantObjectIDTypeCode", "ParticipantObjectDetail*"),
}
_ATTRIBUTES: dict[str, tuple[set[str], set[str]]] = {
    "AuditMessage": (set(), set()),
    "EventIdentification": ({"EventDateTime", "EventOutcomeIndicator"}, {"EventActionCode"}),
    "EventID": _CODE,
    "EventTypeCode": _CODE,
    "ActiveParticipant": (
        {"UserID", "UserIsRequestor"}, {"AlternativeUserID", "UserName", "NetworkAccessPointID", "NetworkAccessPointTypeCode"},
    ),
    "RoleIDCode": _CODE,
    "AuditSourceIdentification": ({"AuditSourceID"}, {"AuditEnterpriseSiteID"}),
    "AuditSourceTypeCode": ({"csd-code"}, {"codeSystemName", "originalText", "displayName"}),
    "ParticipantObjectIdentification": (
        {"ParticipantObjectID", "ParticipantObjectTypeCode"},
        {"ParticipantObjectTypeCodeRole", "ParticipantObjectDataLifeCycle", "ParticipantObjectSensitivity"},
    ),
    "ParticipantObjectIDTypeCode": _CODE,
    "ParticipantObjectDetail": ({"type", "value"}, set()),
}  # fmt: skip


class Received(NamedTuple):
    """A message taken: its header's fields and the root of its body."""

    host: str
    instant: datetime
    body: Element


class AuditRepository(InThread[int]):
    """The repository in a thread, as a context manager. `messages` are those taken, in order, `refused` the reasons of the others.

    `keys` are the PEM files: its authority, and a client certificate that it asks for."""

    def __init__(self, folder: Path, clock: datetime, port: int = 0) -> None:
        super().__init__("audit", port)
        self.keys = authority.open_or_create(folder, clock)
        self.messages: list[Received] = []
        self.refused: list[str] = []
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._tls.load_cert_chain(self.keys.server, self.keys.server_key)
        self._tls.load_verify_locations(self.keys.ca)
        self._tls.verify_mode = ssl.CERT_REQUIRED

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{_HOST}:{self.port}"

    def _listening(self) -> contextlib.AbstractAsyncContextManager[int]:
        return accepting(self._converse, self._tls, _HOST, self.port, _LARGEST)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (size := await self._length(reader)) is not None:
                message = await reader.readexactly(size)
                try:
                    self.messages.append(read(message))
                except ValueError as refusal:
                    self.refused.append(str(refusal))
        except (OSError, EOFError, ValueError) as problem:
            # Where the next frame would begin is no longer known.
            self.refused.append(f"frame: {type(problem).__name__}")
        finally:
            writer.close()

    async def _length(self, reader: asyncio.StreamReader) -> int | None:
        """MSG-LEN and its space (RFC 5425, 4.3); None at the end."""
        digits = b""
        while (byte := await reader.read(1)) != b" ":
            if not byte and not digits:
                return None
            digits += byte
            if not byte or not re.fullmatch(rb"[1-9]\d{0,5}", digits) or int(digits) > _LARGEST:
                raise ValueError
        return int(digits)


def read(message: bytes) -> Received:
    """A message of RFC 5424 that holds an audit message; ValueError with the reason, which quotes nothing."""
    header = _HEADER.fullmatch(message)
    if header is None:
        raise ValueError("the header is not that of RFC 5424")
    priority, instant, host, _, _, message_id, body = header.groups()
    if int(priority) // 8 != 10 or int(priority) % 8 not in (4, 5):
        raise ValueError("the facility is not 10, or the severity neither 4 nor 5")
    if message_id != b"DICOM+RFC3881":
        raise ValueError("MSGID is not DICOM+RFC3881")
    if not body.startswith(_BOM):
        raise ValueError("the text does not begin with the mark of UTF-8")
    root = parse(body[len(_BOM) :])
    if root.tag != "AuditMessage":
        raise ValueError("the root is not AuditMessage")
    _structure(root)
    _values(root)
    return Received(host.decode(), datetime.fromisoformat(instant.decode()), root)


def _structure(element: Element) -> None:
    """Attributes and the order of children, down to the leaves."""
    name = str(element.tag)
    if name not in _ATTRIBUTES:
        raise ValueError("an element is unknown")
    required, optional = _ATTRIBUTES[name]
    given = {str(key) for key in element.attrib}
    if not required <= given <= required | optional:
        raise ValueError(f"{name} lacks an attribute or has one too many")
    children = "".join(f"{child.tag} " for child in element)
    pattern = "".join(
        f"(?:{part.rstrip('*+')} ){part[-1] if part[-1] in '*+' else ''}" for part in _CHILDREN.get(name, ())
    )
    if not re.fullmatch(pattern, children):
        raise ValueError(f"the children of {name} are not those expected")
    if any((text or "").strip() for text in (element.text, *(child.tail for child in element))):
        raise ValueError(f"{name} holds a text")
    for child in element:
        _structure(child)


def _values(root: Element) -> None:
    """The closed lists and the forms."""
    event = root[0]
    if event.get("EventActionCode") not in ("C", "R", "U", "D", "E"):
        raise ValueError("EventActionCode is unknown")
    if event.get("EventOutcomeIndicator") not in ("0", "4", "8", "12"):
        raise ValueError("EventOutcomeIndicator is unknown")
    if datetime.fromisoformat(event.get("EventDateTime", "")).tzinfo is None:
        raise ValueError("EventDateTime has no offset")
    if event[0].get("csd-code") not in _EVENTS or event[0].get("codeSystemName") != "DCM":
        raise ValueError("EventID is no event of DICOM")
    if not any(p.get("UserIsRequestor") == "true" for p in root.iter("ActiveParticipant")):
        raise ValueError("nobody is the requestor")
    if {p.get("UserIsRequestor") for p in root.iter("ActiveParticipant")} - {"true", "false"}:
        raise ValueError("UserIsRequestor is no boolean")
    if not all(p.get("UserID") for p in root.iter("ActiveParticipant")):
        raise ValueError("a UserID is empty")
    if {r.get("csd-code") for r in root.iter("RoleIDCode")} - _ROLES:
        raise ValueError("RoleIDCode is no role of DICOM")
    for detail in root.iter("ParticipantObjectDetail"):
        try:
            base64.b64decode(detail.get("value", ""), validate=True)
        except binascii.Error:
            raise ValueError("the value of a detail is not base64") from None

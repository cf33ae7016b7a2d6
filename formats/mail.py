"""Reading a received message without trusting it: answers to what was sent (MDN, DSN), XDM archives, who sent it (sheet
`xdm-mssante.md`, 3). Nothing is written to disk here, and no text of a message is handed on except a sender's address and label.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import getaddresses
from typing import Literal, NamedTuple

# A citizen's mailbox takes 25 MB, an operator may take more.
MAX_BYTES = 50_000_000
_MAX_PARTS = 300
_MAX_ARCHIVES = 20
_ARCHIVE_NAME = re.compile(r"ihe_xdm\.zip", re.IGNORECASE)
_ARCHIVE_TYPES = ("application/zip", "application/x-zip-compressed", "application/octet-stream")
_ID = re.compile(r"<([^<>@\s]{1,200})@[^<>\s]{1,253}>")
_NUMBER = re.compile(r"\s*(90[0-6])\b")
_KO = re.compile(r"\[KO Int.{1,40}?!\]\s*\[(90[0-6])\]", re.DOTALL)
_STATUS = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})")

# Why a message is not read.
REFUSALS = {
    "large": "it is larger than {most} bytes",
    "parts": "it has more than {most} parts",
    "unreadable": "it is not a message that can be read",
    "archives": "it holds more than {most} archives",
}


class MailRefused(ValueError):
    """This message is not read. `kind` is a key of REFUSALS."""

    def __init__(self, kind: str, most: int = 0) -> None:
        super().__init__(REFUSALS[kind].format(most=most))
        self.kind = kind


class Receipt(NamedTuple):
    """What became of a message that we sent: `original` is the left part of its Message-ID, `code` a cause of `gateways.causes`."""

    original: str
    outcome: Literal["delivered", "displayed", "returned"]
    code: str = ""


class Sender(NamedTuple):
    """Address in lower case and label of From, both empty when there is none to read."""

    address: str
    label: str


def parse(data: bytes) -> Message:
    """A message, its parts counted before the parser sees them. MailRefused."""
    if len(data) > MAX_BYTES:
        raise MailRefused("large", MAX_BYTES)
    # The parser calls itself at each level: what could nest that deep is not given to it.
    if len(re.findall(rb"(?im)^content-type\s*:", data)) > _MAX_PARTS or data.lower().count(b"boundary") > _MAX_PARTS:
        raise MailRefused("parts", _MAX_PARTS)
    try:
        return BytesParser().parsebytes(data)
    except (MessageError, RecursionError, ValueError, LookupError):
        raise MailRefused("unreadable") from None


def local_part(message_id: str | None) -> str:
    """Left part of the first Message-ID of a header; empty without any."""
    found = _ID.search(str(message_id or ""))
    return found[1] if found else ""


def sender(message: Message) -> Sender:
    """Who wrote a message, by its header From alone."""
    found = getaddresses([str(message.get("From", ""))[:2000]])
    label, address = found[0] if found else ("", "")
    if not re.fullmatch(r"[^\s@<>]{1,64}@[A-Za-z0-9.-]{1,253}", address):
        return Sender("", "")
    return Sender(address.lower(), _words(label)[:200])


def _words(value: str) -> str:
    try:
        text = str(make_header(decode_header(value)))
    except (MessageError, LookupError, ValueError):
        text = value
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())


def receipt(message: Message) -> Receipt | None:
    """What a message says of one that we sent; None when it is no such answer.

    Read: disposition notifications (RFC 8098, and as the ANS guide writes errors), delivery status (RFC 3464), and the plain mail with
    the subject of a failed integration that answers ours."""
    kind = message.get_content_type()
    if kind != "multipart/report":
        ko = _KO.search(_words(str(message.get("Subject", ""))[:2000]))
        original = local_part(message.get("In-Reply-To"))
        return Receipt(original, "returned", f"Mdn{ko[1]}") if ko and original else None
    for part in _leaves(message):
        if part.get_content_type() == "message/disposition-notification":
            return _notified(_fields(part))
        if part.get_content_type() == "message/delivery-status":
            return _delivered(_fields(part), message)
    return None


def _leaves(message: Message) -> Iterator[Message]:
    yield from (part for part in message.walk() if part is not message)


def _fields(part: Message) -> dict[str, str]:
    """The fields of a status part, whose groups the parser made messages of."""
    fields: dict[str, str] = {}
    payload = part.get_payload()
    groups = payload if isinstance(payload, list) else [BytesParser().parsebytes(_content(part))]
    for group in groups:
        if isinstance(group, Message):
            for name, value in group.items():
                fields.setdefault(name.lower(), " ".join(str(value).split()))
    return fields


def _content(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _notified(fields: dict[str, str]) -> Receipt | None:
    original = local_part(fields.get("original-message-id"))
    mode, _, state = fields.get("disposition", "").partition(";")
    if not original or not mode:
        return None
    told, slash, error = state.partition("/")
    told = told.strip().lower()
    if (slash and error.strip().lower().startswith("error")) or told == "failed":
        number = _NUMBER.match(error.partition(":")[2]) or _NUMBER.match(fields.get("error", ""))
        return Receipt(original, "returned", f"Mdn{number[1]}" if number else "Mdn906")
    return Receipt(original, "displayed" if told == "displayed" else "delivered")


def _delivered(fields: dict[str, str], message: Message) -> Receipt | None:
    action = fields.get("action", "").lower()
    if action not in ("failed", "delivered", "relayed"):
        return None
    original = next(
        (
            found
            for part in _leaves(message)
            if part.get_content_type() in ("message/rfc822", "text/rfc822-headers")
            if (found := _of_original(part))
        ),
        "",
    )
    if not original:
        return None
    if action != "failed":
        return Receipt(original, "delivered")
    status = _STATUS.match(fields.get("status", ""))
    detail = f"{status[2]}.{status[3]}" if status else ""
    code = {"2.2": "MssMailboxFull", "2.3": "MssTooLarge", "3.4": "MssTooLarge"}.get(detail, "")
    if not code and detail:
        code = "MssRejected" if detail.startswith("7.") else "MssMailboxUnknown" if detail[:2] in ("1.", "2.") else ""
    return Receipt(original, "returned", code or "MssReturned")


def _of_original(part: Message) -> str:
    if part.get_content_type() == "text/rfc822-headers":
        inner = BytesParser().parsebytes(_content(part), headersonly=True)
        return local_part(inner.get("Message-ID"))
    payload = part.get_payload()
    inside = payload[0] if isinstance(payload, list) and payload else None
    return local_part(inside.get("Message-ID")) if isinstance(inside, Message) else ""


def archives(message: Message) -> list[bytes]:
    """The XDM archives attached to a message: parts named IHE_XDM.ZIP in any case, or ZIP files whatever their name. MailRefused."""
    if message.get_content_type() == "multipart/report":
        # Its last part is our own message.
        return []
    found: list[bytes] = []
    for part in message.walk():
        if part.is_multipart():
            continue
        try:
            name = part.get_filename() or ""
            named = _ARCHIVE_NAME.fullmatch(name) or part.get_content_type() in _ARCHIVE_TYPES
            data = part.get_payload(decode=True) if named else None
        except (MessageError, LookupError, ValueError, RecursionError):
            raise MailRefused("unreadable") from None
        if not isinstance(data, bytes):
            continue
        if _ARCHIVE_NAME.fullmatch(name) or data[:2] == b"PK":
            found.append(data)
            if len(found) > _MAX_ARCHIVES:
                raise MailRefused("archives", _MAX_ARCHIVES)
    return found

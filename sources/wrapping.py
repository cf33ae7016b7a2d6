"""Bodies that a product keeps wrapped: as base64 or hexadecimal text, as base64 inside an XML document, or padded with NUL bytes. A mapping
says which by the column `body_encoding`; what is not so wrapped stays as it is, with its damage told.
"""

from __future__ import annotations

import base64
import binascii
import re

# The longest text of an element that is base64 and nothing else; a name or a date is shorter than any document.
_ELEMENT = re.compile(rb">\s*((?:[A-Za-z0-9+/]{4}\s*){8,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)\s*<")
_DATA = re.compile(rb"\s*data:[^,]{0,200};base64,", re.IGNORECASE)
ENCODINGS = ("base64", "hexadecimal", "xml", "padded")


class NotWrapped(ValueError):
    """A body is not what the mapping says it is; the message is a word for `damage`."""


def unwrapped(data: bytes, encoding: str) -> bytes:
    """The document inside a body, by one of ENCODINGS. NotWrapped when the body is something else, ValueError for another encoding."""
    if encoding == "padded":
        return data.rstrip(b"\0").lstrip(b"\0")
    if encoding not in ENCODINGS:
        raise ValueError(f"body_encoding is none of {', '.join(ENCODINGS)}")
    text = data.strip(b"\0 \t\r\n")
    try:
        if encoding == "base64":
            return _base64(_DATA.sub(b"", text, count=1))
        if encoding == "hexadecimal":
            return binascii.unhexlify(text.removeprefix(b"0x").removeprefix(b"\\x"))
        return _base64(max(_ELEMENT.findall(text), key=len))
    except ValueError:
        raise NotWrapped(f"wrapping {encoding}") from None


def _base64(text: bytes) -> bytes:
    """Strictly: a letter that base64 has not is a fault and not skipped."""
    return base64.b64decode(b"".join(text.split()), validate=True)

"""What a cell holds beyond a word or a number: documents, markup, serialised structures, and what is wrapped in what. The kinds of
bodies come from `formats.sniff`; what is told of a whole column belongs to `roles`."""

from __future__ import annotations

import base64
import binascii
import json
import re

from transvase.formats.sniff import sniff

# Below this a text is a word, whatever its first letter.
SHORTEST = 16
# Enough of a base64 text to know what it holds; a multiple of four.
_BASE64_HEAD = 65_536
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PHP = re.compile(r'(?:a:\d+:\{|O:\d+:"[\w\\]+":\d+:\{|s:\d+:"|N;$|[bid]:[-\d.]+;$)')
_BASE64 = re.compile(
    r"(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{1,3}[\r\n]+|[\r\n]+)+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\s*"
)
_INSIDE = re.compile(r">\s*(?:data:[\w/+.-]+;base64,)?([A-Za-z0-9+/\r\n ]{64,}={0,2})")
_HEXADECIMAL = re.compile(r"(?:0x|\\x)?(?:[0-9A-Fa-f]{2}){16,}")
_SECTION = re.compile(r"^\s*\[[^\]\r\n]{1,80}\]\s*$", re.MULTILINE)
_ASSIGNED = re.compile(r"^\s*[\w .-]{1,60}=", re.MULTILINE)
# Bodies that a wrapping may reveal; what sniff calls text or unknown proves nothing.
_TELLING = frozenset({"pdf", "cda", "rtf", "jpeg", "tiff", "png", "html", "xml", "zip", "ole", "gzip"})
_MAY_END_WITH_NUL = frozenset({"jpeg", "tiff", "png", "zip", "ole", "gzip"})
_BLANK = " \t\r\n\x0b\x0c\0\ufeff"


def nature(value: str | bytes) -> str:
    """The nature of a cell: a kind of `formats.sniff`, or `ole`, `gzip`, `php`, `json`, `ini`, `binary`, `text`; with `base64:`, `hex:`
    or `xml+base64:` before what is wrapped, and `+nul` after what NUL bytes precede or follow. Empty for a short text."""
    return of_bytes(value) if isinstance(value, bytes) else of_text(value)


def of_bytes(value: bytes) -> str:
    """The nature of a binary cell."""
    bare = value.strip(b"\0")
    if not bare:
        return "empty"
    found = _body(bare)
    if found in ("text", "unknown", "xml"):
        try:
            inside = of_text(bare.decode()) or found
        except UnicodeDecodeError:
            inside = found
        found = inside
    if found == "unknown":
        # A short run of bytes often ends by chance with a NUL (an identifier, a number): nothing says padding.
        return "binary"
    # Pictures and compressed files may end with NUL bytes of their own.
    padded = value[:1] == b"\0" or (value[-1:] == b"\0" and found not in _MAY_END_WITH_NUL)
    return f"{found}+nul" if padded else found


def of_text(value: str) -> str:
    """The nature of a text."""
    padded = "+nul" if value[:1] == "\0" or value[-1:] == "\0" else ""
    text = value.strip(_BLANK)
    if len(text) < SHORTEST and not _PHP.match(text):
        return ""
    first = text[:1]
    if first in "<{%" or text.startswith("PK\x03\x04"):
        found = sniff(text.encode("utf-8", "replace"))
        if found == "xml" and (inside := _inside(text)):
            return f"xml+base64:{inside}{padded}"
        if found not in ("text", "unknown"):
            return found + padded
    if first in "{[" and text[-1:] in "}]" and _is_json(text):
        return "json" + padded
    if _PHP.match(text) and text[-1:] in "};":
        return "php" + padded
    if _SECTION.search(text[:200]) and _ASSIGNED.search(text):
        return "ini" + padded
    if len(text) >= 32:
        if wrapped := _from_hexadecimal(text):
            return f"hex:{wrapped}{padded}"
        if wrapped := _from_base64(text):
            return f"base64:{wrapped}{padded}"
    return "text" + padded


def _body(raw: bytes) -> str:
    if raw.startswith(_OLE):
        return "ole"
    if raw.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    return sniff(raw)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        # A text longer than what is read of it is cut in its middle: its beginning must do.
        return len(text) > 60_000 and re.match(r'[\[{]\s*(?:"|\{|\[)', text) is not None
    return True


def _from_hexadecimal(text: str) -> str:
    if not _HEXADECIMAL.fullmatch(text[:1024][: len(text[:1024]) // 2 * 2]):
        return ""
    digits = text.removeprefix("0x").removeprefix("\\x")
    found = _body(bytes.fromhex(digits[: min(len(digits), 8192) // 2 * 2])) if _all_hexadecimal(digits[:8192]) else ""
    return found if found in _TELLING else ""


def _all_hexadecimal(digits: str) -> bool:
    return re.fullmatch(r"[0-9A-Fa-f]+", digits) is not None


def _from_base64(text: str) -> str:
    """What a base64 text holds; empty when it is none, or holds nothing known."""
    text = text.partition("base64,")[2] if text.startswith("data:") else text
    head = "".join(text[:_BASE64_HEAD].split())
    head = head[: len(head) // 4 * 4]
    if not head or not _BASE64.fullmatch(head):
        return ""
    try:
        found = _body(base64.b64decode(head, validate=True))
    except (binascii.Error, ValueError):
        return ""
    return found if found in _TELLING else ""


def _inside(text: str) -> str:
    """What the first base64 text of an XML document holds."""
    for match in _INSIDE.finditer(text[:_BASE64_HEAD]):
        if found := _from_base64(match[1]):
            return found
    return ""

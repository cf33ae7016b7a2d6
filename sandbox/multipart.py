"""Reading `multipart/related` bodies (MTOM): content type parameters, parts, their headers.

What the root part says, and which parts it includes, belongs to `soap` and `metadata`. Written from RFC 2046, RFC 2387
and the sheet dmp-transactions, section 2; stricter than they are where a client has no reason to differ.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PARTS_MAX = 200
"""No set of a practice comes near; bounds the work a hostile body may ask for."""
PART_HEADER_MAX = 4096

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER = re.compile(rf';[ \t]*({_TOKEN})=(?:"((?:[^"\\\r\n]|\\[^\r\n])*)"|({_TOKEN}))[ \t]*')
_MEDIA_TYPE = re.compile(rf"[ \t]*({_TOKEN}/{_TOKEN})[ \t]*")
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")


class Unreadable(ValueError):
    """The body is not a multipart we accept; the text says why and quotes nothing."""


class Part(NamedTuple):
    """One part: its headers (names in lower case) and its bytes."""

    headers: dict[str, str]
    data: bytes


class Package(NamedTuple):
    """A parsed body: the root part and the others by Content-ID (without angle brackets)."""

    root: Part
    others: dict[str, Part]


def media_type(value: str) -> tuple[str, dict[str, str]]:
    """`type/subtype` in lower case and the parameters (names in lower case) of a Content-Type. Raises `Unreadable`."""
    head = _MEDIA_TYPE.match(value)
    if not head:
        raise Unreadable("Content-Type is not type/subtype")
    parameters: dict[str, str] = {}
    position = head.end()
    while position < len(value):
        found = _PARAMETER.match(value, position)
        if not found:
            raise Unreadable("Content-Type has a malformed parameter")
        name = found[1].lower()
        if name in parameters:
            raise Unreadable(f"Content-Type repeats a parameter ({name})")
        parameters[name] = re.sub(r"\\(.)", r"\1", found[2]) if found[2] is not None else found[3]
        position = found.end()
    return head[1].lower(), parameters


def read(parameters: dict[str, str], body: bytes) -> Package:
    """Cut `body` along the boundary and find the root part named by `start`. Raises `Unreadable`.

    Each byte is copied once; the search runs forward only, so the work grows with the size of the body."""
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise Unreadable("boundary is missing or not 1 to 70 permitted characters")
    start = parameters.get("start", "")
    if not (start.startswith("<") and start.endswith(">")):
        raise Unreadable("start is missing or has no angle brackets")
    parts: dict[str, Part] = {}
    for part in _cut(b"--" + boundary.encode("ascii"), body):
        identifier = part.headers.get("content-id", "")
        if not (len(identifier) > 2 and identifier.startswith("<") and identifier.endswith(">")):
            raise Unreadable("a part has no Content-ID in angle brackets")
        if part.headers.get("content-transfer-encoding", "").lower() not in ("binary", "8bit"):
            raise Unreadable("a part has a Content-Transfer-Encoding other than binary or 8bit")
        if identifier[1:-1] in parts:
            raise Unreadable("two parts have the same Content-ID")
        parts[identifier[1:-1]] = part
    root = parts.pop(start[1:-1], None)
    if root is None:
        raise Unreadable("start names no part")
    return Package(root, parts)


def _cut(delimiter: bytes, body: bytes) -> list[Part]:
    found: list[Part] = []
    separator = b"\r\n" + delimiter
    if body.startswith(delimiter):
        position = len(delimiter)
    elif body.startswith(separator):
        position = len(separator)
    else:
        raise Unreadable("the body does not begin with the boundary")
    while True:
        if body.startswith(b"--", position):
            if body[position + 2 :].strip(b"\r\n"):
                raise Unreadable("bytes follow the closing boundary")
            return found
        if not body.startswith(b"\r\n", position):
            raise Unreadable("a boundary line has other characters")
        if len(found) == PARTS_MAX:
            raise Unreadable(f"more than {PARTS_MAX} parts")
        head_end = body.find(b"\r\n\r\n", position, position + PART_HEADER_MAX)
        if head_end < 0:
            raise Unreadable(f"the headers of a part do not end within {PART_HEADER_MAX} bytes")
        end = body.find(separator, head_end + 2)
        if end < 0:
            raise Unreadable("the closing boundary is missing: the body is truncated")
        found.append(Part(_headers(body[position + 2 : head_end]), body[head_end + 4 : end]))
        position = end + len(separator)


def _headers(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    try:
        lines = block.decode("ascii").split("\r\n")
    except UnicodeDecodeError:
        raise Unreadable("the headers of a part are not ASCII") from None
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not re.fullmatch(_TOKEN, name) or name.lower() in headers:
            raise Unreadable("a part has a malformed or repeated header")
        headers[name.lower()] = value.strip()
    return headers

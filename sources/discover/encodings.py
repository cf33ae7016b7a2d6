"""Texts whose encoding lies: UTF-8 read as Windows-1252 or Latin-1 and encoded again, bytes lost on the way, entities of HTML in a plain
text. A repair is proposed only when it gives back the very same text on the way there; nothing is repaired here but on demand."""

from __future__ import annotations

import re

# The first character of a UTF-8 sequence of Western letters and signs, read in a Western encoding, then one of those that follow.
_DOUBLE = re.compile(
    "[\u00c2-\u00c5\u00e2][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122\u20ac]"
)
# What a repaired text of this country may hold; `CAFÉ»` would otherwise be read as some other alphabet.
_WESTERN = re.compile("[\\x00-\u017f\u0192\u02c6\u02dc\u2010-\u2044\u20ac\u2122\u2212\u2260-\u2265]*")
_C1 = re.compile("[\u0080-\u009f]")
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{2,5}|#x[0-9a-fA-F]{2,4});")
_UNUSED = "\x81\x8d\x8f\x90\x9d"
FAULTS = ("double", "lost", "controls", "entities")


def fault_of(text: str) -> str:
    """The fault of a text, one of FAULTS, or an empty string: `double` (it was encoded twice, and `repaired` gives it back), `lost` (a
    replacement character stands for bytes that are gone), `controls` (Windows-1252 read as Latin-1), `entities` (HTML in a plain text)."""
    if text.isascii():
        return "entities" if "&" in text and "<" not in text and _ENTITY.search(text) else ""
    if repaired(text) is not None:
        return "double"
    if "\ufffd" in text:
        return "lost"
    return "controls" if _C1.search(text) else ""


def repaired(text: str) -> str | None:
    """The text that was encoded twice, one time less; or None. It must give `text` when it is encoded again in the same wrong way: `Ã©`
    becomes `é`, while a text that only looks like it, was cut in the middle of a character, or would hold other letters than those of
    Western Europe, stays."""
    if not _DOUBLE.search(text):
        return None
    for encode, decode in ((_western, _as_western), (_latin, _as_latin)):
        try:
            found = encode(text).decode()
        except UnicodeError:
            continue
        if found != text and _WESTERN.fullmatch(found) and decode(found.encode()) == text:
            return found
    return None


def _western(text: str) -> bytes:
    # The five bytes that Windows-1252 leaves unused keep their number, as in `sources.sqlite`.
    return b"".join(c.encode("latin-1") if c in _UNUSED else c.encode("cp1252") for c in text)


def _as_western(raw: bytes) -> str:
    return "".join(chr(b) if chr(b) in _UNUSED else bytes((b,)).decode("cp1252") for b in raw)


def _latin(text: str) -> bytes:
    return text.encode("latin-1")


def _as_latin(raw: bytes) -> str:
    return raw.decode("latin-1")

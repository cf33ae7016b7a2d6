"""Text for XML writers: escaping, and refusal of what XML 1.0 cannot hold. Parsing belongs to lxml, not here."""

from __future__ import annotations

import re

# XML 1.0, section 2.2: everything below U+0020 but tab, line feed and carriage return, the surrogates, U+FFFE and U+FFFF.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)


# One search decides: most labels hold nothing to escape, and `translate` alone costs ten times the search.
_IN_TEXT = re.compile("[&<>\x00-\x1f\ud800-\udfff\ufffe\uffff]").search
_IN_ATTRIBUTE = re.compile('[&<>"\x00-\x1f\ud800-\udfff\ufffe\uffff]').search
# Beyond these few marks, which four replacements put right five times faster than `translate`.
_RARE = re.compile("[\x00-\x1f\ud800-\udfff\ufffe\uffff]")


def text(value: str) -> str:
    """Escaped for element content; characters XML 1.0 forbids become U+FFFD, visible and countable."""
    if not _IN_TEXT(value):
        return value
    if _RARE.search(value):
        return _FORBIDDEN.sub("\ufffd", value).translate(_TEXT)
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def attribute(value: str) -> str:
    """Escaped for a double-quoted attribute; forbidden characters become U+FFFD."""
    if not _IN_ATTRIBUTE(value):
        return value
    if _RARE.search(value):
        return _FORBIDDEN.sub("\ufffd", value).translate(_ATTRIBUTE)
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")

"""The texts of an XML document set apart from what surrounds them: documents that differ by their texts alone, as a software writes them
by the thousand, are then parsed once, with a private letter in the place of each text.

A text is set apart only where any XML reader would give it as it stands, and where it cannot decide how the rest is read. The marked
document still has to be parsed: that is what tells that each mark stands where a text may.
"""

from __future__ import annotations

import re

_TEXT = re.compile(rb">( *+[^<>&\x00-\x20][^<>&\x00-\x1f]*+)<")
# What begins with a rare character is found many times faster.
_INSTRUCTION = re.compile(
    rb"\?(?<=<\?)(?!xpacket |xml version=\"1\.0\"(?: encoding=\"(?i:utf-8)\")?(?: standalone=\"(?:yes|no)\")?\?>)"
)
_FIRST, _AT_MOST = 0xE000, 500


def apart(data: bytes) -> tuple[tuple[bytes, ...], dict[int, str]] | None:
    """The pieces that surround the texts of elements (without the `>` before a text and the `<` after it), and the texts by the private
    letter that stands for them in `marked`: a value read there, translated by these, is the one of the document. None for a document
    whose texts may not be what stands there."""
    pieces = _TEXT.split(data)
    if len(pieces) > 2 * _AT_MOST or not _plain(data):
        return None
    try:
        return tuple(pieces[::2]), {_FIRST + place: text.decode() for place, text in enumerate(pieces[1::2])}
    except UnicodeDecodeError:
        return None


def _plain(data: bytes) -> bool:
    """Whether nothing could make a text something else (comments, CDATA, DOCTYPE, instructions, another encoding), and the document holds
    neither the letters that stand for texts here (U+E000 to U+EFFF), nor references, which can name these, nor what UTF-8 can write and
    XML cannot hold (U+FFFE), but for a BOM."""
    return not (
        b"\xee" in data
        or (b"!" in data and b"<!" in data)
        or (b"&" in data and b"&#" in data)
        or (b"\xef" in data and not all(part.startswith(b"\xbb\xbf") for part in data.split(b"\xef")[1:]))
        or _INSTRUCTION.search(data) is not None
    )


def marked(pieces: tuple[bytes, ...]) -> bytes:
    """The document with the private letter U+E000 + n in the place of the text number n."""
    parts = [pieces[0]]
    for place, piece in enumerate(pieces[1:]):
        parts += (f">{chr(_FIRST + place)}<".encode(), piece)
    return b"".join(parts)

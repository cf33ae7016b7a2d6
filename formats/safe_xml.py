"""The only door by which foreign XML enters: bytes to an lxml element without entities, network or DOCTYPE, limits checked.

What the elements mean belongs to the module of each format (`cda`, `xds_xml`). Nothing of the content stands in a message.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

# A CDA carries its PDF in one text node, so libxml2's own limits are lifted; this one replaces them. The DMP's client kit stops at
# 50 MB, the largest official example is 1.5 MB.
MAX_BYTES = 200_000_000

# Encodings whose ASCII letters are ASCII bytes: in any other, the search for a DOCTYPE below would look at the wrong bytes.
_ENCODINGS = {"utf-8", "us-ascii", "ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "latin1"}
_BOM = b"\xef\xbb\xbf"
_DECLARATION = re.compile(rb"<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]*)[\"']")
_PROLOG = re.compile(rb"(?:\s++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)


class XmlRefused(ValueError):
    """These bytes are not XML that we read; the message says why without quoting them."""


@cache
def _parser() -> Any:
    """One for the process: lxml gives each thread a copy of its own, and making one costs as much as parsing a header."""
    from lxml import etree

    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)


def element(data: bytes) -> Any:
    """Root element of a document, comments kept (a canonical form may be asked of it later).

    `XmlRefused` when empty, too large, in an encoding not listed above, with a DOCTYPE, or not well-formed."""
    from lxml import etree

    if len(data) > MAX_BYTES:
        raise XmlRefused(f"larger than {MAX_BYTES} bytes")
    start = len(_BOM) if data.startswith(_BOM) else 0
    declared = _DECLARATION.match(data, start)
    encoding = declared[1].decode("ascii").lower() if declared else "utf-8"
    if encoding not in _ENCODINGS or (start and encoding != "utf-8"):
        raise XmlRefused("its character encoding is not accepted; UTF-8 is expected")
    prolog = _PROLOG.match(data, start)
    # Before libxml2 sees it: without its limits, entities declared here could grow without end inside attribute values.
    if prolog and data.startswith(b"<!DOCTYPE", prolog.end()):
        raise XmlRefused("it holds a DOCTYPE")
    try:
        root = etree.fromstring(data, _parser())
    except etree.XMLSyntaxError as error:
        # The text of libxml2 quotes names and values: only the line is kept.
        raise XmlRefused(f"not well-formed XML at line {error.lineno or 1}") from None
    except ValueError:
        raise XmlRefused("not well-formed XML") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise XmlRefused("it holds a DOCTYPE")
    return root

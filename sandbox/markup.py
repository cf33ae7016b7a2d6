"""Reading XML that a stranger wrote: no DTD, no entity, no network, UTF-8 only.

Every XML byte the sandbox receives (envelopes, documents, signatures) goes through `parse`. What the elements mean
belongs to the modules that ask for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

Element = Any
"""An lxml element."""

_DECLARED = re.compile(rb"\A(?:\xef\xbb\xbf)?<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z0-9._-]+)")
# huge_tree because a level-1 CDA holds its PDF in one text node above 10 MB; the server has bounded the size before. The
# encoding is imposed so that no exotic one can hide a DTD from the search below.
_OPTIONS: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "huge_tree": True,
    "load_dtd": False,
    "encoding": "utf-8",
}
_PARSER = etree.XMLParser(**_OPTIONS)
_BARE_PARSER = etree.XMLParser(remove_comments=True, remove_pis=True, **_OPTIONS)


class Malformed(ValueError):
    """The bytes are not XML we accept; the text says why and quotes nothing."""


def parse(data: bytes, *, bare: bool = False) -> Element:
    """The root element of `data`; `bare` drops comments and processing instructions. Raises `Malformed`."""
    # Refused wherever the characters stand, even in a comment: no message or document needs them, and with huge_tree the
    # library no longer bounds the expansion of entities.
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise Malformed("a document type declaration is refused")
    declared = _DECLARED.match(data)
    if declared and declared[1].lower() not in (b"utf-8", b"us-ascii"):
        raise Malformed("the declared encoding is not UTF-8")
    try:
        root = etree.fromstring(data, _BARE_PARSER if bare else _PARSER)
    except (etree.XMLSyntaxError, ValueError) as problem:
        line = getattr(problem, "lineno", None)
        # The library's own sentence may quote the text around the mistake: only its place is kept.
        raise Malformed(f"not well-formed XML (line {line or 'unknown'})") from None
    if root is None:
        raise Malformed("no XML element")
    return root


def text(element: Element | None) -> str:
    """All the text inside an element, trimmed; empty for none."""
    if element is None:
        return ""
    # XPath costs ten times more, and only mixed content needs it.
    return str(element.xpath("string()") if len(element) else element.text or "").strip()


def elements(parent: Element) -> Iterator[Element]:
    """The child elements, without comments and processing instructions."""
    children: Iterator[Element] = parent.iterchildren(tag=etree.Element)
    return children


def parts(element: Element) -> tuple[str, str]:
    """Namespace (empty when none) and local name."""
    namespace, _, name = str(element.tag).rpartition("}")
    return namespace[1:], name


def canonical_with_comments(element: Element) -> bytes:
    """Canonical XML 1.0 with comments of an element (sheet dmp-transactions, 8)."""
    octets: bytes = etree.tostring(element.getroottree(), method="c14n", exclusive=False, with_comments=True)
    return octets

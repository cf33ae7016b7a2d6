"""What a body is, from its bytes: databases lie about media types, and file names are worse.

Only the kind is said here, in microseconds; whether the body is whole belongs to `pdf` and `image`.
"""

from __future__ import annotations

import re

KINDS = ("pdf", "cda", "rtf", "text", "jpeg", "tiff", "png", "html", "xml", "zip", "empty", "unknown")

# Enough for the prologue of the longest official CDA example (comments and schema hints) five times over.
_HEAD = 65_536
_BLANK = b"\0 \t\r\n\x0b\x0c"
_SIGNATURES = (
    (b"%PDF-", "pdf"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"{\\rtf", "rtf"),
)
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
# Before the root of an XML document: declaration, processing instructions, comments, document type.
_PROLOG = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE(?:[^\[>]|\[[^\]]*\])*>", re.S | re.I)
_START = re.compile(r"<(?:([\w.-]+):)?([A-Za-z_][\w.-]*)((?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>", re.S)
_CDA_INSIDE = re.compile(rb"<(?:[\w.-]+:)?ClinicalDocument[\s>]")
_HTML_TAGS = frozenset(
    [
        "html",
        "head",
        "body",
        "title",
        "meta",
        "div",
        "p",
        "span",
        "table",
        "br",
        "font",
        "b",
        "i",
        "u",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "ul",
        "ol",
        "li",
        "center",
        "pre",
        "a",
        "img",
        "hr",
        "style",
    ]
)
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f\x7f]")
# Old letters hold a few printer codes; compiled files hold many.
_CONTROLS_IN_TEXT = 0.02
HL7_V3 = "urn:hl7-org:v3"
XSLT = "http://www.w3.org/1999/XSL/Transform"


def sniff(body: bytes) -> str:
    """Kind of a body, one of KINDS. `cda` is XML whose root is a ClinicalDocument of HL7 v3, or the CI-SIS
    self-presenting form (a style sheet holding one). Leading NULs and blanks, left by databases, are passed over."""
    head = body[:_HEAD]
    start = head.lstrip(_BLANK)
    if not start:
        return "unknown" if body.strip(_BLANK) else "empty"
    for signature, kind in _SIGNATURES:
        if start.startswith(signature):
            return kind
    text = _decoded(start)
    if not text.strip():
        return "empty"
    if text.startswith("{\\rtf"):
        return "rtf"
    if text.startswith("<"):
        return _markup(text, body)
    # Some producers put a mail or printer header before the PDF; readers accept it in the first kilobyte.
    if re.search(rb"^%PDF-1\.\d", head[:1024], re.M):
        return "pdf"
    return "text" if _is_text(start, body) else "unknown"


def _decoded(start: bytes) -> str:
    for bom, encoding in _BOMS:
        if start.startswith(bom):
            return start[len(bom) :].decode(encoding, "replace").lstrip()
    # Only ASCII matters from here on, and Latin-1 never fails.
    return start.decode("latin-1")


def _markup(text: str, body: bytes) -> str:
    position, html = 0, False
    while found := _PROLOG.match(text, position):
        html = html or re.match(r"<!DOCTYPE\s+html\b", found.group(), re.I) is not None
        position = found.end()
    root = _START.match(text, position)
    if root is None:
        return "html" if html else "xml" if text.startswith("<?xml") else "text"
    prefix, name, attributes = root.groups()
    namespace = _attribute(attributes, f"xmlns:{prefix}" if prefix else "xmlns")
    if name == "ClinicalDocument" and namespace == HL7_V3:
        return "cda"
    if name in ("stylesheet", "transform") and namespace == XSLT and _CDA_INSIDE.search(body):
        return "cda"
    if html or name.lower() == "html" or (name.lower() in _HTML_TAGS and not text.startswith("<?xml")):
        return "html"
    # A letter may start with "<": without a declaration, only what is closed somewhere is an element.
    closed = (
        text.startswith("<?xml") or attributes.endswith("/") or f"</{root.group()[1:].split()[0].strip('>')}" in text
    )
    return "xml" if closed or len(body) > _HEAD else "text"


def _attribute(source: str, name: str) -> str | None:
    found = re.search(rf"(?:^|\s){re.escape(name)}\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", source)
    return (found[1] if found[1] is not None else found[2]) if found else None


def _is_text(start: bytes, body: bytes) -> bool:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    # The end too: a header in clear before binary content is not a text.
    samples = (start[:8192] if len(start) > 8192 else start.rstrip(_BLANK), body[-4096:].strip(_BLANK))
    return all(len(_CONTROLS.findall(sample)) <= 2 + _CONTROLS_IN_TEXT * len(sample) for sample in samples)

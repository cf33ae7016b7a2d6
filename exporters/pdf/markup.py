"""HTML and XML bodies as blocks: what a browser would let one read, without styles, scripts, network or hidden choices.

Text hidden by style sheets is shown: leaving out is worse than showing. Pictures are marked in place, not fetched.
"""

from __future__ import annotations

import codecs
import re
from typing import Any, NamedTuple

from transvase.exporters.pdf.writer import Block, Heading, Paragraph, Rule, Table

_SKIPPED = frozenset({"script", "style", "head", "template", "noscript", "object", "svg", "math"})
_LEVELS = {"h1": 1, "h2": 2, "h3": 3, "h4": 3, "h5": 3, "h6": 3}
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figure",
        "footer",
        "form",
        "header",
        "legend",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
        "caption",
        "option",
    ]
)
# Elements deeper than this are hostile; letters stay under thirty.
_DEPTH_AT_MOST = 1_000


class Markup(NamedTuple):
    """Blocks in reading order and the number of pictures not shown."""

    blocks: tuple[Block, ...]
    pictures: int


def declared_encoding(body: bytes) -> str | None:
    """The encoding an HTML page declares in its first kilobytes, if Python knows it."""
    found = re.search(rb"(?:charset|encoding)\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", body[:4096])
    try:
        # Browsers read the first name as Windows-1252, and so do their authors.
        name = codecs.lookup(found[1].decode()).name if found else None
    except LookupError:
        return None
    return "cp1252" if name in ("iso8859-1", "ascii") else name


def html_blocks(text: str) -> Markup:
    """Blocks of a decoded HTML page, however broken. Raises ValueError when no element can be read in it."""
    from lxml import etree, html

    # lxml refuses text with an encoding declaration, and characters XML forbids.
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
    text = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "\ufffd", text)
    try:
        root = html.document_fromstring(text, parser=html.HTMLParser(no_network=True, huge_tree=False))
    except (etree.LxmlError, ValueError):
        raise ValueError("the HTML cannot be parsed") from None
    reader = _HtmlReader()
    reader.read(root)
    return Markup(tuple(reader.blocks), reader.pictures)


def xml_blocks(body: bytes) -> Markup:
    """An XML body of no known kind, shown as its indented source. Raises ValueError when it is not well formed."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_blank_text=True, huge_tree=False)
    try:
        root = etree.fromstring(body.strip(b"\0 \t\r\n"), parser)
    except (etree.LxmlError, ValueError):
        raise ValueError("the XML is not well formed") from None
    source = etree.tostring(root.getroottree(), encoding="unicode", pretty_print=True)
    return Markup((Paragraph(source.rstrip()),), 0)


class _HtmlReader:
    """Walks the tree without recursion, gathering inline text until a block ends."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.text: list[str] = []
        self.pictures = 0
        self.level = 0
        self.verbatim = 0
        # Rows of the table being read: only tables without another inside are shown as tables.
        self.rows: list[list[str]] | None = None
        self.heading_row = False

    def read(self, root: Any) -> None:
        from lxml import etree

        outer = set(root.xpath("//table[.//table]"))
        skipped: Any = None
        depth = 0
        for event, element in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
            if event in ("comment", "pi"):
                if skipped is None and element.tail:
                    self.add(element.tail)
                continue
            tag = element.tag if isinstance(element.tag, str) else ""
            if event == "start":
                depth += 1
                if depth > _DEPTH_AT_MOST:
                    raise ValueError("the HTML is nested beyond reading")
                if skipped is None:
                    if tag in _SKIPPED:
                        skipped = element
                    else:
                        self.opened(element, tag, tag == "table" and element not in outer)
                        self.add(element.text or "")
                continue
            depth -= 1
            if skipped is None:
                self.closed(tag, tag == "table" and element not in outer)
            elif skipped is element:
                skipped = None
            if skipped is None and element is not root:
                self.add(element.tail or "")
        self.flush()

    def opened(self, element: Any, tag: str, innermost: bool) -> None:
        if tag == "br":
            self.text.append("\n")
        elif tag == "hr":
            self.flush()
            if self.rows is None:
                self.blocks.append(Rule())
        elif tag == "img":
            self.pictures += 1
            label = " ".join((element.get("alt") or "").split())
            self.text.append(f"[image non reproduite : {label}]" if label else "[image non reproduite]")
        elif tag == "input":
            self.control(element)
        elif tag in _LEVELS:
            self.flush()
            self.level = _LEVELS[tag]
        elif innermost:
            self.flush()
            self.rows = []
            self.heading_row = False
        elif self.rows is not None and tag == "tr":
            self.rows.append([])
        elif self.rows is not None and tag in ("td", "th"):
            self.stray()
            self.heading_row = self.heading_row or (tag == "th" and len(self.rows) == 1)
        elif tag in _BLOCKS:
            self.flush()
            if tag == "li":
                self.text.append("• ")
            elif tag == "pre":
                self.verbatim += 1

    def closed(self, tag: str, innermost: bool) -> None:
        if innermost and self.rows is not None:
            self.stray()
            rows, self.rows = [row for row in self.rows if row], None
            if rows:
                self.blocks.append(Table(rows, header=self.heading_row and len(rows) > 1))
            self.flush()
        elif self.rows is not None and tag in ("td", "th"):
            if not self.rows:
                self.rows.append([])
            self.rows[-1].append(self.taken())
        elif tag in _LEVELS:
            self.flush()
            self.level = 0
        elif tag in _BLOCKS:
            self.flush()
            if tag == "pre":
                self.verbatim -= 1

    def stray(self) -> None:
        """Text of a table outside its cells, captions among it, is a row of its own."""
        text = self.taken()
        if text.strip() and self.rows is not None:
            self.rows.insert(len(self.rows) - (1 if self.rows and not self.rows[-1] else 0), [text])

    def control(self, element: Any) -> None:
        kind = (element.get("type") or "text").lower()
        if kind in ("checkbox", "radio"):
            self.text.append("☒ " if element.get("checked") is not None else "☐ ")
        elif kind in ("text", "number", "date", "tel", "email") and element.get("value"):
            self.text.append(f" {element.get('value')} ")

    def add(self, text: str) -> None:
        # The no-break space is not white space for HTML.
        self.text.append(text if self.verbatim else re.sub("[ \t\r\n\f]+", " ", text))

    def taken(self) -> str:
        text = "".join(self.text)
        self.text = []
        return (
            text.strip("\n") if self.verbatim else "\n".join(line.strip(" ") for line in text.split("\n")).strip("\n")
        )

    def flush(self) -> None:
        """End of a block: a paragraph outside tables, a line inside a cell."""
        if self.rows is not None:
            if "".join(self.text).strip():
                self.text.append("\n")
            return
        text = self.taken()
        if text.strip():
            self.blocks.append(Heading(text, self.level) if self.level else Paragraph(text))

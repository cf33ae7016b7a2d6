"""RTF bodies as blocks: the text a reader of the letter sees, its paragraphs, its tables, its numbering.

Not a full RTF engine: no layout, no pictures (a mark stands in their place). Our own reader because the maintained
library, striprtf 0.0.35, needs 36 seconds for a hostile body of two kilobytes, gives letters for the signs of symbol
fonts (a "≤" becomes "£") and drops numbering, headers, footnotes and text boxes. Reading is linear in the size.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from transvase.exporters.pdf.writer import Block, PageBreak, Paragraph, Rule, Table

PICTURE = "[image non reproduite]"


class RtfText(NamedTuple):
    """Blocks in reading order, and what the blocks do not show."""

    blocks: tuple[Block, ...]
    pictures: int
    hidden: bool
    complete: bool


_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n\0]+|([^\\{}\r\n\0]+)|\\", re.S
)

# Groups whose text the reader of the letter does not see where it stands (RTF 1.9.1, "destinations").
_UNSEEN = frozenset(
    b"fonttbl colortbl stylesheet listtable listoverridetable rsidtbl revtbl generator info pict objdata sp "
    b"nonshppict shprslt fldinst bkmkstart bkmkend xe tc themedata colorschememapping datastore latentstyles filetbl "
    b"ftnsep ftnsepc ftncn aftnsep aftnsepc aftncn pgptbl userprops xmlnstbl mmathPr wgrffmtfilter formfield "
    b"atnid atnauthor atndate atnref atrfstart atrfend atnparent blipuid picprop objclass objname template "
    b"listname listpicture levelnumbers leveltext private datafield docvar falt panose fontemb".split()
)
# Optional destinations that hold seen text all the same: text boxes, pictures of today, annotations, numbering.
_SEEN_THOUGH_OPTIONAL = frozenset(b"shpinst shppict annotation".split())
_RUNNING = frozenset(b"header headerl headerr headerf footer footerl footerr footerf".split())
_CHARACTERS = {
    b"tab": "\t",
    b"line": "\n",
    b"softline": "\n",
    b"emdash": "—",
    b"endash": "–",
    b"emspace": "\u2003",
    b"enspace": "\u2002",
    b"qmspace": "\u2005",
    b"bullet": "•",
    b"lquote": "‘",
    b"rquote": "’",
    b"ldblquote": "“",
    b"rdblquote": "”",
}
_SYMBOLS = {b"~": "\u00a0", b"_": "\u2011", b"-": "", b"{": "{", b"}": "}", b"\\": "\\", b"\t": "\t"}
_CODECS = {
    77: "mac_roman",
    128: "cp932",
    129: "cp949",
    130: "johab",
    134: "gbk",
    136: "cp950",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
    254: "cp437",
    255: "cp850",
}
_SYMBOL_CHARSET = 2
# Adobe Symbol, 0x41 to 0x7A: Latin keys to Greek letters. Above: what medical letters take from it.
_SYMBOL_FONT = {
    **dict(zip(range(0x41, 0x5B), "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", strict=True)),
    **dict(zip(range(0x61, 0x7B), "αβχδεφγηιϕκλμνοπθρστυϖωξψζ", strict=True)),
    **dict(zip(range(0xA2, 0xA5), "′≤⁄", strict=True)),
    **dict(zip(range(0xAB, 0xC0), "↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵", strict=True)),
    0x2D: "−",
    0xA5: "∞",
    0xC6: "∅",
    0xD6: "√",
    0xDE: "⇒",
    0xE5: "∑",
    0xD8: "¬",
    0x22: "∀",
    0x24: "∃",
    0x40: "≅",
    **{code: chr(code) for code in (*range(0x20, 0x22), 0x23, 0x25, 0x26, *range(0x28, 0x2D), *range(0x2E, 0x40))},
    **{code: chr(code) for code in (0x5B, 0x5D, 0x5F, 0x7B, 0x7C, 0x7D)},
}
_WINGDINGS = {
    0x20: " ",
    0x6C: "●",
    0x6E: "■",
    0x6F: "□",
    0x71: "❑",
    0x73: "⬧",
    0x75: "◆",
    0x76: "❖",
    0x77: "◆",
    0x78: "☒",
    0x9F: "•",
    0xA7: "▪",
    0xA8: "☐",
    0xD8: "➢",
    0xDF: "←",
    0xE0: "→",
    0xE1: "↑",
    0xE2: "↓",
    0xE8: "➔",
    0xF0: "⇨",
    0xFB: "✗",
    0xFC: "✓",
    0xFD: "☒",
    0xFE: "☑",
}


class _State(NamedTuple):
    """What a group inherits and gives back at its end."""

    font: int | None = None
    fallback: int = 1
    bold: bool = False
    hidden: bool = False
    unseen: bytes = b""
    running: bytes = b""
    note: bool = False


def rtf_blocks(body: bytes) -> RtfText:
    """Read an RTF body of any version. Raises ValueError when it is not RTF."""
    start = body.find(b"{\\rtf", 0, 1024)
    if start < 0:
        raise ValueError("no RTF header")
    reader = _Reader()
    reader.read(body, start)
    return reader.result()


class _Reader:
    def __init__(self) -> None:
        self.state = _State()
        self.stack: list[_State] = []
        self.codec = "cp1252"
        self.fonts: dict[int, tuple[int, str]] = {}
        self.defining: int | None = None
        self.default: int | None = None
        self.skip = 0
        self.optional = False
        self.high = 0
        self.raw = bytearray()
        self.pictures = 0
        self.hidden = False
        self.complete = False
        self.form: dict[bytes, int] = {}
        # Paragraph, cells and rows being gathered, for the body and for each running header or footer apart.
        self.blocks: list[Block] = []
        self.text: list[str] = []
        self.plain = False
        self.cell: list[str] = []
        self.cells: list[str] = []
        self.rows: list[list[str]] = []
        self.in_table = False
        self.running: dict[bytes, list[str]] = {}

    def read(self, body: bytes, position: int) -> None:
        while found := _TOKEN.match(body, position):
            position = found.end()
            word, argument, code, symbol, brace, text = found.groups()
            if code:
                if self.skip:
                    self.skip -= 1
                else:
                    self.raw += bytes.fromhex(code.decode())
                continue
            if text:
                if self.skip:
                    text, self.skip = text[self.skip :], max(0, self.skip - len(text))
                self.raw += text
                continue
            self.settle()
            if brace == b"{":
                self.stack.append(self.state)
                self.skip, self.optional = 0, False
            elif brace:
                self.skip, self.optional = 0, False
                self.leave()
                if not self.stack:
                    self.complete = True
                    return
            elif word:
                number = int(argument) if argument else None
                if word == b"bin":
                    position += max(0, number or 0)
                elif self.skip:
                    self.skip -= 1
                else:
                    self.control(word, number)
                self.optional = False
            elif symbol == b"*":
                self.optional = True
            elif symbol:
                if self.skip:
                    self.skip -= 1
                elif symbol in b"\r\n":
                    self.control(b"par", None)
                else:
                    self.emit(_SYMBOLS.get(symbol, ""))
        self.settle()

    def leave(self) -> None:
        """End of a group."""
        ended, self.state = self.state, self.stack.pop()
        if ended.unseen == b"formfield" and self.state.unseen != b"formfield":
            # A ticked box exists only as a field's value; 25 means "as by default".
            if self.form.get(b"fftype") == 1:
                value = self.form.get(b"ffres", 25)
                value = self.form.get(b"ffdefres", 0) if value == 25 else value
                hidden, self.state = self.state, self.state._replace(unseen=b"")
                self.emit("☒" if value else "☐")
                self.state = hidden
            self.form = {}
        if ended.note and not self.state.note:
            self.emit("]")
        if ended.running and not self.state.running:
            self.running.setdefault(ended.running, []).append("\n")

    def settle(self) -> None:
        """Decode the bytes gathered since the last control, in the code page of their font."""
        if not self.raw:
            return
        raw, self.raw = bytes(self.raw), bytearray()
        if self.state.unseen == b"fonttbl" and self.defining is not None:
            charset, name = self.fonts.get(self.defining, (0, ""))
            self.fonts[self.defining] = (charset, (name + raw.decode("latin-1"))[:64])
            return
        if self.state.unseen:
            return
        charset, name = self.fonts.get(-1 if self.state.font is None else self.state.font, (0, ""))
        if charset == _SYMBOL_CHARSET:
            self.emit("".join(_sign(code, name) for code in raw))
        else:
            self.emit(raw.decode(_CODECS.get(charset, self.codec), "replace"))

    def control(self, word: bytes, number: int | None) -> None:
        state = self.state
        if word in _UNSEEN or (self.optional and word not in _SEEN_THOUGH_OPTIONAL and word not in _RUNNING):
            if word == b"pict" and not state.unseen:
                self.pictures += 1
                self.emit(PICTURE)
            if not state.unseen or word == b"formfield":
                self.state = state._replace(unseen=word)
        elif state.unseen:
            self.unseen(word, number)
        elif word in _RUNNING:
            self.state = state._replace(running=word)
        elif word in (b"footnote", b"annotation"):
            self.emit(" [")
            self.state = state._replace(note=True)
        elif word in _CHARACTERS:
            self.emit(_CHARACTERS[word])
        elif word == b"u" and number is not None:
            self.unicode(number & 0xFFFF if number < 0 else number)
            self.skip = state.fallback
        elif word == b"uc":
            # Letters use 0 to 4; a larger number would swallow text.
            self.state = state._replace(fallback=min(max(number or 0, 0), 8))
        elif word == b"f":
            self.state = state._replace(font=number)
        elif word == b"b":
            self.state = state._replace(bold=number != 0)
        elif word in (b"v", b"deleted"):
            self.state = state._replace(hidden=number != 0)
        elif word == b"plain":
            self.state = state._replace(font=self.default, bold=False, hidden=False)
        else:
            self.structure(word, number)

    def structure(self, word: bytes, number: int | None) -> None:
        if word in (b"par", b"sect", b"page", b"column"):
            self.paragraph()
            if word == b"page" and not self.state.running:
                self.close_table()
                self.blocks.append(PageBreak())
        elif word == b"intbl":
            self.in_table = True
        elif word == b"pard":
            self.in_table = False
        elif word in (b"cell", b"nestcell"):
            if word == b"nestcell":
                self.emit(" | ")
            elif not self.state.running:
                self.cells.append(self.taken())
        elif word == b"nestrow":
            self.emit("\n")
        elif word == b"row" and not self.state.running:
            if "".join(self.text + self.cell).strip():
                self.cells.append(self.taken())
            self.rows.append(self.cells)
            self.cells = []
        elif word in (b"ansicpg", b"mac", b"pc", b"pca"):
            self.codec = _codec({b"mac": "mac_roman", b"pc": "cp437", b"pca": "cp850"}.get(word, f"cp{number}"))
        elif word == b"deff":
            self.default = number
            if self.state.font is None:
                self.state = self.state._replace(font=number)

    def unseen(self, word: bytes, number: int | None) -> None:
        """Controls that matter inside groups that are not shown: font definitions, form fields."""
        if self.state.unseen == b"fonttbl":
            if word == b"f" and number is not None:
                self.defining = number
                self.fonts[number] = (0, "")
            elif word == b"fcharset" and self.defining is not None:
                self.fonts[self.defining] = (number or 0, self.fonts[self.defining][1])
        elif self.state.unseen == b"formfield" and word in (b"fftype", b"ffres", b"ffdefres"):
            self.form[word] = number or 0

    def unicode(self, number: int) -> None:
        if 0xD800 <= number < 0xDC00:
            self.high = number
        elif 0xDC00 <= number < 0xE000 and self.high:
            self.emit(chr(0x10000 + ((self.high - 0xD800) << 10) + number - 0xDC00))
            self.high = 0
        elif 0xF000 <= number < 0xF100:
            # Word writes the signs of symbol fonts in this private range.
            self.emit(_sign(number - 0xF000, self.fonts.get(self.state.font or 0, (0, ""))[1]))
        else:
            self.emit(chr(number) if number < 0x110000 else "\ufffd")

    def emit(self, text: str) -> None:
        """Add seen text where it belongs."""
        if self.state.unseen or not text:
            return
        if self.state.hidden:
            self.hidden = True
        elif self.state.running:
            self.running.setdefault(self.state.running, []).append(text)
        else:
            self.text.append(text)
            self.plain = self.plain or not (self.state.bold or text.isspace())

    def taken(self) -> str:
        """The cell just ended."""
        text = "".join((*self.cell, *self.text))
        self.cell, self.text, self.plain = [], [], False
        return text.strip()

    def paragraph(self) -> None:
        if self.state.running:
            self.running.setdefault(self.state.running, []).append("\n")
        elif self.in_table or self.cells:
            self.cell += (*self.text, "\n")
            self.text = []
        else:
            self.close_table()
            text, bold = "".join(self.text), not self.plain
            self.text, self.plain = [], False
            self.blocks.append(Paragraph(text, bold and bool(text.strip())))

    def close_table(self) -> None:
        if self.rows:
            self.blocks.append(Table(self.rows, header=False))
            self.rows = []

    def result(self) -> RtfText:
        """Everything read, whatever was left open."""
        self.state = _State()
        left = self.taken()
        if left and (self.cells or self.rows):
            self.cells.append(left)
            left = ""
        if self.cells:
            self.rows.append(self.cells)
        self.close_table()
        if left:
            self.blocks.append(Paragraph(left))
        while self.blocks and isinstance(self.blocks[-1], Paragraph) and not self.blocks[-1].text.strip():
            self.blocks.pop()
        heads = self.marginal("header")
        feet = self.marginal("footer")
        blocks = [*heads, *([Rule()] if heads else []), *self.blocks, *([Rule()] if feet else []), *feet]
        return RtfText(tuple(blocks), self.pictures, self.hidden, self.complete)

    def marginal(self, kind: str) -> list[Block]:
        """Headers (or footers) once each: first-page and even-page forms are often the same text."""
        texts = (
            "\n".join(line for line in "".join(parts).split("\n") if line.strip())
            for name, parts in self.running.items()
            if name.startswith(kind.encode())
        )
        return [Paragraph(text) for text in dict.fromkeys(texts) if text]


def _sign(code: int, font: str) -> str:
    known = _WINGDINGS if "ingdings" in font else _SYMBOL_FONT if "ymbol" in font else {}
    # Shown rather than guessed: another letter in its place could reverse a meaning.
    return known.get(code, f"[signe {code:02X}]")


def _codec(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        return "cp1252"
    return name

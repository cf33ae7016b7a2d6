"""Text documents as PDF/A-1b: blocks laid out on A4 pages with the real widths of the typeface.

Blocks in, bytes out, no clock and no disk. The file structure belongs to `container`, the typefaces to `typeface`; turning
a body of the practice into blocks belongs to `render` and its readers.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

from transvase.exporters.pdf import direction, typeface
from transvase.exporters.pdf.container import PAGE_HEIGHT, PAGE_WIDTH, Identity, Page, document

# Points. Sizes chosen to read printed; the longest line of body text holds about 95 characters.
_SIDE, _TOP, _BOTTOM = 50.0, 50.0, 46.0
_BODY, _BODY_LEADING = 10.0, 13.5
_CELL, _CELL_LEADING, _CELL_PADDING = 8.5, 11.0, 3.0
_RUNNING, _RUNNING_LEADING = 8.0, 10.0
_TITLE = 15.0
_HEADINGS = (13.0, 11.5, 10.5)
_TAB = 36.0
_INNER = PAGE_WIDTH - 2 * _SIDE

# Beyond, a column is too narrow for a word: rows are written as lines instead.
_COLUMNS_AT_MOST = 20
# An array of PDF 1.4 holds 8,191 elements (ISO 19005-1, 6.1.12), and the page tree here is one array.
PAGES_AT_MOST = 8_000


class Heading(NamedTuple):
    """A title inside the document; level 1 to 3, smaller as it deepens."""

    text: str
    level: int = 1


class Paragraph(NamedTuple):
    """Text wrapped to the page; line feeds break lines, tabs go to the next stop."""

    text: str
    bold: bool = False


class Table(NamedTuple):
    """Rows of cells. With `header`, the first row is one and comes back on each page."""

    rows: Sequence[Sequence[str]]
    header: bool = True


class Rule(NamedTuple):
    """A horizontal line."""


class PageBreak(NamedTuple):
    """What follows starts a page."""


class Bars(NamedTuple):
    """Stacked bars, one per row: its name and (series, count). `series` are (label, colour as three numbers from 0 to 1), each told by a
    letter too, so that a black and white print loses nothing."""

    series: Sequence[tuple[str, tuple[float, float, float]]]
    rows: Sequence[tuple[str, Sequence[tuple[int, int]]]]


# Lines of each cell of a row.
_Cells = Sequence[Sequence[str]]

Block = Heading | Paragraph | Table | Rule | PageBreak | Bars


class TooLong(ValueError):
    """The text fills more pages than one PDF/A-1 file may hold."""


class Typeset(NamedTuple):
    """The file, its number of pages, and how many characters no typeface held (written `[U+XXXX]`)."""

    pdf: bytes
    pages: int
    coded: int


def text_document(
    title: str,
    blocks: Sequence[Block],
    *,
    created: datetime,
    identifier: str,
    language: str = "fr-FR",
    header: str = "",
    footer: str = "",
) -> bytes:
    """Bytes of a PDF/A-1b document; the same arguments always give the same bytes.

    `title` opens the first page and names the document; empty, it does neither. `header` and `footer` are repeated on every
    page. `created` carries a time zone. Raises ValueError without one, TooLong above PAGES_AT_MOST.
    """
    return typeset(
        title, blocks, created=created, identifier=identifier, language=language, header=header, footer=footer
    ).pdf


def typeset(
    title: str,
    blocks: Sequence[Block],
    *,
    created: datetime,
    identifier: str,
    language: str = "fr-FR",
    header: str = "",
    footer: str = "",
) -> Typeset:
    """As `text_document`, with what a caller may have to say about the result."""
    fitter = _Fitter()
    shown_title, header, footer = (fitter.fit(text) for text in (title, header, footer))
    blocks = [fitter.block(block) for block in blocks]
    layout = _Layout(typeface.SUBSETS[fitter.subset], header, footer, fitter.others)
    if shown_title.strip():
        layout.title(shown_title)
    for block in blocks:
        layout.add(block)
    pages = layout.finished()
    faces = [typeface.face(layout.subset, name) for name in layout.used]
    shared = [source for face in faces for source in face.objects]
    if fitter.others:
        shared += typeface.second(fitter.others, len(faces))
    pdf = document(Identity(title, created, identifier, language), pages, shared)
    return Typeset(pdf, len(pages), fitter.coded)


class _Fitter:
    """Makes every text drawable and remembers the heaviest subset asked for, and the characters of the second typeface."""

    def __init__(self) -> None:
        self.subset = 0
        self.coded = 0
        self.others: frozenset[str] = frozenset()

    def fit(self, text: str) -> str:
        text, subset, coded, others = typeface.fitted(text, self.others)
        self.subset = max(self.subset, subset)
        self.coded += coded
        if not others <= self.others:
            self.others |= others
        return text

    def block(self, block: Block) -> Block:
        if isinstance(block, Paragraph):
            return Paragraph(self.fit(block.text), block.bold)
        if isinstance(block, Heading):
            return Heading(self.fit(block.text), block.level)
        if isinstance(block, Bars):
            series = [(self.fit(label), colour) for label, colour in block.series]
            return Bars(series, [(self.fit(name), parts) for name, parts in block.rows])
        if isinstance(block, Table):
            # One look at the whole table, since nearly all need nothing.
            subset = typeface.lightest("".join(chain.from_iterable(block.rows)))
            if subset is not None:
                self.subset = max(self.subset, subset)
                return block
            return Table([[self.fit(cell) for cell in row] for row in block.rows], block.header)
        return block


class _Shape(NamedTuple):
    """A row by the numbers of lines of its cells: its height, its text with a place for each line, the rule under it.

    The text starts at the base line of the first cell's first line and ends at the next row's; the rule moves the origin
    from the row's top to its foot. So the operators of rows, one after another, draw those rows under one another.
    """

    height: float
    text: bytes
    rule: bytes


class _Grid:
    """Columns of one table: widths in points, and in which of them every cell holds on one line."""

    def __init__(self, widths: Sequence[float], single: Sequence[bool]) -> None:
        self.widths = widths
        self.single = single
        self.total = sum(widths)
        self._shapes: dict[tuple[int, ...], _Shape] = {}

    def shape(self, counts: tuple[int, ...]) -> _Shape:
        """Shape of a row whose cells have these numbers of lines."""
        if counts not in self._shapes:
            height = max(counts) * _CELL_LEADING + 2 * _CELL_PADDING
            # Whole hundredths: what is written across is exactly what is written back.
            edges = [0, *(round(edge * 100) for edge in accumulate(self.widths[:-1]))]
            across = [*(after - before for before, after in pairwise(edges)), -edges[-1]]
            down = [*[0.0] * (len(counts) - 1), -height]
            text = [
                b"%b%g %g Td\n" % (_shown(lines), right / 100, below + max(0, lines - 1) * _CELL_LEADING)
                for lines, right, below in zip(counts, across, down, strict=True)
            ]
            rule = b"1 0 0 1 0 %g cm 0 0 m %.2f 0 l S\n" % (-height, self.total)
            self._shapes[counts] = _Shape(height, b"".join(text), rule)
        return self._shapes[counts]


class _Layout:
    """Pages being filled from top to bottom. `y` is the height of the next line's top.

    The text of a page is kept as operators with a `%b` for each line, and the lines apart: they are encoded together.
    """

    def __init__(self, subset: str, header: str, footer: str, others: frozenset[str]) -> None:
        self.subset = subset
        self.others = others
        self.used: list[str] = []
        self.faces: dict[str, typeface.Face] = {}
        self.face("regular")
        self.header = self.wrap(header, "regular", _RUNNING, _INNER) if header else []
        # The page number stands at the right of the footer.
        self.footer = self.wrap(footer, "regular", _RUNNING, _INNER - 60) if footer else []
        self.top = PAGE_HEIGHT - _TOP - len(self.header) * _RUNNING_LEADING
        self.bottom = _BOTTOM + max(0, len(self.footer) - 1) * _RUNNING_LEADING
        if self.top - self.bottom < PAGE_HEIGHT / 2:
            raise ValueError("header and footer leave less than half of the page: shorten them")
        self.text: list[list[bytes]] = []
        self.lines: list[list[str]] = []
        self.drawing: list[list[bytes]] = []
        self.turn()

    def turn(self) -> None:
        """Start a page."""
        if len(self.text) >= PAGES_AT_MOST:
            raise TooLong(f"more than {PAGES_AT_MOST} pages of text")
        self.text.append([])
        self.lines.append([])
        self.drawing.append([])
        self.y = self.top

    @property
    def fresh(self) -> bool:
        """Whether nothing is on the page yet."""
        return not self.text[-1] and not self.drawing[-1]

    def room(self, height: float) -> None:
        """Turn the page unless `height` points are left on it."""
        if self.y - height < self.bottom and not self.fresh:
            self.turn()

    def face(self, name: str) -> typeface.Face:
        if name not in self.faces:
            self.faces[name] = typeface.with_others(typeface.face(self.subset, name), self.others)
            self.used.append(name)
        return self.faces[name]

    def wrap(self, text: str, face: str, size: float, width: float) -> list[str]:
        """Lines of at most `width` points. A word wider than a line is cut; nothing is dropped but the space broken at."""
        widths = self.face(face).widths
        limit = width * 1000 / size
        lines: list[str] = []
        for piece in text.split("\n"):
            if "\t" in piece:
                piece = _without_tabs(piece, widths, size)
            ends = list(accumulate(map(widths.__getitem__, piece)))
            if not ends or ends[-1] <= limit:
                lines.append(piece)
                continue
            start, before = 0, 0
            while True:
                end = bisect_right(ends, before + limit, start)
                if end >= len(piece):
                    lines.append(piece[start:])
                    break
                cut = piece.rfind(" ", start, end + 1)
                if cut > start and not piece[start:cut].isspace():
                    lines.append(piece[start:cut])
                    start = cut + 1
                else:
                    end = max(end, start + 1)
                    lines.append(piece[start:end])
                    start = end
                before = ends[start - 1]
        return lines

    def place(self, lines: Sequence[str], face: str, size: float, leading: float, x: float, top: float) -> None:
        """Write lines under one another on this page, the first one's top at `top`."""
        self.start(face, size, leading, x, top)
        self.text[-1].append(_shown(len(lines)))
        self.lines[-1] += lines

    def start(self, face: str, size: float, leading: float, x: float, top: float) -> None:
        """Set the face and go to the base line of a line whose top is at `top`."""
        # The base line stands at four fifths of the line's height, the place of the ascender in this typeface.
        self.text[-1].append(
            b"/F%d %g Tf %g TL 1 0 0 1 %.2f %.2f Tm\n"
            % (typeface.FACES.index(face), size, leading, x, top - leading * 0.8)
        )

    def flow(self, lines: Sequence[str], face: str, size: float, leading: float) -> None:
        """Write lines at the left margin, over as many pages as they need."""
        start = 0
        while start < len(lines):
            fits = int((self.y - self.bottom) / leading)
            if fits < 1:
                self.turn()
                continue
            part = lines[start : start + fits]
            self.place(part, face, size, leading, _SIDE, self.y)
            self.y -= leading * len(part)
            start += len(part)

    def title(self, text: str) -> None:
        """The document's own title, in the regular face so that a plain letter embeds only that one."""
        self.flow(self.wrap(text, "regular", _TITLE, _INNER), "regular", _TITLE, _TITLE * 1.25)
        self.y -= 4
        self.rule()

    def add(self, block: Block) -> None:
        """Lay out one block."""
        if isinstance(block, Paragraph):
            face = "bold" if block.bold else "regular"
            self.flow(self.wrap(block.text, face, _BODY, _INNER), face, _BODY, _BODY_LEADING)
            self.y -= 4
        elif isinstance(block, Heading):
            size = _HEADINGS[min(max(block.level, 1), len(_HEADINGS)) - 1]
            lines = self.wrap(block.text, "bold", size, _INNER)
            # A heading alone at the foot of a page announces nothing.
            self.room(6 + size * 1.25 * len(lines) + 2 * _BODY_LEADING)
            self.y -= 0 if self.fresh else 6
            self.flow(lines, "bold", size, size * 1.25)
            self.y -= 3
        elif isinstance(block, Table):
            self.table(block)
            self.y -= 8
        elif isinstance(block, Rule):
            self.rule()
        elif isinstance(block, Bars):
            self.bars(block)
        elif not self.fresh:
            self.turn()

    def bars(self, bars: Bars) -> None:
        """Bars to the scale of the longest, the letter and count of each part inside when they fit, then what the letters mean."""
        most = max((sum(n for _, n in parts) for _, parts in bars.rows), default=0) or 1
        lengths, left, line = self.face("regular").lengths, 110.0, 16.0
        for name, parts in bars.rows:
            self.room(line)
            [label, *_] = self.wrap(name, "regular", _CELL, left - 6)
            self.place([label], "regular", _CELL, _CELL_LEADING, _SIDE, self.y - 2)
            x = _SIDE + left
            for series, count in parts:
                width = (_INNER - left) * count / most
                self.box(x, self.y - line + 2, width, line - 4, bars.series[series][1])
                told = f"{_letter(series)} {count}"
                extent = lengths[told] * _CELL / 1000
                if extent + 6 <= width:
                    self.box(x + (width - extent) / 2 - 2, self.y - line + 3.5, extent + 4, line - 7, (1, 1, 1))
                    self.place([told], "regular", _CELL, _CELL_LEADING, x + (width - extent) / 2, self.y - 2)
                x += width
            self.y -= line
        told = " · ".join(f"{_letter(i)} {label}" for i, (label, _) in enumerate(bars.series))
        self.flow(self.wrap(told, "regular", _CELL, _INNER), "regular", _CELL, _CELL_LEADING)
        self.y -= 6

    def box(self, x: float, y: float, width: float, height: float, colour: tuple[float, float, float]) -> None:
        """A filled rectangle with a thin edge."""
        self.drawing[-1].append(b"q %g %g %g rg 0.3 w %.2f %.2f %.2f %.2f re B Q\n" % (*colour, x, y, width, height))

    def rule(self) -> None:
        self.room(8)
        self.line(_SIDE, self.y - 3, _INNER)
        self.y -= 8

    def line(self, x: float, y: float, width: float) -> None:
        self.drawing[-1].append(b"%.2f %.2f m %.2f %.2f l S\n" % (x, y, x + width, y))

    def table(self, table: Table) -> None:
        columns = max(map(len, table.rows), default=0)
        if not columns:
            return
        if columns > _COLUMNS_AT_MOST:
            for place, row in enumerate(table.rows):
                self.add(Paragraph(" | ".join(row), bold=table.header and place == 0))
            return
        rows = table.rows
        if min(map(len, rows)) < columns:
            rows = [[*row, *[""] * (columns - len(row))] for row in rows]
        header = table.header and len(rows) > 1
        grid = self.columns(rows, columns, header)
        heading = [*self.cells(rows[:1], grid, "bold")] if header else []
        height = grid.shape(tuple(map(len, heading[0]))).height if heading else 0.0
        # A header taller than a third of the page would leave no room for rows: it is then a row like the others.
        repeated = heading if height < (self.top - self.bottom) / 3 else []
        if repeated:
            self.room(height + 2 * _CELL_LEADING + 2 * _CELL_PADDING)
            self.head(repeated, grid)
        else:
            self.rows(heading, grid, "bold", [])
        body = rows[1:] if header else rows
        if all(grid.single):
            self.single_lines(body, grid, repeated)
        else:
            self.rows(self.cells(body, grid, "regular"), grid, "regular", repeated)

    def cells(self, rows: Sequence[Sequence[str]], grid: _Grid, face: str) -> Iterable[_Cells]:
        """Lines of each cell of each row."""
        lengths = self.face(face).lengths
        columns: list[list[list[str]]] = []
        for texts, width, single in zip(zip(*rows, strict=True), grid.widths, grid.single, strict=True):
            inner = width - 2 * _CELL_PADDING
            columns.append(
                [
                    [text]
                    if single or ("\n" not in text and "\t" not in text and lengths[text] <= inner * 1000 / _CELL)
                    else self.wrap(text, face, _CELL, inner)
                    for text in texts
                ]
            )
        return zip(*columns, strict=True)

    def rows(self, rows: Iterable[_Cells], grid: _Grid, face: str, repeated: Sequence[_Cells]) -> None:
        """Draw rows, each whole on a page where a page can hold it, else over as many as it needs."""
        capacity = int((self.top - self.bottom - 2 * _CELL_PADDING) / _CELL_LEADING)
        capacity -= max(map(len, repeated[0])) + 1 if repeated else 0
        # Those of one page are drawn together; `y` is where the next one goes.
        waiting: list[_Cells] = []
        y = self.y
        for row in rows:
            cells = row
            while any(cells):
                fits = int((y - self.bottom - 2 * _CELL_PADDING) / _CELL_LEADING)
                height = max(map(len, cells))
                if height > fits and (fits < 1 or (height <= capacity and (waiting or not self.fresh))):
                    self.draw(waiting, grid, face)
                    waiting = []
                    self.turn()
                    self.head(repeated, grid)
                    y = self.y
                    continue
                waiting.append(cells if height <= fits else [cell[:fits] for cell in cells])
                cells = [cell[fits:] for cell in cells] if height > fits else ()
                y -= min(height, fits) * _CELL_LEADING + 2 * _CELL_PADDING
        self.draw(waiting, grid, face)

    def single_lines(self, rows: Sequence[Sequence[str]], grid: _Grid, repeated: Sequence[_Cells]) -> None:
        """Draw rows whose every cell is one line: what `rows` does, without a list of lines for each cell."""
        shape = grid.shape((1,) * len(grid.widths))
        start = 0
        while start < len(rows):
            fits = int((self.y - self.bottom) / shape.height)
            if fits < 1:
                self.turn()
                self.head(repeated, grid)
                continue
            part = rows[start : start + fits]
            self.write([shape] * len(part), chain.from_iterable(part), grid, "regular")
            start += fits

    def head(self, repeated: Sequence[_Cells], grid: _Grid) -> None:
        """Draw the header that comes back on each page, if the table has one."""
        for cells in repeated:
            height = grid.shape(tuple(map(len, cells))).height
            self.drawing[-1].append(b"0.9 g %.2f %.2f %.2f %.2f re f\n" % (_SIDE, self.y - height, grid.total, height))
        self.draw(repeated, grid, "bold")

    def draw(self, rows: Sequence[_Cells], grid: _Grid, face: str) -> None:
        """Draw rows, or parts of them, that the caller found to fit this page."""
        shapes = [grid.shape(tuple(map(len, cells))) for cells in rows]
        self.write(shapes, chain.from_iterable(chain.from_iterable(rows)), grid, face)

    def write(self, shapes: Sequence[_Shape], lines: Iterable[str], grid: _Grid, face: str) -> None:
        """Write rows of these shapes under one another on this page, and the rule under each."""
        if not shapes:
            return
        self.start(face, _CELL, _CELL_LEADING, _SIDE + _CELL_PADDING, self.y - _CELL_PADDING)
        self.text[-1] += [shape.text for shape in shapes]
        self.lines[-1] += lines
        self.drawing[-1].append(b"q 1 0 0 1 %.2f %.2f cm\n" % (_SIDE, self.y))
        self.drawing[-1] += [shape.rule for shape in shapes]
        self.drawing[-1].append(b"Q\n")
        self.y -= sum([shape.height for shape in shapes])

    def columns(self, rows: Sequence[Sequence[str]], count: int, header: bool) -> _Grid:
        """Columns filling the page: what each asks for, squeezed no narrower than its longest word."""
        everything = "".join(chain.from_iterable(rows))
        plain = "\n" not in everything and "\t" not in everything
        parts = [("bold", rows[:1]), ("regular", rows[1:])] if header else [("regular", rows)]
        columns = [
            (column, self.face(face).lengths, cells if plain else "\n".join(cells).replace("\t", " " * 8).split("\n"))
            for face, part in parts
            for column, cells in enumerate(zip(*part, strict=True))
        ]
        longest = [1] * count
        for column, lengths, lines in columns:
            longest[column] = max(longest[column], *map(lengths.__getitem__, lines))
        # One unit of slack: sums of rounded widths must not wrap a text that set the width of its column.
        asked = [(size + 1) * _CELL / 1000 + 2 * _CELL_PADDING for size in longest]
        if sum(asked) <= _INNER:
            return _Grid([size * _INNER / sum(asked) for size in asked], [plain] * count)
        longest = [1] * count
        for column, lengths, lines in columns:
            words = set(" ".join(lines).split(" "))
            longest[column] = max(longest[column], *map(lengths.__getitem__, words))
        least = [min((size + 1) * _CELL / 1000 + 2 * _CELL_PADDING, _INNER / count) for size in longest]
        spare = _INNER - sum(least)
        wanted = [max(0.0, size - floor) for size, floor in zip(asked, least, strict=True)]
        widths = [floor + spare * want / (sum(wanted) or 1) for floor, want in zip(least, wanted, strict=True)]
        return _Grid(widths, [plain and width >= size for width, size in zip(widths, asked, strict=True)])

    def finished(self) -> list[Page]:
        """The pages with their header, footer and number."""
        last = len(self.text)
        resources = typeface.resource_names(self.used, bool(self.others))
        lengths = self.faces["regular"].lengths
        pages = []
        for number, (text, lines, drawing) in enumerate(zip(self.text, self.lines, self.drawing, strict=True), 1):
            label = f"{number}/{last}"
            extent = lengths[label] * _RUNNING / 1000
            running = [(PAGE_WIDTH - _SIDE - extent, _BOTTOM - 16, [label])]
            if self.header:
                running.append((_SIDE, PAGE_HEIGHT - 30, self.header))
            if self.footer:
                running.append((_SIDE, self.bottom - 16, self.footer))
            text.append(b"/F0 %g Tf %g TL 0.35 g\n" % (_RUNNING, _RUNNING_LEADING))
            for x, y, small in running:
                text.append(b"1 0 0 1 %.2f %.2f Tm\n%b" % (x, y, _shown(len(small))))
                lines += small
            shown = b"".join(text)
            shown = _mixed(shown, lines, self.others) if self.others else shown % tuple(typeface.encoded(lines))
            pages.append(Page(b"".join((b"0.6 G 0.5 w\n", *drawing, b"0 g\nBT\n", shown, b"ET")), resources))
        return pages


def _letter(place: int) -> str:
    return chr(ord("A") + place)


def _shown(count: int) -> bytes:
    """Operators that write so many lines under one another, with a place for each."""
    return b"(%b)Tj\n" + b"(%b)'\n" * (count - 1) if count else b""


# What `_shown` and `start` write: a line to show, under the one before or not; a face and its size.
_PLACES = re.compile(rb"\(%b\)(Tj|')|/F\d \S+ Tf")


def _mixed(operators: bytes, lines: Sequence[str], others: frozenset[str]) -> bytes:
    """These operators with their lines, the characters of the second typeface in it and the face of before after them."""
    apart = re.compile(f"([{''.join(map(re.escape, sorted(others)))}]+)")
    waiting, face = iter(lines), b""

    def put(found: re.Match[bytes]) -> bytes:
        nonlocal face
        if not found[1]:
            face = found[0]
            return face
        pieces = apart.split(direction.shown(next(waiting)))
        second = b"/F%d %b" % (typeface.SECOND, face.split(b" ", 1)[1])
        out = [b"T*\n"] if found[1] == b"'" else []
        for place, piece in enumerate(pieces):
            if place % 2:
                out.append(b"%b (%b)Tj %b\n" % (second, typeface.literal(piece), face))
            elif piece:
                out.append(b"(%b)Tj\n" % typeface.literal(piece))
        return b"".join(out)

    return _PLACES.sub(put, operators)


def _without_tabs(line: str, widths: dict[str, int], size: float) -> str:
    """Replace each tab by the spaces that reach the next stop."""
    space, stop = widths[" "], _TAB * 1000 / size
    done, position = "", 0.0
    *before, last = line.split("\t")
    for segment in before:
        position += sum(map(widths.__getitem__, segment))
        gap = stop - position % stop
        spaces = max(1, round(gap / space))
        position += spaces * space
        done += segment + " " * spaces
    return done + last

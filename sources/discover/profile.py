"""One pass over the first rows of a table: counters for each column, in bounded memory. No value is kept but those of a column of few,
short ones, repeated (`codes`), and hashes; what the counters mean belongs to `roles` and `links`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transvase.sources.discover import reading
from transvase.sources.discover.contents import nature
from transvase.sources.discover.encodings import fault_of
from transvase.sources.discover.forms import LONGEST, date_form, is_path, number_form, shape
from transvase.sources.discover.sketch import Sketch, digest
from transvase.sources.view import SourceColumn, View

# Hashes kept for a column that repeats its values; one that never does keeps them all, as it may be a key.
SKETCH = 1024
# Beyond these a column is not a closed list of codes.
CODES, CODE_LENGTH = 40, 32
_SHAPES = 32
OTHER = "…"
# A text that begins so, or has no blank in its first letters, may be something else than words.
_TELLTALES = frozenset("<{[%aOsbidNP\0")


class Column:
    """What was counted in a column. Counters speak of the rows read: `null`, `empty` (texts of blanks), `kinds` (Python classes), `longest`
    (characters or bytes), `shapes`, `dates`, `numbers` and `paths` of short texts, `natures` and `faults` of texts and bytes."""

    __slots__ = (
        "_hashes", "codes", "dates", "declared", "empty", "faults", "integers", "kinds", "longest", "name", "natures", "null", "numbers",
        "paths", "repeated", "seen", "shapes", "sketch", "unique",
    )  # fmt: skip

    def __init__(self, name: str, declared: str) -> None:
        self.name, self.declared = name, declared
        self.seen = self.null = self.empty = self.longest = self.paths = 0
        self.kinds: Counter[str] = Counter()
        self.shapes: Counter[str] = Counter()
        self.dates: Counter[str] = Counter()
        self.numbers: Counter[str] = Counter()
        self.natures: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.codes: Counter[str] | None = Counter()
        self.integers: tuple[int, int] | None = None
        self.sketch = Sketch(SKETCH)
        self._hashes: set[int] | None = set()
        # Whether some value stands twice or is too long for a key; then, whether every row of the table has a value, never the same.
        self.repeated = False
        self.unique = False

    @property
    def filled(self) -> int:
        """Rows read with a value that is not blank."""
        return self.seen - self.null - self.empty

    @property
    def family(self) -> str:
        """The declared type: `text`, `whole`, `decimal`, `date`, `binary`, or empty when none or another is declared."""
        return family(self.declared)

    def add(self, value: Any) -> None:
        """Count a cell."""
        self.seen += 1
        if value is None:
            self.null += 1
            return
        if isinstance(value, str):
            if not value.strip():
                self.empty += 1
                return
            self._text(value)
        elif isinstance(value, bytes):
            self.longest = max(self.longest, len(value))
            self.natures[nature(value)] += 1
            self.codes = None
        elif isinstance(value, int):
            low, high = self.integers or (value, value)
            self.integers = (min(low, value), max(high, value))
            if form := date_form(str(int(value))):
                self.dates[form] += 1
        self.kinds[type(value).__name__] += 1
        hashed = digest(value)
        if self._hashes is not None:
            # What is too long to be referred to is no key either, and its hashes need not all be kept.
            if hashed in self._hashes or self.longest > LONGEST:
                self.sketch.update(self._hashes)
                self.sketch.add(hashed)
                self._hashes, self.repeated = None, True
            else:
                self._hashes.add(hashed)
        else:
            self.sketch.add(hashed)
        if self.codes is not None:
            if isinstance(value, float) or (isinstance(value, str) and len(value) > CODE_LENGTH):
                self.codes = None
            else:
                self.codes[str(value) if not isinstance(value, bool) else str(int(value))] += 1
                if len(self.codes) > CODES:
                    self.codes = None

    def _text(self, value: str) -> None:
        size = len(value)
        self.longest = max(self.longest, size)
        bare = value.strip()
        if size <= LONGEST:
            form = shape(value)
            self.shapes[form if form in self.shapes or len(self.shapes) < _SHAPES else OTHER] += 1
            if bare[0] in "+-0123456789":
                if found := date_form(bare):
                    self.dates[found] += 1
                if found := number_form(bare):
                    self.numbers[found] += 1
        else:
            self.shapes[OTHER] += 1
        if size <= 260 and ("." in value or "/" in value or "\\" in value) and is_path(bare):
            self.paths += 1
        if (
            value[0] in _TELLTALES or bare[0] in "<{[" or value[-1] == "\0" or (size >= 32 and " " not in value[:64])
        ) and (found := nature(value)) not in ("", "text"):
            self.natures[found] += 1
        if (not value.isascii() or "&" in value) and (fault := fault_of(value)):
            self.faults[fault] += 1

    def close(self, whole: bool) -> None:
        """End of the pass; `whole` when every row of the table was read."""
        if self._hashes is not None:
            # Never the same value twice: it may be a key, and its hashes are all worth keeping.
            self.sketch = Sketch(max(SKETCH, len(self._hashes)))
            self.sketch.update(self._hashes)
            self._hashes = None
        self.sketch.freeze()
        self.unique = whole and bool(self.seen) and not self.repeated and self.filled == self.seen

    @property
    def may_be_unique(self) -> bool:
        """Whether nothing read says that the column is no key."""
        return bool(self.seen) and not self.repeated and self.filled == self.seen and self.longest <= LONGEST


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its rows counted by the engine, those read, its columns in stored order."""

    name: str
    rows: int
    read: int
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def profile(view: View, kind: str, name: str, columns: Sequence[SourceColumn], sample: int) -> Table:
    """A table read once, at most `sample` of its rows; a column that may be a key of a longer table is asked of the engine.
    Raises SourceUnreadable, SourceLocked."""
    found = tuple(Column(c.name, c.type) for c in columns)
    rows = view.count(name)
    read = 0
    if rows and columns:
        for batch in reading.first_rows(view, kind, name, columns, sample):
            read += len(batch)
            for column, values in zip(found, zip(*batch, strict=True), strict=True):
                for value in values:
                    column.add(value)
    for column in found:
        column.close(whole=read >= rows)
    if read < rows:
        asked = [c for c in found if c.may_be_unique and "float" not in c.kinds]
        for column, unique in zip(
            asked, reading.unique(view, kind, name, [c.name for c in asked]).values(), strict=True
        ):
            column.unique = unique
    return Table(name, rows, read, found)


def family(declared: str) -> str:
    """What a declared type is for: `text`, `whole`, `decimal`, `date`, `binary`, or empty."""
    words = declared.lower()
    for marks, found in (
        (("date", "time"), "date"),
        (("blob", "binary", "bytea"), "binary"),
        (("char", "text", "clob", "enum", "string", "json", "xml"), "text"),
        (("int", "serial", "bool", "bit"), "whole"),
        (("dec", "num", "real", "doub", "float", "money"), "decimal"),
    ):
        if any(mark in words for mark in marks):
            return found
    return ""

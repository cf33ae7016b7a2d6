"""Simple types as languages of bytes: facets, patterns, lists and unions of XSD 1.0 part 2.

A language here is the whole type or a part of it, never more: where libxml2 and the text of XSD may differ (numbers of many digits, URIs,
letters of other scripts in names), the language keeps to what both surely accept. Attributes and elements belong to `tables`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from transvase.formats.schema_acceptor.automaton import NEVER, Alt, Dfa, Expr, In, Rep, Seq, both, determinise, either
from transvase.formats.schema_acceptor.unsupported import Unsupported

PRESERVE, REPLACE, COLLAPSE = range(3)
Identity = Literal["", "ID", "IDREF", "IDREFS"]

# -- characters ------------------------------------------------------------------------------------------------------------

Ranges = tuple[tuple[int, int], ...]
# XML 1.0, production 2.
XML_CHARACTERS: Ranges = ((9, 10), (13, 13), (0x20, 0xD7FF), (0xE000, 0xFFFD), (0x10000, 0x10FFFF))
_SPACE: Ranges = ((9, 10), (13, 13), (32, 32))
_LAST_OF_LENGTH = (0x7F, 0x7FF, 0xFFFF, 0x10FFFF)


def _complement(ranges: Iterable[tuple[int, int]]) -> Ranges:
    found: list[tuple[int, int]] = []
    for low, high in XML_CHARACTERS:
        for start, end in sorted(ranges):
            if end < low or start > high:
                continue
            if start > low:
                found.append((low, start - 1))
            low = max(low, end + 1)
        if low <= high:
            found.append((low, high))
    return tuple(found)


def _utf8(low: int, high: int) -> list[Expr]:
    """Sequences of byte sets that are exactly the UTF-8 forms of the code points low to high."""
    for last in _LAST_OF_LENGTH:
        if low <= last < high:
            return _utf8(low, last) + _utf8(last + 1, high)
    first, final = chr(low).encode(), chr(high).encode()
    # Cut until the trailing bytes run from 0x80 to 0xBF, so that the set is a product of byte sets.
    for position in range(1, len(first)):
        block = 1 << (6 * (len(first) - position))
        if low // block != high // block:
            if low % block:
                cut = (low // block + 1) * block
                return _utf8(low, cut - 1) + _utf8(cut, high)
            if high % block != block - 1:
                cut = high // block * block
                return _utf8(low, cut - 1) + _utf8(cut, high)
    return [Seq(tuple(In(frozenset(range(a, b + 1))) for a, b in zip(first, final, strict=True)))]


def _characters(ranges: Ranges) -> Expr:
    ascii_bytes = frozenset(b for low, high in ranges for b in range(low, min(high, 0x7F) + 1))
    parts: list[Expr] = [In(ascii_bytes)] if ascii_bytes else []
    for low, high in ranges:
        if high > 0x7F:
            parts += _utf8(max(low, 0x80), high)
    return Alt(tuple(parts)) if parts else NEVER


_ANY_CHARACTER = _characters(XML_CHARACTERS)

# -- patterns --------------------------------------------------------------------------------------------------------------

# Sets of which only a part is listed (the ASCII one): they may widen a class, never be negated.
_PARTS: dict[str, Ranges] = {
    "d": ((48, 57),),
    "w": ((48, 57), (65, 90), (97, 122)),
    "i": ((58, 58), (65, 90), (95, 95), (97, 122)),
    "c": ((45, 46), (48, 58), (65, 90), (95, 95), (97, 122)),
}
_ESCAPED = {"n": 10, "r": 13, "t": 9} | {c: ord(c) for c in "\\|.?*+(){}-[]^"}


class _Pattern:
    """Recursive descent over the regular expressions of XSD (part 2, appendix F), without categories and subtraction."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def parse(self) -> Expr:
        expr = self.branches()
        if self.at < len(self.text):
            raise Unsupported("a pattern with an unbalanced bracket")
        return expr

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        if self.at >= len(self.text):
            raise Unsupported("a pattern that ends too early")
        self.at += 1
        return self.text[self.at - 1]

    def branches(self) -> Expr:
        found = [self.pieces()]
        while self.peek() == "|":
            self.take()
            found.append(self.pieces())
        return found[0] if len(found) == 1 else Alt(tuple(found))

    def pieces(self) -> Expr:
        found: list[Expr] = []
        while self.peek() not in ("", "|", ")"):
            found.append(self.quantified(self.atom()))
        return Seq(tuple(found))

    def quantified(self, expr: Expr) -> Expr:
        sign = self.peek()
        if sign in ("?", "*", "+") and sign:
            self.take()
            return {"?": Rep(expr, 0, 1), "*": Rep(expr, 0, None), "+": Rep(expr, 1, None)}[sign]
        if sign == "{":
            count = re.compile(r"\{([0-9]{1,4})(,([0-9]{1,4})?)?\}").match(self.text, self.at)
            if not count:
                raise Unsupported("a pattern with an odd quantifier")
            self.at = count.end()
            least = int(count[1])
            most = least if not count[2] else int(count[3]) if count[3] else None
            return Rep(expr, least, most)
        return expr

    def atom(self) -> Expr:
        char = self.take()
        if char == "(":
            expr = self.branches()
            if self.take() != ")":
                raise Unsupported("a pattern with an unbalanced bracket")
            return expr
        if char == ".":
            return _characters(_complement(((10, 10), (13, 13))))
        if char == "[":
            return _characters(self.bracket())
        if char == "\\":
            return _characters(self.escape()[0])
        if char in "?*+{}]^$":
            raise Unsupported(f"a pattern with an unescaped {char}")
        return _characters(((ord(char), ord(char)),))

    def escape(self) -> tuple[Ranges, bool]:
        """The characters of an escape, the backslash being read; and whether they are all of them."""
        char = self.take()
        if char == "s":
            return _SPACE, True
        if char == "S":
            return _complement(_SPACE), True
        if char in _PARTS:
            return _PARTS[char], False
        if char in _ESCAPED:
            return ((_ESCAPED[char], _ESCAPED[char]),), True
        raise Unsupported(f"a pattern with the escape \\{char}")

    def bracket(self) -> Ranges:
        negated = self.peek() == "^"
        if negated:
            self.take()
        ranges: list[tuple[int, int]] = []
        exact = True
        while True:
            char = self.take()
            if char == "]":
                break
            if char == "[" or (char == "-" and self.peek() not in ("]", "") and ranges):
                raise Unsupported("a pattern with a character class subtraction")
            if char == "\\":
                found, whole = self.escape()
                exact = exact and whole
                if len(found) > 1 or found[0][0] != found[0][1] or not whole:
                    ranges += found
                    continue
                low = found[0][0]
            else:
                low = ord(char)
            high = low
            if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.take()
                last = self.take()
                if last == "[":
                    raise Unsupported("a pattern with a character class subtraction")
                if last == "\\":
                    found, whole = self.escape()
                    if not whole or len(found) > 1 or found[0][0] != found[0][1]:
                        raise Unsupported("a pattern with a range to a class")
                    high = found[0][0]
                else:
                    high = ord(last)
            if high < low:
                raise Unsupported("a pattern with a range that runs backwards")
            ranges.append((low, high))
        if not ranges or (negated and not exact):
            raise Unsupported("a pattern with an empty class, or a negated class of letters or digits")
        return _complement(ranges) if negated else tuple(sorted(ranges))


@lru_cache(maxsize=256)
def pattern(text: str) -> Dfa:
    """Automaton over UTF-8 bytes of an XSD pattern. `Unsupported` beyond plain classes, groups and counts."""
    return determinise(_Pattern(text).parse())


# -- languages -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Language:
    """Values of a simple type after white space is normalised: the union of a finite set, an automaton, and everything.

    `shortest` (characters, 0 or 1) holds for `everything` only. `bounds` are the inclusive whole numbers between which a decimal value of
    the automaton must stand; None on a side leaves it open."""

    whitespace: int
    finite: frozenset[str] = frozenset()
    dfa: Dfa | None = None
    everything: bool = False
    shortest: int = 0
    bounds: tuple[int | None, int | None] = (None, None)
    identity: Identity = ""
    is_list: bool = False

    def normal(self, value: str) -> str:
        """The value with its white space as the type wants it."""
        if self.whitespace == PRESERVE:
            return value
        value = re.sub(r"[\t\n\r]", " ", value)
        return value if self.whitespace == REPLACE else re.sub(" +", " ", value).strip(" ")

    def holds(self, value: str) -> bool:
        """Whether a normalised value is in the language."""
        if value in self.finite or (self.everything and len(value) >= self.shortest):
            return True
        return self.dfa is not None and self.dfa.reads(value.encode()) and _between(value, self.bounds)

    def matching(self, dfa: Dfa) -> Language:
        """The values that the automaton reads too."""
        narrowed = self.dfa and both(self.dfa, dfa)
        if self.everything:
            narrowed = both(dfa, determinise(Rep(_ANY_CHARACTER, 1, None))) if self.shortest else dfa
        finite = frozenset(v for v in self.finite if dfa.reads(v.encode()))
        return replace(self, finite=finite, dfa=narrowed, everything=False, shortest=0)

    def among(self, values: Iterable[str]) -> Language:
        """The values listed, those that are in the language."""
        kept = frozenset(v for v in map(self.normal, values) if self.holds(v))
        return replace(self, finite=kept, dfa=None, everything=False, shortest=0, bounds=(None, None))


_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def _between(value: str, bounds: tuple[int | None, int | None]) -> bool:
    if bounds == (None, None):
        return True
    if not _DECIMAL.fullmatch(value):
        return False
    from fractions import Fraction

    number = Fraction(value)
    return (bounds[0] is None or number >= bounds[0]) and (bounds[1] is None or number <= bounds[1])


# Letters that names may hold in the fourth and in the fifth edition of XML 1.0 (libxml2 reads one or the other).
_NAME_START = "A-Za-z_À-ÖØ-öø-ÿ"
_NAME = _NAME_START + "0-9.\\-·"
_NCNAME = f"[{_NAME_START}][{_NAME}]*"
# libxml2 escapes letters beyond ASCII before it looks at a URI.
_PCHAR = "([A-Za-zÀ-ÖØ-öø-ÿ0-9._~!$'*+,;=:@/\\-]|%[0-9A-Fa-f]{2})"
_REST = f"(\\?{_PCHAR}*)?(#{_PCHAR}*)?"
_URI = (
    f"([A-Za-z][A-Za-z0-9]*:([A-Za-z0-9._~+@\\-]{_PCHAR}*)?{_REST})"
    f"|([A-Za-z][A-Za-z0-9]*://[A-Za-z0-9.\\-]+(:[0-9]{{1,4}})?(/{_PCHAR}*)?{_REST})"
    f"|(#{_PCHAR}*)|([A-Za-z0-9._~\\-]+(/{_PCHAR}*)?{_REST})|"
)
_WHOLE = "[0-9]{1,15}"

_PATTERNS: dict[str, str] = {
    "decimal": f"-?{_WHOLE}(\\.{_WHOLE})?",
    "double": f"-?{_WHOLE}(\\.{_WHOLE})?",
    "float": "-?[0-9]{1,6}(\\.[0-9]{1,6})?",
    "integer": f"-?{_WHOLE}",
    "long": f"-?{_WHOLE}",
    "int": "-?[0-9]{1,9}",
    "short": "-?[0-9]{1,4}",
    "byte": "-?[0-9]{1,2}",
    "nonNegativeInteger": _WHOLE,
    "unsignedLong": _WHOLE,
    "unsignedInt": "[0-9]{1,9}",
    "unsignedShort": "[0-9]{1,4}",
    "unsignedByte": "[0-9]{1,2}",
    "positiveInteger": "[1-9][0-9]{0,14}",
    "NMTOKEN": f"[{_NAME}:]+",
    "NMTOKENS": f"[{_NAME}:]+( [{_NAME}:]+)*",
    "NCName": _NCNAME,
    "Name": f"[{_NAME_START}:][{_NAME}:]*",
    "ID": _NCNAME,
    "IDREF": _NCNAME,
    "IDREFS": f"{_NCNAME}( {_NCNAME})*",
    "language": "[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*",
    "anyURI": _URI,
    "base64Binary": "([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?",
    "hexBinary": "([0-9A-Fa-f]{2})*",
}
_LISTS = {"NMTOKENS", "IDREFS"}
_TEXTS = {
    "anySimpleType": PRESERVE,
    "string": PRESERVE,
    "normalizedString": REPLACE,
    "token": COLLAPSE,
}


@lru_cache(maxsize=64)
def builtin(name: str) -> Language:
    """A type of XSD itself, by its local name. `Unsupported` for dates, QName, NOTATION, entities."""
    if name in _TEXTS:
        return Language(_TEXTS[name], everything=True)
    if name == "boolean":
        return Language(COLLAPSE, finite=frozenset(("true", "false", "1", "0")))
    if name not in _PATTERNS:
        raise Unsupported(f"the type xs:{name}")
    identity: Identity = name if name in ("ID", "IDREF", "IDREFS") else ""  # type: ignore[assignment]
    return Language(COLLAPSE, dfa=pattern(_PATTERNS[name]), identity=identity, is_list=name in _LISTS)


_NO_SPACE = "[^\\s]+"


def list_of(item: Language) -> Language:
    """Items between single spaces, none at all included."""
    if item.identity or item.is_list or item.everything:
        raise Unsupported("a list of identifiers, of lists or of free text")
    if item.bounds != (None, None):
        raise Unsupported("a list of bounded numbers")
    bare = item.matching(pattern(_NO_SPACE))
    words: list[Expr] = [Seq(tuple(In(frozenset((b,))) for b in v.encode())) for v in sorted(bare.finite)]
    one = determinise(Alt(tuple(words)))
    if bare.dfa is not None:
        one = either(one, bare.dfa)
    return Language(COLLAPSE, dfa=_spaced(one), is_list=True)


def _spaced(item: Dfa) -> Dfa:
    """Items that the automaton reads, between single spaces; the empty word too. No item is empty or holds a space."""
    after = len(item.moves)
    # The state `after` stands before the first item; a space leads from the end of an item to the state 0 of the next.
    moves = [dict(row) | ({32: 0} if final else {}) for row, final in zip(item.moves, item.final, strict=True)]
    moves.append(dict(item.moves[0]))
    order = [after, *range(after)]
    place = {old: new for new, old in enumerate(order)}
    final = (*item.final, True)
    renamed = tuple({symbol: place[target] for symbol, target in moves[old].items()} for old in order)
    return Dfa(renamed, tuple(final[old] for old in order))


def union_of(members: Sequence[Language]) -> Language:
    """Values of one of the members, of those only that hold no white space: members may treat it in different ways."""
    finite: frozenset[str] = frozenset()
    dfa: Dfa | None = None
    for member in members:
        if member.identity or member.bounds != (None, None):
            raise Unsupported("a union of identifiers or of bounded numbers")
        bare = member.matching(pattern(_NO_SPACE))
        finite |= bare.finite
        if bare.dfa is not None:
            dfa = bare.dfa if dfa is None else either(dfa, bare.dfa)
    return Language(PRESERVE, finite=finite, dfa=dfa)


def restricted(base: Language, facets: Sequence[tuple[str, str]]) -> Language:
    """A restriction: the facets of one step, as (name, value) in their order. `Unsupported` for a facet not handled."""
    found = base
    patterns = [value for name, value in facets if name == "pattern"]
    values = [value for name, value in facets if name == "enumeration"]
    lengths: list[int | None] = [0, None]
    for name, value in facets:
        if name == "whiteSpace":
            wanted = ("preserve", "replace", "collapse").index(value)
            if wanted < base.whitespace:
                raise Unsupported("white space that a restriction sets free")
            if wanted != base.whitespace and not base.everything:
                raise Unsupported("white space changed on a type that is not free text")
            found = replace(found, whitespace=wanted)
        elif name in ("length", "minLength", "maxLength"):
            if not base.everything or not value.isdigit():
                raise Unsupported(f"the facet {name} on a type that is not free text")
            if name != "maxLength":
                lengths[0] = max(int(value), lengths[0] or 0)
            if name != "minLength":
                lengths[1] = int(value)
        elif name in ("minInclusive", "maxInclusive"):
            number = re.fullmatch(r"(-?[0-9]{1,6})(\.0*)?", value)
            if base.dfa is None or base.is_list or base.identity or not number:
                raise Unsupported(f"the facet {name} with this value or on this type")
            low, high = found.bounds
            bound = int(number[1])
            if name == "minInclusive":
                low = bound if low is None else max(low, bound)
            else:
                high = bound if high is None else min(high, bound)
            found = replace(found, bounds=(low, high))
        elif name not in ("pattern", "enumeration"):
            raise Unsupported(f"the facet {name}")
    if found.bounds != base.bounds:
        found = replace(found, finite=frozenset(v for v in found.finite if _between(v, found.bounds)))
    if patterns:
        one_of = pattern(patterns[0])
        for text in patterns[1:]:
            one_of = either(one_of, pattern(text))
        found = found.matching(one_of)
    if lengths[1] is not None or (lengths[0] or 0) > 1:
        found = found.matching(determinise(Rep(_ANY_CHARACTER, lengths[0] or 0, lengths[1])))
    elif lengths[0] and found.everything:
        found = replace(found, shortest=1)
    elif lengths[0]:
        found = found.matching(determinise(Rep(_ANY_CHARACTER, 1, None)))
    return found.among(values) if values else found

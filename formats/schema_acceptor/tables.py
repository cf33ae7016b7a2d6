"""A schema packed into arrays that one pass over a document can follow: names, content automata, attributes, values.

Numbers only: what they mean for the bytes of a document is in `walk`, how a type is understood is in `schema_parts`.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from transvase.formats.schema_acceptor.automaton import Dfa, determinise
from transvase.formats.schema_acceptor.schema_parts import XSD, Child, Complex, Key, Schema, TypeRef, read
from transvase.formats.schema_acceptor.simple_types import COLLAPSE, Language
from transvase.formats.schema_acceptor.unsupported import Unsupported

if TYPE_CHECKING:
    from numpy import ndarray

# Hashes are computed here and in `walk`, by the same rules.
HASH_FACTOR = 31
HASH_MASK = 0xFFFFFFFF
SPACE_FACTOR = 40503
PAIR_FACTOR = -7046029254386353131
COLUMN_BITS = 16
_64_BITS = (1 << 64) - 1

# Spaces of interned words: namespaces from 0 up, then what is no name.
NO_NAMESPACE, XSI = 0, 1
FOREIGN, STRING, URI = -2, -1, -3
XSI_URI = "http://www.w3.org/2001/XMLSchema-instance"
# XML itself binds these two; a document may not, or with no effect.
_BOUND_BY_XML = ("http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/")

# What a type lets stand between its tags. A type that is not handled is `UNDECIDED`: a document that uses it is not accepted.
UNDECIDED, NOTHING, CHILDREN, MIXED, TEXT = range(5)

# How the values of a simple type are remembered over the document.
PLAIN, IS_ID, IS_IDREF, IS_IDREFS = range(4)
_IDENTITIES = {"": PLAIN, "ID": IS_ID, "IDREF": IS_IDREF, "IDREFS": IS_IDREFS}


def word_hash(word: bytes) -> int:
    """Hash of a word, before its space is mixed in."""
    value = 0
    for byte in word:
        value = (value * HASH_FACTOR + byte) & HASH_MASK
    return value


_SHARED = (HASH_FACTOR, SPACE_FACTOR, PAIR_FACTOR, COLUMN_BITS, NO_NAMESPACE, XSI, FOREIGN, STRING, URI, UNDECIDED, NOTHING, CHILDREN, MIXED, TEXT, PLAIN,
           IS_ID, IS_IDREF, IS_IDREFS)  # fmt: skip
# The compiled pass holds these numbers as they were when it was compiled, and numba looks at the date of its own file only: this one says
# that they are the same still.
LAYOUT = word_hash(repr(_SHARED).encode())


class Tables(NamedTuple):
    """The arrays; a row number names a content state, a type, a simple type, or the types that derive from a type."""

    slots: ndarray[Any, Any]
    """Open addressing, -1 where free: number of a word by its hash."""
    words: ndarray[Any, Any]
    """A line per word: space, start and length in `letters`, type that it names in xsi:type or -1."""
    letters: ndarray[Any, Any]
    pairs: ndarray[Any, Any]
    """Open addressing, -1 where free: key, which is row << 16 | column, and value."""
    final: ndarray[Any, Any]
    """Whether an element may end in this content state."""
    types: ndarray[Any, Any]
    """A line per type: what it holds, first content state (for a text, its simple type), number of required attributes (-1 when it is
    abstract)."""
    simple: ndarray[Any, Any]
    """A line per simple type: white space, shortest text (-1 when it is not free text), has listed values, first automaton state (0 when
    none), identity, is bounded, low bound, high bound."""
    byte_class: ndarray[Any, Any]
    moves: ndarray[Any, Any]
    """Next state of the value automata at state + class of the byte, 0 for none; the last class of a state says whether it is final."""
    rows: ndarray[Any, Any]
    """First row of: types, simple types, derivations; then the first state of a document, the words type, nil, schemaLocation and
    noNamespaceSchemaLocation of xsi, the number of byte classes, LAYOUT."""


class _Words:
    """Interned words, each in its space."""

    def __init__(self) -> None:
        self.number: dict[tuple[int, bytes], int] = {}

    def add(self, space: int, word: str) -> int:
        return self.number.setdefault((space, word.encode()), len(self.number))

    def slots(self) -> Any:
        import numpy

        size = _power_of_two(4 * len(self.number))
        slots = numpy.full(size, -1, numpy.int32)
        for (space, word), number in self.number.items():
            value = word_hash(word)
            slot = (value ^ (value >> 15) ^ ((space + 4) * SPACE_FACTOR)) & (size - 1)
            while slots[slot] >= 0:
                slot = (slot + 1) & (size - 1)
            slots[slot] = number
        return slots


def _power_of_two(least: int) -> int:
    return 1 << max(4, (least - 1).bit_length())


class _Values:
    """Automata of values side by side: states are numbered from 1, 0 is the dead one."""

    def __init__(self) -> None:
        self.first: dict[Dfa, int] = {}
        self.moves: list[dict[Hashable, int]] = [{}]
        self.final: list[bool] = [False]

    def add(self, dfa: Dfa) -> int:
        if dfa not in self.first:
            shift = len(self.moves)
            self.first[dfa] = shift
            self.moves += [{symbol: target + shift for symbol, target in row.items()} for row in dfa.moves]
            self.final += dfa.final
        return self.first[dfa]

    def packed(self) -> tuple[Any, Any, int]:
        """Byte classes, moves, number of classes (the last one holding whether the state is final)."""
        import numpy

        full = numpy.zeros((len(self.moves), 256), numpy.int32)
        for state, row in enumerate(self.moves):
            if row:
                symbols: Any = list(row)
                full[state, symbols] = list(row.values())
        columns: dict[bytes, int] = {}
        classes = numpy.zeros(256, numpy.uint8)
        kept: list[Any] = []
        for byte in range(256):
            column = full[:, byte]
            number = columns.setdefault(column.tobytes(), len(columns))
            if number == len(kept):
                kept.append(column)
            classes[byte] = number
        width = len(kept) + 1
        if width > 255:
            raise Unsupported("more than 254 classes of bytes")
        moves = numpy.stack([*(column * width for column in kept), numpy.array(self.final, numpy.int32)], axis=1)
        return classes, numpy.ascontiguousarray(moves.reshape(-1), numpy.int32), width


class _Packer:
    """Numbers what documents can reach from the elements of the main namespace, types that xsi:type may name included."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.words = _Words()
        self.values = _Values()
        self.spaces = {"": NO_NAMESPACE, XSI_URI: XSI}
        self.pairs: dict[tuple[str, int, int], int] = {}
        self.final: list[bool] = []
        self.types: dict[TypeRef, int] = {}
        self.order: list[TypeRef] = []
        self.content: list[int] = []
        self.start: list[int] = []
        self.required: list[int] = []
        self.simple: list[tuple[int, ...]] = []
        self.languages: dict[Language, int] = {}
        self.named: dict[Key, int] = {}
        self.bases = schema.bases()
        self.derived: dict[Key, list[Key]] = {}
        for key, base in self.bases.items():
            self.derived.setdefault(base, []).append(key)

    def space(self, uri: str) -> int:
        return self.spaces.setdefault(uri, len(self.spaces))

    def word(self, key: Key) -> int:
        return self.words.add(self.space(key[0]), key[1])

    def type(self, ref: TypeRef) -> int:
        """Number of a type; its line comes later."""
        if ref not in self.types:
            self.types[ref] = len(self.types)
            self.order.append(ref)
            if isinstance(ref, tuple):
                for key in self.derived.get(ref, ()):
                    self.type(key)
        return self.types[ref]

    def run(self) -> Tables:
        roots = [key for key in self.schema.parts["element"] if key[0] == self.schema.main]
        children = [child for child in map(self.schema.root, roots) if child is not None]
        if not children:
            raise Unsupported("a schema without an element for the root of a document")
        first = len(self.final)
        self.final += [False, True]
        for child in children:
            self.pairs["state", first, self.word(child.name)] = self.move(first + 1, child)
        # The list grows while it is walked.
        for ref in self.order:
            self.line(ref)
        self.derivations()
        return self.packed(first)

    def move(self, state: int, child: Child) -> int:
        return state | self.type(child.type) << COLUMN_BITS

    def line(self, ref: TypeRef) -> None:
        """Add the line of a type, undecided when a part of it is not handled."""
        number = len(self.content)
        if isinstance(ref, tuple):
            self.named[ref] = self.word(ref)
        before = len(self.final)
        try:
            content, start, required, uses = self.decided(ref)
        except Unsupported:
            del self.final[before:]
            content, start, required, uses = UNDECIDED, 0, 0, {}
        self.content.append(content)
        self.start.append(start)
        self.required.append(required)
        for pair, value in uses.items():
            self.pairs["type", number, pair] = value

    def derivations(self) -> None:
        """Pairs of a type and each one that may stand for it, itself included."""
        for ref, number in self.types.items():
            above: Key | None = ref if isinstance(ref, tuple) and self.content[number] != TEXT else None
            while above is not None:
                if above in self.types:
                    self.pairs["derivation", self.types[above], number] = 1
                above = self.bases.get(above)

    def decided(self, ref: TypeRef) -> tuple[int, int, int, dict[int, int]]:
        """Content, start, required attributes, and the value of each attribute's pair."""
        if isinstance(ref, tuple) and ref[0] == XSD:
            return TEXT, self.language(self.schema.language(ref)), 0, {}
        if self.schema.type_node(ref).kind == "simpleType":
            return TEXT, self.language(self.schema.language(ref)), 0, {}
        found = self.schema.complex(ref)
        uses = {
            self.word(name): self.language(use.language) << 1 | use.required
            for name, use in found.uses.items()
            if use.language is not None
        }
        required = -1 if found.abstract else sum(use.required for use in found.uses.values())
        if found.text is not None:
            return TEXT, self.language(found.text), required, uses
        content, start = self.model(found)
        return content, start, required, uses

    def model(self, found: Complex) -> tuple[int, int]:
        dfa = determinise(found.model) if found.model is not None else Dfa(({},), (True,))
        shift = len(self.final)
        moves: dict[tuple[str, int, int], int] = {}
        types: dict[Key, TypeRef] = {}
        for state, row in enumerate(dfa.moves):
            for child, target in row.items():
                if not isinstance(child, Child):
                    raise Unsupported("a symbol that is not an element")
                if types.setdefault(child.name, child.type) != child.type:
                    raise Unsupported("one name for two types in a content model")
                moves["state", shift + state, self.word(child.name)] = self.move(shift + target, child)
        self.final += dfa.final
        self.pairs.update(moves)
        # Without a child to hold, white space is not wanted either.
        return MIXED if found.mixed else CHILDREN if dfa.moves[0] else NOTHING, shift

    def language(self, found: Language) -> int:
        if found not in self.languages:
            if found.identity and (found.whitespace != COLLAPSE or found.finite or found.everything):
                raise Unsupported("identifiers that are not those of XSD itself")
            number = self.languages[found] = len(self.simple)
            low, high = found.bounds
            self.simple.append(
                (
                    found.whitespace,
                    found.shortest if found.everything else -1,
                    int(bool(found.finite)),
                    self.values.add(found.dfa) if found.dfa is not None else 0,
                    _IDENTITIES[found.identity],
                    int(found.bounds != (None, None)),
                    -(10**6) if low is None else low,
                    10**6 if high is None else high,
                )
            )
            for value in sorted(found.finite):
                self.pairs["simple", number, self.words.add(STRING, value)] = 1
        return self.languages[found]

    def packed(self, first: int) -> Tables:
        import numpy

        xsi = [self.word((XSI_URI, name)) for name in ("type", "nil", "schemaLocation", "noNamespaceSchemaLocation")]
        for uri, space in self.spaces.items():
            if uri:
                self.pairs["uri", 0, self.words.add(URI, uri)] = space
        for uri in _BOUND_BY_XML:
            self.pairs["uri", 0, self.words.add(URI, uri)] = NO_NAMESPACE
        sizes = {
            "state": len(self.final),
            "type": len(self.types),
            "simple": len(self.simple),
            "derivation": len(self.types),
            "uri": 1,
        }
        begin, total = {}, 0
        for kind, size in sizes.items():
            begin[kind] = total
            total += size
        if max(2 * total, len(self.words.number), 2 * len(self.final)) >= 1 << COLUMN_BITS:
            raise Unsupported("a schema of more than 30 000 parts")
        classes, moves, width = self.values.packed()
        pairs = {begin[k] + row << COLUMN_BITS | column: v for (k, row, column), v in self.pairs.items()}
        words = list(self.words.number)
        lengths = [len(word) for _, word in words]
        types = [-1] * len(words)
        for key, number in self.named.items():
            types[number] = self.types[key]
        # The first column of `simple` that names an automaton is scaled as the moves are.
        simple = numpy.array(self.simple or [(0,) * 8], numpy.int64)
        simple[:, 3] *= width
        return Tables(
            slots=self.words.slots(),
            words=numpy.stack(
                [[space for space, _ in words], numpy.cumsum([0, *lengths[:-1]]), lengths, types],
                axis=1,
                dtype=numpy.int32,
            ),
            letters=numpy.frombuffer(b"".join(word for _, word in words), numpy.uint8).copy(),
            pairs=_pairs(pairs),
            final=numpy.array(self.final, numpy.uint8),
            types=numpy.array([*zip(self.content, self.start, self.required, strict=True)], numpy.int32),
            simple=simple,
            byte_class=classes,
            moves=moves,
            rows=numpy.array(
                [begin["type"], begin["simple"], begin["derivation"], begin["uri"], first, *xsi, width, LAYOUT],
                numpy.int64,
            ),
        )


def _pairs(pairs: dict[int, int]) -> Any:
    import numpy

    size = _power_of_two(3 * len(pairs) // 2)
    lines = [(-1, 0)] * size
    for pair in pairs.items():
        slot = ((pair[0] * PAIR_FACTOR & _64_BITS) >> 32) & (size - 1)
        while lines[slot][0] >= 0:
            slot = (slot + 1) & (size - 1)
        lines[slot] = pair
    return numpy.array(lines, numpy.int32)


def packed(path: Path) -> Tables:
    """The tables of a schema. `Unsupported` when its files cannot be brought together."""
    return _Packer(read(path)).run()

"""One pass over the bytes of a document, following the tables; compiled by numba when this module is imported.

The pass answers True only when it has seen that everything is right; at the first thing that is wrong or not handled it answers False.
Every read of the document stands behind a test of the position: numba does not check bounds. What the tables mean is in `tables`.
Nothing imports this module before a schema is compiled: numba takes half a second to load.
"""

# Plain comparisons and loops, one by one: what numba compiles best and fastest.
# ruff: noqa: SIM102, SIM109, SIM110

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy
from numba import types

from transvase.formats.schema_acceptor.tables import (
    CHILDREN,
    COLUMN_BITS,
    FOREIGN,
    HASH_FACTOR,
    HASH_MASK,
    IS_ID,
    LAYOUT,
    NO_NAMESPACE,
    NOTHING,
    PAIR_FACTOR,
    PLAIN,
    SPACE_FACTOR,
    STRING,
    TEXT,
    UNDECIDED,
    URI,
    Tables,
)

# Below the 256 levels at which libxml2 stops without its `huge` option.
DEPTH = 200
ATTRIBUTES = 64
BINDINGS = 64
# Longest value that is looked at after its white space or references are resolved.
VALUE = 1 << 16
IDENTIFIERS = 1 << 13
ID_SLOTS = 1 << 15
# Tags remembered, of so many words at most: a synthesis of 84 kB has some 500 different ones, most of them those of any other.
MEMORY = 1 << 12
TAG = 32
# Bytes of text after which more of it is looked at by as many at a time.
LONG = 512
# Tags of root elements remembered: a practice's documents have two or three.
ROOTS = 8
ROOT = 1 << 10


class Scratch(NamedTuple):
    """Room that a pass uses, made once. Only one pass may use it at a time."""

    levels: Any
    """By depth: content state, content, start and length of the name with its prefix, number and set of the bindings around it."""
    bindings: Any
    """Prefix start and length (0 for the default namespace), space."""
    attributes: Any
    """Start of the name, position of its colon or -1, its end, hash of the local part, start and end of the value, what it holds."""
    seen: Any
    """By word: the number of the last element that had this attribute."""
    value: Any
    value_read: Any
    """The same bytes as `value`, read only as a document is: what looks at values is compiled once for both."""
    id_slots: Any
    identifiers: Any
    """Start, end and slot of each ID."""
    references: Any
    """Start and end of each IDREF."""
    counts: Any
    """Number of identifiers, of references; position after the last tag that was right; last number of a set of bindings, which no other
    set gets, in this document or the next; number of roots remembered."""
    memory: Any
    """Tags judged, of this document or those before: set of bindings, content state before, state after, length of the name, content (-1
    when the tag is the whole element), first state."""
    tags: Any
    """Their bytes in words, zeros after the last."""
    roots: Any
    """Tags of root elements."""
    root_facts: Any
    """Their length, and number of the set of bindings that they make."""


def scratch(words: int) -> Scratch:
    """Room for one pass with tables of so many words."""
    value = numpy.zeros(VALUE, numpy.uint8)
    value_read = value.view()
    value_read.flags.writeable = False
    return Scratch(
        levels=numpy.zeros((DEPTH + 2, 6), numpy.int64),
        bindings=numpy.zeros((BINDINGS, 3), numpy.int64),
        attributes=numpy.zeros((ATTRIBUTES, 7), numpy.int64),
        seen=numpy.zeros(words, numpy.int64),
        value=value,
        value_read=value_read,
        id_slots=numpy.full(ID_SLOTS, -1, numpy.int32),
        identifiers=numpy.zeros((IDENTIFIERS, 3), numpy.int64),
        references=numpy.zeros((IDENTIFIERS, 2), numpy.int64),
        counts=numpy.zeros(5, numpy.int64),
        memory=numpy.zeros((MEMORY, 6), numpy.int64),
        tags=numpy.zeros((MEMORY, TAG), numpy.uint64),
        roots=numpy.zeros((ROOTS, ROOT), numpy.uint8),
        root_facts=numpy.zeros((ROOTS, 2), numpy.int64),
    )


# What a value holds that makes it other than its bytes.
_HAS_SPACE, _HAS_BREAK, _HAS_REFERENCE, _HAS_OTHER = 1, 2, 4, 8

# Classes of bytes in text and values.
_PLAIN, _BREAK, _LESS, _AMPERSAND, _BRACKET, _MULTIBYTE, _FORBIDDEN, _QUOTE, _APOSTROPHE, _SPACE = range(10)


def _text_classes() -> Any:
    kinds = numpy.full(256, _PLAIN, numpy.uint8)
    kinds[:32] = _FORBIDDEN
    kinds[[9, 10, 13]] = _BREAK
    kinds[128:] = _MULTIBYTE
    for char, kind in (
        ("<", _LESS),
        ("&", _AMPERSAND),
        ("]", _BRACKET),
        ('"', _QUOTE),
        ("'", _APOSTROPHE),
        (" ", _SPACE),
    ):
        kinds[ord(char)] = kind
    return kinds


def _name_classes() -> Any:
    kinds = numpy.zeros(256, numpy.uint8)
    for char in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_":
        kinds[char] = 1
    for char in b"0123456789.-":
        kinds[char] = 2
    return kinds


_KIND = _text_classes()
# 1 for what begins a name, 2 for what goes on. Other scripts are left to libxml2.
_NAME = _name_classes()

_HIGH = numpy.uint64(0x8080808080808080)
_ONES = numpy.uint64(0x0101010101010101)
_BLANKS = numpy.uint64(0x2020202020202020)
_LESSES = numpy.uint64(0x3C3C3C3C3C3C3C3C)
_AMPERSANDS = numpy.uint64(0x2626262626262626)
_BRACKETS = numpy.uint64(0x5D5D5D5D5D5D5D5D)
_GREATERS = numpy.uint64(0x3E3E3E3E3E3E3E3E)
_ZERO, _ONE, _THREE = numpy.uint64(0), numpy.uint64(1), numpy.uint64(3)
_MIX = numpy.uint64(0x9E3779B97F4A7C15)
_HALF = numpy.uint64(29)
_TOP_BYTE = numpy.uint64(56)
# Twelve bits are left of a mixed word: the slots of the memory.
_SLOT_SHIFT = numpy.uint64(52)

# Options that its types do not list: no counting of references to arrays (nothing is allocated here, and it doubled the time), and none of
# the wrappers by which Python would call each function.
_numba: Any = numba
_HERE = {"error_model": "numpy", "_nrt": False, "no_cfunc_wrapper": True}
_jit = _numba.njit(**_HERE, no_cpython_wrapper=True)
# For what is called at each name or value: a call copies seven words per array.
_jit_in_place = _numba.njit(**_HERE, no_cpython_wrapper=True, forceinline=True)


@_jit_in_place
def _byte_of(low):  # type: ignore[no-untyped-def]
    """Which byte of a word a bit is in, the bit being the highest of that byte and the only one set."""
    return numpy.int64((((low - _ONE) & _ONES) * _ONES) >> _TOP_BYTE) - 1


@_jit_in_place
def _stops(word):  # type: ignore[no-untyped-def]
    """The highest bit of each byte that text cannot go past unseen, in the first of them surely; 0 when there is none."""
    less = word ^ _LESSES
    ampersand = word ^ _AMPERSANDS
    bracket = word ^ _BRACKETS
    return (
        word
        | ((word - _BLANKS) & ~word)
        | ((less - _ONES) & ~less)
        | ((ampersand - _ONES) & ~ampersand)
        | ((bracket - _ONES) & ~bracket)
    ) & _HIGH


@_jit
def _after_plain(eights, p, n):  # type: ignore[no-untyped-def]
    """Position of the first lot of words in which something stops; the compiler makes wide instructions of the loop within."""
    while p + LONG <= n:
        stop = _ZERO
        for number in range(LONG // 8):
            stop |= _stops(eights[p + 8 * number])
        if stop != _ZERO:
            break
        p += LONG
    return p


@_jit_in_place
def _same(data, eights, one, other, size, n):  # type: ignore[no-untyped-def]
    """Whether data[one:one + size] is data[other:other + size], `other` standing before."""
    p = numpy.int64(0)
    if one + size + 8 <= n:
        while p + 8 <= size:
            if eights[one + p] != eights[other + p]:
                return False
            p += 8
        left = numpy.uint64(size - p) << _THREE
        return (eights[one + p] ^ eights[other + p]) & ((_ONE << left) - _ONE) == _ZERO
    while p < size:
        if data[one + p] != data[other + p]:
            return False
        p += 1
    return True


@_jit
def _multibyte(data, p, n):  # type: ignore[no-untyped-def]
    """Length of the UTF-8 character at `p`, whose first byte is above 127; 0 when it is not one that XML allows."""
    first = data[p]
    if 0xC2 <= first < 0xE0:
        if p + 1 < n and data[p + 1] & 0xC0 == 0x80:
            return 2
        return 0
    if 0xE0 <= first < 0xF0:
        if p + 2 >= n or data[p + 1] & 0xC0 != 0x80 or data[p + 2] & 0xC0 != 0x80:
            return 0
        code = (first & 0x0F) << 12 | (data[p + 1] & 0x3F) << 6 | (data[p + 2] & 0x3F)
        if code < 0x800 or 0xD800 <= code <= 0xDFFF or code > 0xFFFD:
            return 0
        return 3
    if 0xF0 <= first < 0xF5:
        if p + 3 >= n or data[p + 1] & 0xC0 != 0x80 or data[p + 2] & 0xC0 != 0x80 or data[p + 3] & 0xC0 != 0x80:
            return 0
        code = (first & 0x07) << 18 | (data[p + 1] & 0x3F) << 12 | (data[p + 2] & 0x3F) << 6 | (data[p + 3] & 0x3F)
        if code < 0x10000 or code > 0x10FFFF:
            return 0
        return 4
    return 0


@_jit
def _reference(data, p, n):  # type: ignore[no-untyped-def]
    """The reference at `p`, an ampersand: its code point above its length on 8 bits; 0 when it is none of those that XML gives."""
    # The longest one read is `&#x0010FFFF;`.
    end = p + 1
    while end < n and end < p + 12 and data[end] != 0x3B:
        end += 1
    if end >= n or data[end] != 0x3B:
        return 0
    size = end - p + 1
    if data[p + 1] == 0x23:
        code = 0
        if data[p + 2] == 0x78:
            if size < 5:
                return 0
            for q in range(p + 3, end):
                digit = data[q]
                if 0x30 <= digit <= 0x39:
                    code = code * 16 + digit - 0x30
                elif 0x61 <= digit <= 0x66:
                    code = code * 16 + digit - 0x57
                elif 0x41 <= digit <= 0x46:
                    code = code * 16 + digit - 0x37
                else:
                    return 0
        else:
            if size < 4:
                return 0
            for q in range(p + 2, end):
                digit = data[q]
                if not 0x30 <= digit <= 0x39:
                    return 0
                code = code * 10 + digit - 0x30
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF or code == 0xFFFE or code == 0xFFFF:
            return 0
        if code < 0x20 and code != 9 and code != 10 and code != 13:
            return 0
        return code << 8 | size
    if size == 4 and data[p + 2] == 0x74:
        if data[p + 1] == 0x6C:
            return 0x3C << 8 | 4
        if data[p + 1] == 0x67:
            return 0x3E << 8 | 4
    if size == 5 and data[p + 1] == 0x61 and data[p + 2] == 0x6D and data[p + 3] == 0x70:
        return 0x26 << 8 | 5
    if size == 6 and data[p + 1] == 0x61 and data[p + 2] == 0x70 and data[p + 3] == 0x6F and data[p + 4] == 0x73:
        return 0x27 << 8 | 6
    if size == 6 and data[p + 1] == 0x71 and data[p + 2] == 0x75 and data[p + 3] == 0x6F and data[p + 4] == 0x74:
        return 0x22 << 8 | 6
    return 0


@_jit
def _after_comment(data, p, n):  # type: ignore[no-untyped-def]
    """Position after the comment at `p`, where `<!` stands; -1 when it is not a comment, or not a good one."""
    if p + 6 >= n or data[p + 2] != 0x2D or data[p + 3] != 0x2D:
        return -1
    p += 4
    while p < n:
        byte = data[p]
        if byte == 0x2D:
            if p + 2 >= n:
                return -1
            if data[p + 1] == 0x2D:
                return p + 3 if data[p + 2] == 0x3E else -1
            p += 1
        elif byte >= 0x80:
            size = _multibyte(data, p, n)
            if size == 0:
                return -1
            p += size
        elif _KIND[byte] == _FORBIDDEN:
            return -1
        else:
            p += 1
    return -1


@_jit
def _after_instruction(data, p, n):  # type: ignore[no-untyped-def]
    """Position after the processing instruction at `p`, where `<?` stands; -1 when it is not a good one, or is a declaration."""
    start = p + 2
    p = start
    if p >= n or _NAME[data[p]] != 1:
        return -1
    while p < n and _NAME[data[p]] != 0:
        p += 1
    if (
        p - start == 3
        and data[start] | 0x20 == 0x78
        and data[start + 1] | 0x20 == 0x6D
        and data[start + 2] | 0x20 == 0x6C
    ):
        return -1
    if p + 1 >= n:
        return -1
    if not (data[p] == 0x20 or _KIND[data[p]] == _BREAK or (data[p] == 0x3F and data[p + 1] == 0x3E)):
        return -1
    while p < n:
        byte = data[p]
        if byte == 0x3F:
            if p + 1 >= n:
                return -1
            if data[p + 1] == 0x3E:
                return p + 2
            p += 1
        elif byte >= 0x80:
            size = _multibyte(data, p, n)
            if size == 0:
                return -1
            p += size
        elif _KIND[byte] == _FORBIDDEN:
            return -1
        else:
            p += 1
    return -1


@_jit
def _misc(data, p, n):  # type: ignore[no-untyped-def]
    """Position of what follows white space, comments and processing instructions; -1 when one of them is wrong."""
    while p < n:
        byte = data[p]
        if byte == 0x20 or byte == 0x0A or byte == 0x0D or byte == 0x09:
            p += 1
        elif byte == 0x3C and p + 1 < n and data[p + 1] == 0x21:
            p = _after_comment(data, p, n)
            if p < 0:
                return -1
        elif byte == 0x3C and p + 1 < n and data[p + 1] == 0x3F:
            p = _after_instruction(data, p, n)
            if p < 0:
                return -1
        else:
            return p
    return p


@_jit
def _hash(buffer, start, end):  # type: ignore[no-untyped-def]
    value = 0
    for p in range(start, end):
        value = value * HASH_FACTOR + buffer[p]
    return value & HASH_MASK


@_jit_in_place
def _word(slots, words, letters, space, value, buffer, start, end):  # type: ignore[no-untyped-def]
    """Number of the word whose hash is `value` and whose bytes are buffer[start:end]; -1 when the schema has none such."""
    mask = slots.size - 1
    slot = (value ^ (value >> 15) ^ ((space + 4) * SPACE_FACTOR)) & mask
    while True:
        number = numpy.int64(slots[slot])
        if number < 0:
            return number
        if words[number, 0] == space and words[number, 2] == end - start:
            at = numpy.int64(words[number, 1])
            p = start
            while p < end and buffer[p] == letters[at]:
                p += 1
                at += 1
            if p == end:
                return number
        slot = (slot + 1) & mask


@_jit_in_place
def _pair(pairs, row, column):  # type: ignore[no-untyped-def]
    """Value of a pair; -1 when the schema has none such."""
    key = row << COLUMN_BITS | column
    mask = pairs.shape[0] - 1
    slot = ((key * PAIR_FACTOR) >> 32) & mask
    while True:
        found = pairs[slot, 0]
        if found == key:
            return numpy.int64(pairs[slot, 1])
        if found < 0:
            return numpy.int64(-1)
        slot = (slot + 1) & mask


@_jit
def _space_of(bindings, data, bound, start, end):  # type: ignore[no-untyped-def]
    """Space of a prefix, by the last binding that has it; -4 when there is none."""
    size = end - start
    for number in range(bound - 1, -1, -1):
        if bindings[number, 1] == size:
            at = bindings[number, 0]
            p = 0
            while p < size and data[start + p] == data[at + p]:
                p += 1
            if p == size:
                return bindings[number, 2]
    return -4


@_jit
def _normalised(out, data, start, end, whitespace, attribute):  # type: ignore[no-untyped-def]
    """Put the value data[start:end], whose references were seen to be good, into the room as its type wants it; its length, or -1."""
    if end - start > VALUE:
        return -1
    size = 0
    p = start
    while p < end:
        code: Any = numpy.int64(data[p])
        literal = True
        if code == 0x26:
            found = _reference(data, p, end)
            p += found & 0xFF
            code = found >> 8
            literal = False
        else:
            if code == 13:
                if p + 1 < end and data[p + 1] == 10:
                    p += 1
                code = 10
            p += 1
        if (code == 9 or code == 10 or code == 13) and ((attribute and literal) or whitespace != 0):
            code = 0x20
        if code == 0x20 and whitespace == 2 and (size == 0 or out[size - 1] == 0x20):
            continue
        if literal or code < 0x80:
            out[size] = code
            size += 1
        elif code < 0x800:
            out[size] = 0xC0 | code >> 6
            out[size + 1] = 0x80 | (code & 0x3F)
            size += 2
        elif code < 0x10000:
            out[size] = 0xE0 | code >> 12
            out[size + 1] = 0x80 | (code >> 6 & 0x3F)
            out[size + 2] = 0x80 | (code & 0x3F)
            size += 3
        else:
            out[size] = 0xF0 | code >> 18
            out[size + 1] = 0x80 | (code >> 12 & 0x3F)
            out[size + 2] = 0x80 | (code >> 6 & 0x3F)
            out[size + 3] = 0x80 | (code & 0x3F)
            size += 4
    if whitespace == 2 and size > 0 and out[size - 1] == 0x20:
        size -= 1
    return size


@_jit
def _within(buffer, start, end, low, high):  # type: ignore[no-untyped-def]
    """Whether a decimal of at most 18 digits, 12 of them after the point, is between two whole numbers of at most 6 digits."""
    value: Any = 0
    scale = 1
    digits = 0
    fraction = False
    negative = False
    for p in range(start, end):
        byte = numpy.int64(buffer[p])
        if byte == 0x2D and p == start:
            negative = True
        elif byte == 0x2E and not fraction:
            fraction = True
        elif 0x30 <= byte <= 0x39:
            digits += 1
            value = value * 10 + byte - 0x30
            if fraction:
                scale *= 10
            if digits > 18 or scale > 1000000000000:
                return False
        else:
            return False
    if digits == 0:
        return False
    if negative:
        value = -value
    return low * scale <= value <= high * scale


@_jit_in_place
def _holds(slots, words, letters, pairs, simple, byte_class, moves, last, row, number, buffer, start, end):  # type: ignore[no-untyped-def]
    """Whether the normalised value buffer[start:end] is one of the simple type; `row` is the row of the first simple type."""
    if simple[number, 1] >= 0 and end - start >= simple[number, 1]:
        return True
    state = simple[number, 3]
    if state > 0:
        p = start
        while p < end and state > 0:
            state = numpy.int64(moves[state + byte_class[buffer[p]]])
            p += 1
        if state > 0 and moves[state + last] != 0:
            if simple[number, 5] == 0 or _within(buffer, start, end, simple[number, 6], simple[number, 7]):
                return True
    if simple[number, 2] != 0:
        word = _word(slots, words, letters, STRING, _hash(buffer, start, end), buffer, start, end)
        return word >= 0 and _pair(pairs, row + number, word) >= 0
    return False


@_jit
def _find_identifier(id_slots, identifiers, data, start, end):  # type: ignore[no-untyped-def]
    """Slot where an identifier stands, or the free one where it would."""
    value = _hash(data, start, end)
    slot = (value ^ (value >> 15)) & (ID_SLOTS - 1)
    size = end - start
    while id_slots[slot] >= 0:
        other = id_slots[slot]
        at = identifiers[other, 0]
        if identifiers[other, 1] - at == size:
            p = 0
            while p < size and data[start + p] == data[at + p]:
                p += 1
            if p == size:
                return slot
        slot = (slot + 1) & (ID_SLOTS - 1)
    return slot


@_jit
def _remembered(id_slots, identifiers, references, counts, data, start, end, identity):  # type: ignore[no-untyped-def]
    """Keep an identifier, which must be new, or references to look up at the end; False when it is not new or there is no room."""
    if identity == IS_ID:
        slot = _find_identifier(id_slots, identifiers, data, start, end)
        number = counts[0]
        if id_slots[slot] >= 0 or number >= IDENTIFIERS:
            return False
        identifiers[number, 0] = start
        identifiers[number, 1] = end
        identifiers[number, 2] = slot
        id_slots[slot] = number
        counts[0] = number + 1
        return True
    first = start
    for p in range(start, end + 1):
        if p == end or data[p] == 0x20:
            number = counts[1]
            if number >= IDENTIFIERS:
                return False
            references[number, 0] = first
            references[number, 1] = p
            counts[1] = number + 1
            first = p + 1
    return True


@_jit
def _holds_unplain(tables, value, value_read, number, data, start, end, attribute):  # type: ignore[no-untyped-def]
    """Whether the value data[start:end] is one of the simple type once it is normalised; its length then, else -1."""
    size = _normalised(value, data, start, end, tables.simple[number, 0], attribute)
    if size >= 0 and not _holds(
        tables.slots,
        tables.words,
        tables.letters,
        tables.pairs,
        tables.simple,
        tables.byte_class,
        tables.moves,
        tables.rows[9] - 1,
        tables.rows[1],
        number,
        value_read,
        numpy.int64(0),
        size,
    ):
        return -1
    return size


@_jit
def _resolved(id_slots, identifiers, references, counts, data):  # type: ignore[no-untyped-def]
    """Whether every reference names an identifier of the document."""
    for number in range(counts[1]):
        if id_slots[_find_identifier(id_slots, identifiers, data, references[number, 0], references[number, 1])] < 0:
            return False
    return True


@_jit
def _sane_uri(data, start, end):  # type: ignore[no-untyped-def]
    """Whether a namespace of no interest has a plain form: a scheme, then letters, digits and a few signs, and no port."""
    colon = False
    slash = False
    for p in range(start, end):
        byte = data[p]
        if byte == 0x2F:
            slash = True
        elif byte == 0x3A and not slash and p > start:
            colon = True
        elif _NAME[byte] == 0:
            return False
        if slash and not colon:
            return False
    return colon and _NAME[data[start]] == 1 and data[start] != 0x5F


@_jit
def _is_xmlns(data, start, end):  # type: ignore[no-untyped-def]
    return (
        end - start == 5
        and data[start] == 0x78
        and data[start + 1] == 0x6D
        and data[start + 2] == 0x6C
        and data[start + 3] == 0x6E
        and data[start + 4] == 0x73
    )


@_jit
def _bind(tables, bindings, data, start, colon, end, value_start, value_end, holds, first, bound):  # type: ignore[no-untyped-def]
    """Add the binding that an xmlns attribute makes, `first` being the first of its element; the number of bindings, or -1."""
    if holds != 0 or value_start == value_end or bound >= BINDINGS:
        return -1
    prefix = colon + 1 if colon >= 0 else end
    size = end - prefix
    if size > 0 and _NAME[data[prefix]] != 1:
        return -1
    # No prefix that begins as `xml` does: two are bound by XML itself, the others reserved.
    if (
        size >= 3
        and data[prefix] | 0x20 == 0x78
        and data[prefix + 1] | 0x20 == 0x6D
        and data[prefix + 2] | 0x20 == 0x6C
    ):
        return -1
    for number in range(first, bound):
        if bindings[number, 1] == size:
            at = bindings[number, 0]
            p = 0
            while p < size and data[prefix + p] == data[at + p]:
                p += 1
            if p == size:
                return -1
    value = _hash(data, value_start, value_end)
    uri = _word(tables.slots, tables.words, tables.letters, URI, value, data, value_start, value_end)
    if uri >= 0:
        space = _pair(tables.pairs, tables.rows[3], uri)
        if space == NO_NAMESPACE:
            return -1
    elif _sane_uri(data, value_start, value_end):
        space = numpy.int64(FOREIGN)
    else:
        return -1
    bindings[bound, 0] = prefix
    bindings[bound, 1] = size
    bindings[bound, 2] = space
    return bound + 1


@_jit
def _rooted(roots, facts, counts, data, start, end):  # type: ignore[no-untyped-def]
    """Number of the set of bindings that the tag data[start:end] of a root element makes: the same for the same bytes."""
    size = end - start
    for number in range(ROOTS):
        if facts[number, 0] == size:
            p = 0
            while p < size and roots[number, p] == data[start + p]:
                p += 1
            if p == size:
                return facts[number, 1]
    counts[3] += 1
    if size <= ROOT:
        # The oldest goes.
        number = counts[4] % ROOTS
        counts[4] += 1
        for p in range(size):
            roots[number, p] = data[start + p]
        facts[number, 0] = size
        facts[number, 1] = counts[3]
    return counts[3]


@_jit
def _named_type(slots, words, letters, bindings, data, start, end, bound):  # type: ignore[no-untyped-def]
    """Type that a value of xsi:type names; -1 when it names none, or is not written plainly."""
    colon = -1
    for p in range(start, end):
        if data[p] == 0x3A:
            if colon >= 0:
                return -1
            colon = p
    first = start if colon < 0 else colon + 1
    space = _space_of(bindings, data, bound, start, start if colon < 0 else colon)
    if colon == start or space < 0:
        return -1
    word = _word(slots, words, letters, space, _hash(data, first, end), data, first, end)
    return numpy.int64(-1) if word < 0 else numpy.int64(words[word, 3])


def _pass(data, eights, p, tables, room):  # type: ignore[no-untyped-def]
    """Whether the document, its declaration read up to `p`, is surely well-formed and valid."""
    n = data.size
    p = _misc(data, p, n)
    if p < 0 or p + 1 >= n or tables.rows[10] != LAYOUT:
        return False
    slots, words, letters, pairs = tables.slots, tables.words, tables.letters, tables.pairs
    final, kinds, simple = tables.final, tables.types, tables.simple
    byte_class, moves, rows = tables.byte_class, tables.moves, tables.rows
    types_row, simples_row, derivations_row = rows[0], rows[1], rows[2]
    xsi_type, xsi_nil, xsi_location, xsi_bare_location = rows[5], rows[6], rows[7], rows[8]
    last_class = rows[9] - 1
    levels, bindings, attributes, seen = room.levels, room.bindings, room.attributes, room.seen
    value_room, value_read, counts = room.value, room.value_read, room.counts
    memory, tags = room.memory, room.tags
    id_slots, identifiers, references = room.id_slots, room.identifiers, room.references
    # What the pass before left.
    for number in range(counts[0]):
        id_slots[identifiers[number, 2]] = -1
    counts[:3] = 0
    seen[:] = 0
    # A tag means the same wherever the same names are bound: numbers stand for sets of bindings, 0 for none.
    epoch = numpy.int64(0)
    depth = 0
    bound = numpy.int64(0)
    elements = 0
    state = rows[4]
    content = numpy.int64(CHILDREN)
    while True:
        counts[2] = p
        # -- up to the next tag
        text_start = p
        if content == CHILDREN:
            while p < n and (data[p] == 0x20 or data[p] == 0x0A or data[p] == 0x0D or data[p] == 0x09):
                p += 1
        elif content != NOTHING:
            while True:
                far = p + LONG
                while p + 8 <= n:
                    stop = _stops(eights[p])
                    if stop != _ZERO:
                        p += _byte_of(stop & (~stop + _ONE))
                        break
                    p += 8
                    if p == far:
                        # The base64 of a body, most likely: many words at a time, until one of them stops.
                        p = _after_plain(eights, p, n)
                if p >= n:
                    return False
                kind = _KIND[data[p]]
                if kind == _LESS:
                    break
                if kind == _AMPERSAND:
                    found = _reference(data, p, n)
                    if found == 0:
                        return False
                    p += found & 0xFF
                elif kind == _BRACKET:
                    if p + 2 < n and data[p + 1] == 0x5D and data[p + 2] == 0x3E:
                        return False
                    p += 1
                elif kind == _MULTIBYTE:
                    size = _multibyte(data, p, n)
                    if size == 0:
                        return False
                    p += size
                elif kind == _FORBIDDEN:
                    return False
                else:
                    p += 1
        if p + 1 >= n or data[p] != 0x3C:
            return False
        following = data[p + 1]

        # -- end of an element
        if following == 0x2F:
            if content == TEXT:
                # No identifier in a text: nothing says which spaces it holds.
                if (
                    simple[state, 4] != PLAIN
                    or _holds_unplain(tables, value_room, value_read, state, data, text_start, p, numpy.bool_(False))
                    < 0
                ):
                    return False
            elif final[state] == 0:
                return False
            at = levels[depth, 2]
            size = levels[depth, 3]
            p += 2
            if p + size >= n or not _same(data, eights, p, at, size, n):
                return False
            p += size
            while p < n and (data[p] == 0x20 or data[p] == 0x0A or data[p] == 0x0D or data[p] == 0x09):
                p += 1
            if p >= n or data[p] != 0x3E:
                return False
            p += 1
            bound = levels[depth, 4]
            epoch = levels[depth, 5]
            depth -= 1
            if depth == 0:
                break
            state = levels[depth, 0]
            content = levels[depth, 1]
            continue

        # -- comments and instructions
        if following == 0x21 or following == 0x3F:
            if content == TEXT:
                return False
            p = _after_comment(data, p, n) if following == 0x21 else _after_instruction(data, p, n)
            if p < 0:
                return False
            continue

        # -- start of an element: its name, then its attributes, which may say what the name means
        if content == TEXT or content == NOTHING or depth >= DEPTH:
            return False
        name = p + 1
        # A tag of these very bytes, seen in this place of the model, has been judged: its end and its meaning are known.
        mark = numpy.int64(-1)
        mixed = numpy.uint64(state)
        ending = _ZERO
        q = p
        while q + 8 <= n and q < p + 8 * TAG:
            word = eights[q]
            greater = word ^ _GREATERS
            stop = (greater - _ONES) & ~greater & _HIGH
            if stop != _ZERO:
                stop = stop & (~stop + _ONE)
                ending = word & ((stop << _ONE) - _ONE)
                mixed = (mixed ^ ending) * _MIX
                mark = numpy.int64((mixed ^ (mixed >> _HALF)) >> _SLOT_SHIFT)
                break
            mixed = (mixed ^ word) * _MIX
            mixed ^= mixed >> _HALF
            q += 8
        if mark >= 0:
            whole = (q - p) >> 3
            q += _byte_of(stop) + 1
            if memory[mark, 0] == epoch and memory[mark, 1] == state and tags[mark, whole] == ending:
                # Its `>` ends a tag: no other begins with it.
                number = 0
                while number < whole and tags[mark, number] == eights[p + 8 * number]:
                    number += 1
                if number == whole:
                    p = q
                    inside = memory[mark, 4]
                    begin = memory[mark, 5]
                    state = memory[mark, 2]
                    if inside < 0:
                        continue
                    levels[depth, 0] = state
                    levels[depth, 1] = content
                    depth += 1
                    levels[depth, 2] = name
                    levels[depth, 3] = memory[mark, 3]
                    levels[depth, 4] = bound
                    levels[depth, 5] = epoch
                    state = begin
                    content = inside
                    continue
        before = state
        tag = p
        kept = numpy.int64(counts[0] + counts[1])
        p = name
        colon = -1
        value = 0
        while p < n:
            byte = data[p]
            if _NAME[byte] != 0:
                value = value * HASH_FACTOR + byte
            elif byte == 0x3A and colon < 0:
                colon = p
                value = 0
            else:
                break
            p += 1
        name_end = p
        value &= HASH_MASK
        count = 0
        first_binding = bound
        own = False
        declares = False
        while True:
            if p >= n:
                return False
            spaced = False
            while p < n and (data[p] == 0x20 or data[p] == 0x0A or data[p] == 0x0D or data[p] == 0x09):
                p += 1
                spaced = True
            if p + 1 >= n:
                return False
            byte = data[p]
            if byte == 0x3E:
                p += 1
                break
            if byte == 0x2F:
                if data[p + 1] != 0x3E:
                    return False
                own = True
                p += 2
                break
            if not spaced or count >= ATTRIBUTES or _NAME[byte] != 1:
                return False
            start = p
            attribute_colon = -1
            attribute_hash = 0
            while p < n:
                byte = data[p]
                if _NAME[byte] != 0:
                    attribute_hash = attribute_hash * HASH_FACTOR + byte
                elif byte == 0x3A and attribute_colon < 0:
                    attribute_colon = p
                    attribute_hash = 0
                else:
                    break
                p += 1
            end = p
            while p < n and (data[p] == 0x20 or data[p] == 0x0A or data[p] == 0x0D or data[p] == 0x09):
                p += 1
            if p >= n or data[p] != 0x3D:
                return False
            p += 1
            while p < n and (data[p] == 0x20 or data[p] == 0x0A or data[p] == 0x0D or data[p] == 0x09):
                p += 1
            if p >= n or (data[p] != 0x22 and data[p] != 0x27):
                return False
            quote = data[p]
            p += 1
            value_start = p
            holds = numpy.int64(0)
            while True:
                if p >= n:
                    return False
                byte = data[p]
                kind = _KIND[byte]
                if kind == _PLAIN or kind == _BRACKET:
                    p += 1
                elif byte == quote:
                    break
                elif kind == _SPACE:
                    holds |= _HAS_SPACE
                    p += 1
                elif kind == _QUOTE or kind == _APOSTROPHE:
                    p += 1
                elif kind == _MULTIBYTE:
                    size = _multibyte(data, p, n)
                    if size == 0:
                        return False
                    holds |= _HAS_OTHER
                    p += size
                elif kind == _BREAK:
                    holds |= _HAS_BREAK
                    p += 1
                elif kind == _AMPERSAND:
                    found = _reference(data, p, n)
                    if found == 0:
                        return False
                    holds |= _HAS_REFERENCE
                    p += found & 0xFF
                else:
                    return False
            value_end = p
            p += 1
            if _is_xmlns(data, start, attribute_colon if attribute_colon >= 0 else end):
                if attribute_colon == end - 1:
                    return False
                bound = _bind(
                    tables,
                    bindings,
                    data,
                    start,
                    attribute_colon,
                    end,
                    value_start,
                    value_end,
                    holds,
                    first_binding,
                    bound,
                )
                if bound < 0:
                    return False
                declares = True
                continue
            attributes[count, 0] = start
            attributes[count, 1] = attribute_colon
            attributes[count, 2] = end
            attributes[count, 3] = attribute_hash & HASH_MASK
            attributes[count, 4] = value_start
            attributes[count, 5] = value_end
            attributes[count, 6] = holds
            count += 1

        # -- what the name is here
        space = _space_of(bindings, data, bound, name, name if colon < 0 else colon)
        if space < 0 or colon == name:
            return False
        local = name if colon < 0 else colon + 1
        word_number = _word(slots, words, letters, space, value, data, local, name_end)
        if word_number < 0:
            return False
        move = _pair(pairs, state, word_number)
        if move < 0:
            return False
        state = move & ((1 << COLUMN_BITS) - 1)
        kind_of = move >> COLUMN_BITS

        # -- attributes: who they are, xsi:type first since the others depend on it
        elements += 1
        for number in range(count):
            start = attributes[number, 0]
            attribute_colon = attributes[number, 1]
            attribute_space = numpy.int64(NO_NAMESPACE)
            if attribute_colon >= 0:
                attribute_space = _space_of(bindings, data, bound, start, attribute_colon)
                # A default namespace is not one of attributes, and a foreign one is left to libxml2.
                if attribute_space < 0 or attribute_colon == start:
                    return False
                start = attribute_colon + 1
            found = _word(
                slots, words, letters, attribute_space, attributes[number, 3], data, start, attributes[number, 2]
            )
            if found < 0 or seen[found] == elements:
                return False
            seen[found] = elements
            attributes[number, 0] = found
            if found == xsi_type:
                if attributes[number, 6] != 0:
                    return False
                named = _named_type(
                    slots, words, letters, bindings, data, attributes[number, 4], attributes[number, 5], bound
                )
                if named < 0 or _pair(pairs, derivations_row + kind_of, named) < 0:
                    return False
                kind_of = named
        required = numpy.int64(kinds[kind_of, 2])
        for number in range(count):
            found = attributes[number, 0]
            if found == xsi_type or found == xsi_location or found == xsi_bare_location:
                continue
            if found == xsi_nil:
                return False
            use = _pair(pairs, types_row + kind_of, found)
            if use < 0:
                return False
            language = use >> 1
            start, end, holds = attributes[number, 4], attributes[number, 5], attributes[number, 6]
            if holds & (_HAS_BREAK | _HAS_REFERENCE) == 0 and (holds & _HAS_SPACE == 0 or simple[language, 0] != 2):
                if not _holds(
                    slots,
                    words,
                    letters,
                    pairs,
                    simple,
                    byte_class,
                    moves,
                    last_class,
                    simples_row,
                    language,
                    data,
                    start,
                    end,
                ):
                    return False
                as_written = True
            else:
                size = _holds_unplain(tables, value_room, value_read, language, data, start, end, numpy.bool_(True))
                if size < 0:
                    return False
                # References parted by single spaces are their own bytes.
                as_written = holds == _HAS_SPACE and size == end - start
            identity = simple[language, 4]
            if identity != PLAIN:
                # An identifier that had to be normalised is left to libxml2.
                if not as_written or not _remembered(
                    id_slots, identifiers, references, counts, data, start, end, identity
                ):
                    return False
            required -= use & 1
        if required != 0:
            return False

        # -- in, or past it
        inside = numpy.int64(kinds[kind_of, 0])
        begin = numpy.int64(kinds[kind_of, 1])
        if inside == UNDECIDED:
            return False
        if own:
            if inside == TEXT:
                if (
                    simple[begin, 4] != PLAIN
                    or _holds_unplain(tables, value_room, value_read, begin, data, p, p, numpy.bool_(False)) < 0
                ):
                    return False
            elif final[begin] == 0:
                return False
            inside = numpy.int64(-1)
            bound = first_binding
        around = epoch
        if declares:
            if depth == 0:
                epoch = _rooted(room.roots, room.root_facts, counts, data, tag, p)
            elif not own:
                counts[3] += 1
                epoch = counts[3]
        elif mark >= 0 and q == p and counts[0] + counts[1] == kept:
            # Not a tag with an identifier, which must be looked at each time.
            memory[mark, 0] = epoch
            memory[mark, 1] = before
            memory[mark, 2] = state
            memory[mark, 3] = name_end - name
            memory[mark, 4] = inside
            memory[mark, 5] = begin
            whole = (p - 1 - tag) >> 3
            for number in range(whole):
                tags[mark, number] = eights[tag + 8 * number]
            tags[mark, whole] = ending
        if own:
            if depth == 0:
                break
            continue
        levels[depth, 0] = state
        levels[depth, 1] = content
        depth += 1
        levels[depth, 2] = name
        levels[depth, 3] = name_end - name
        levels[depth, 4] = first_binding
        levels[depth, 5] = around
        state = begin
        content = inside
    return _misc(data, p, n) == n and _resolved(id_slots, identifiers, references, counts, data)


_COLUMNS = {
    "slots": (types.int32, 1),
    "words": (types.int32, 2),
    "letters": (types.uint8, 1),
    "pairs": (types.int32, 2),
    "final": (types.uint8, 1),
    "types": (types.int32, 2),
    "simple": (types.int64, 2),
    "byte_class": (types.uint8, 1),
    "moves": (types.int32, 1),
    "rows": (types.int64, 1),
}


def _compiled() -> Any:
    """The pass for these very types of arguments, so that nothing is compiled later.

    numba keeps the machine code in the folder that NUMBA_CACHE_DIR names, else beside this file, else in the user's cache folder; when none
    can be written, the code is made again by each process."""
    document = _numba.types.Array(_numba.types.uint8, 1, "C", readonly=True)
    eights = _numba.types.Array(_numba.types.uint64, 1, "A", readonly=True, aligned=False)
    columns = {name: _numba.types.Array(kind, rank, "C") for name, (kind, rank) in _COLUMNS.items()}
    room_types = [_numba.typeof(column) for column in scratch(1)]
    signature = _numba.types.boolean(
        document,
        eights,
        _numba.types.int64,
        _numba.types.NamedTuple([columns[name] for name in Tables._fields], Tables),
        _numba.types.NamedTuple(room_types, Scratch),
    )
    try:
        return _numba.njit(signature, **_HERE, cache=True)(_pass)
    except RuntimeError:
        return _numba.njit(signature, **_HERE)(_pass)


walk = _compiled()

"""Raw DEFLATE (RFC 1951) of XML that is little more than the base64 of a body which no longer shrinks, such as a level-1 CDA.

In such base64 a search for repetitions finds nothing, and its letters are equally frequent: one Huffman code, the same for all, gives back
the quarter that base64 adds, straight from the body and in half the time of ISA-L, which makes the rest. numba compiles the pass when this
module is imported, which takes half a second: for exports of many patients only.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numba
import numpy
from isal import isal_zlib
from numba import types

from transvase.formats.zip_stream import LEVEL

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
# What stands around base64 is few bytes: long codes cost nothing there. These are all that XML writes in ASCII.
_OTHERS = bytes(sorted({9, 10, 13, *range(32, 127)} - set(_BASE64)))
_END_OF_BLOCK = 256
# Below, the head of the block and the look at a sample cost more than they save.
_AT_LEAST = 16_384
# A sample is so many pieces of so many bytes, from all over the body but its ends, where a file speaks of itself in words.
_PIECES, _PIECE = 4, 512
# Times the sum of the squared counts of bytes that are alike: 1.0 to 1.2 in compressed pictures and streams, 7 and more in text.
_UNLIKE = 1.5
# RFC 1951, 3.2.7: the order of the lengths of the codes of lengths.
_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)


def _lengths(weights: dict[int, int]) -> dict[int, int]:
    """Lengths of a Huffman code, by symbol."""
    heap: list[tuple[int, int, tuple[int, ...]]] = [
        (weight, symbol, (symbol,)) for symbol, weight in sorted(weights.items())
    ]
    heapq.heapify(heap)
    found = dict.fromkeys(weights, 0)
    while len(heap) > 1:
        first, second = heapq.heappop(heap), heapq.heappop(heap)
        together = first[2] + second[2]
        for symbol in together:
            found[symbol] += 1
        heapq.heappush(heap, (first[0] + second[0], first[1], together))
    return found


def _codes(lengths: dict[int, int]) -> dict[int, int]:
    """Canonical codes (3.2.2), their first bit lowest, as they stand in the stream."""
    code, last, found = 0, 0, {}
    for length, symbol in sorted((length, symbol) for symbol, length in lengths.items()):
        code <<= length - last
        found[symbol] = int(f"{code:0{length}b}"[::-1], 2)
        code, last = code + 1, length
    return found


def _bits(parts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Values and how many bits each has, one after the other, the first lowest; how many bits that makes."""
    value = count = 0
    for part, size in parts:
        value |= part << count
        count += size
    return value, count


_LENGTHS = _lengths({**dict.fromkeys(_BASE64, 1 << 20), **dict.fromkeys(_OTHERS, 1 << 10), _END_OF_BLOCK: 1})
_CODES = _codes(_LENGTHS)


def _head() -> tuple[int, int]:
    """What begins the block (3.2.7): the last one, of dynamic codes: 257 of literals, two of distances that nothing uses (a complete
    code, which every reader takes), all nineteen lengths of lengths."""
    row = [*(_LENGTHS.get(symbol, 0) for symbol in range(257)), 1, 1]
    lengths = _lengths({length: row.count(length) for length in set(row)})
    codes = _codes(lengths)
    return _bits(
        [
            (1, 1),
            (2, 2),
            (0, 5),
            (1, 5),
            (15, 4),
            *((lengths.get(length, 0), 3) for length in _ORDER),
            *((codes[length], lengths[length]) for length in row),
        ]
    )


def _pairs() -> Any:
    """By twelve bits of a body: the codes of their two letters one after the other, and from bit 14 on how many bits beyond twelve."""
    table = numpy.zeros(1 << 12, numpy.uint16)
    for high, first in enumerate(_BASE64):
        for low, second in enumerate(_BASE64):
            before = _LENGTHS[first]
            more = before + _LENGTHS[second] - 12
            table[high << 6 | low] = _CODES[first] | _CODES[second] << before | more << 14
    return table


_3, _7, _8, _12, _14, _16, _24, _28, _36, _40, _48, _52, _56 = map(
    numpy.uint64, (3, 7, 8, 12, 14, 16, 24, 28, 36, 40, 48, 52, 56)
)
_PAIR, _CODE, _LONGER = numpy.uint64(0xFFF), numpy.uint64(0x3FFF), numpy.uint64(1 << 14)
_BYTE0, _BYTE1, _BYTE2, _BYTE3 = (numpy.uint64(0xFF << 8 * n) for n in range(4))


def _pass(table: Any, eights: Any, count: int, out: Any, held: int, bits: int) -> Any:
    """Write the codes of `count` times six bytes after the `bits` bits (at most seven) that are `held`; how many bits stand in `out` then.
    `eights` and `out` give and take the eight bytes at any position; `out` has room for seven bytes for each six, and fifteen."""
    at = numpy.int64(0)
    gathered = numpy.uint64(held)
    filled = numpy.uint64(bits)
    for number in range(count):
        word = eights[6 * number]
        # The first byte highest, as base64 takes them; the compiler makes one instruction of it.
        word = (
            (word & _BYTE0) << _56
            | (word & _BYTE1) << _40
            | (word & _BYTE2) << _24
            | (word & _BYTE3) << _8
            | (word >> _8) & _BYTE3
            | (word >> _24) & _BYTE2
            | (word >> _40) & _BYTE1
            | word >> _56
        )
        first = numpy.uint64(table[word >> _52])
        second = numpy.uint64(table[(word >> _40) & _PAIR])
        third = numpy.uint64(table[(word >> _28) & _PAIR])
        fourth = numpy.uint64(table[(word >> _16) & _PAIR])
        if first | second | third | fourth < _LONGER:
            # Seven times out of eight, every letter has six bits, and nothing has to be counted.
            gathered |= (first | second << _12 | third << _24 | fourth << _36) << filled
            out[at] = gathered
            at += 6
            gathered >>= _48
            continue
        size = (first >> _14) + _12
        two = (first & _CODE) | (second & _CODE) << size
        size += (second >> _14) + _12
        after = (third >> _14) + _12
        more = (third & _CODE) | (fourth & _CODE) << after
        after += (fourth >> _14) + _12
        # At most 56 bits, after at most seven.
        gathered |= (two | more << size) << filled
        filled += size + after
        out[at] = gathered
        whole = filled >> _3
        at += numpy.int64(whole)
        gathered >>= whole << _3
        filled &= _7
    out[at] = gathered
    return at * 8 + numpy.int64(filled)


def _alike(body: Any, counts: Any) -> Any:
    """How many bytes a sample of the body has, and the sum of the squares of how many are alike; `counts` is room for 256 numbers."""
    counts[:] = 0
    size = numpy.int64(0)
    step = body.size // _PIECES
    for start in range(step // 2, body.size, step):
        end = min(start + _PIECE, body.size)
        size += end - start
        for at in range(start, end):
            counts[body[at]] += 1
    squares = numpy.int64(0)
    for count in counts:
        squares += count * count
    return size, squares


def _compiled(function: Any, signature: Any) -> Any:
    """A function for these very types of arguments; where numba keeps the machine code is told in `schema_acceptor.walk`."""
    options: dict[str, Any] = {"boundscheck": False, "error_model": "numpy"}
    try:
        return numba.njit(signature, **options, cache=True)(function)
    except RuntimeError:
        return numba.njit(signature, **options)(function)


# Its calls have no types of their own.
_types: Any = types
_write = _compiled(
    _pass,
    types.int64(
        types.Array(types.uint16, 1, "C"),
        types.Array(types.uint64, 1, "A", readonly=True, aligned=False),
        types.int64,
        types.Array(types.uint64, 1, "A", aligned=False),
        types.int64,
        types.int64,
    ),
)
_sampled = _compiled(
    _alike,
    _types.UniTuple(types.int64, 2)(types.Array(types.uint8, 1, "C", readonly=True), types.Array(types.int64, 1, "C")),
)
_COUNTS: Any = numpy.zeros(256, numpy.int64)
_TABLE = _pairs()
_HEAD, _HEAD_BITS = _head()
_WHOLE = (_HEAD & ((1 << _HEAD_BITS // 8 * 8) - 1)).to_bytes(_HEAD_BITS // 8, "little")


def packed(data: bytes, held: bytes, after: int) -> bytes | None:
    """Raw DEFLATE of `data`, which is some text, the base64 of `held`, and the last `after` bytes. None where `zip_stream.deflate` is
    to do it: for a body that is short or shrinks, or something beyond ASCII after it. The caller answers for the base64."""
    size = len(held)
    if size < _AT_LEAST or _shrinks(held):
        return None
    end = len(data) - after
    start = end - (size + 2) // 3 * 4
    told = _told(data[end:])
    if told is None:
        return None
    # Eight bytes are read each time, of which six are taken.
    count = (size - 2) // 6
    rest, rest_bits = _bits([(_CODES[letter], _LENGTHS[letter]) for letter in data[start + 8 * count : end]])
    room: Any = numpy.empty(7 * count + 15, numpy.uint8)
    written = _write(
        _TABLE,
        numpy.ndarray((size - 7,), numpy.uint64, held, 0, (1,)),
        count,
        numpy.ndarray((7 * count + 8,), numpy.uint64, room, 0, (1,)),
        _HEAD >> _HEAD_BITS // 8 * 8,
        _HEAD_BITS % 8,
    )
    whole, over = divmod(written, 8)
    tail, tail_bits = _bits([(int(room[whole]) & ((1 << over) - 1), over), (rest, rest_bits), told])
    compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -15)
    before = compressor.compress(data[:start]) + compressor.flush(isal_zlib.Z_SYNC_FLUSH)
    return b"".join((before, _WHOLE, memoryview(room)[:whole], tail.to_bytes((tail_bits + 7) // 8, "little")))


@lru_cache(maxsize=64)
def _told(text: bytes) -> tuple[int, int] | None:
    """A text and the end of the block; None when one of its bytes has no code."""
    if any(byte not in _CODES for byte in text):
        return None
    return _bits([(_CODES[symbol], _LENGTHS[symbol]) for symbol in (*text, _END_OF_BLOCK)])


def _shrinks(body: bytes) -> bool:
    """Whether some bytes are far more frequent than others in a sample: in what is compressed or encrypted all are alike."""
    size, squares = _sampled(numpy.frombuffer(body, numpy.uint8), _COUNTS)
    # What chance gives.
    alike = size + size * (size - 1) / 256
    return bool(squares > _UNLIKE * alike)

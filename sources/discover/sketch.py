"""The distinct values of a column, remembered as the smallest of their 64-bit hashes: how many there are, and how many of them another
column knows, in bounded memory and without keeping a value. What a column means is not here."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, NamedTuple

_WHOLE = 1 << 64


def digest(value: Any) -> int:
    """64-bit hash of a value by its text: the number 12, the text `12` and 12.0 are one value, spaces around a text do not count."""
    if isinstance(value, bytes):
        raw = value
    elif isinstance(value, float) and value.is_integer():
        raw = b"%d" % int(value)
    else:
        raw = str(value).strip().encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "big")


# What stands for "none" in a column that refers to another.
NOBODY = frozenset(map(digest, ("", "0", "-1")))


class Inclusion(NamedTuple):
    """Of `of` distinct values that could be compared, `found` are in the other column; `covered` is the share of the other column's
    values that they are."""

    found: int
    of: int
    covered: float

    @property
    def share(self) -> float:
        """From 0 to 1; 0 when nothing could be compared."""
        return self.found / self.of if self.of else 0.0


class Sketch:
    """The `size` smallest hashes of what was added, each once (bottom-k). Below `size` distinct values it is exact."""

    __slots__ = ("_frozen", "_kept", "_limit", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._limit = _WHOLE
        self._kept: set[int] = set()
        self._frozen: array[int] | None = None

    def add(self, hashed: int) -> None:
        """Take in a hash of `digest`."""
        if hashed < self._limit:
            self._kept.add(hashed)
            # Cut from time to time: sorting twice the size costs less than a heap on each value.
            if len(self._kept) >= 2 * self.size:
                self._cut()

    def update(self, hashes: Iterable[int]) -> None:
        """Take in several."""
        for hashed in hashes:
            self.add(hashed)

    def freeze(self) -> Sketch:
        """Give back the memory of the set; nothing more is added."""
        self._sorted()
        return self

    @property
    def exact(self) -> bool:
        """Whether every distinct value is here."""
        self._sorted()
        return self._limit == _WHOLE

    @property
    def distinct(self) -> int:
        """Distinct values: counted when exact, else estimated (1/√size, 3 % for 1,024)."""
        kept = self._sorted()
        return len(kept) if self.exact else round((len(kept) - 1) * _WHOLE / kept[-1])

    def inclusion(self, other: Sketch) -> Inclusion:
        """How much of this column is in `other`, on the hashes that both would have kept. What stands for "none" does not count."""
        mine, theirs = self._sorted(), other._sorted()
        limit = min(self._limit, other._limit)
        asked = [h for h in mine if h < limit and h not in NOBODY]
        found = sum(1 for h in asked if _holds(theirs, h))
        known = bisect_left(theirs, limit) if limit < _WHOLE else len(theirs)
        return Inclusion(found, len(asked), found / known if known else 0.0)

    def _sorted(self) -> array[int]:
        if self._frozen is None:
            if len(self._kept) > self.size:
                self._cut()
            self._frozen = array("Q", sorted(self._kept))
            self._kept = set()
        return self._frozen

    def _cut(self) -> None:
        smallest = sorted(self._kept)[: self.size]
        self._kept = set(smallest)
        # Every hash below the limit that was added is kept: what is cut here and what comes later are at or above it.
        self._limit = smallest[-1] + 1


def _holds(values: array[int], asked: int) -> bool:
    place = bisect_left(values, asked)
    return place < len(values) and values[place] == asked

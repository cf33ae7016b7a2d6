"""Batches of rows bounded by what they weigh: the rows of a table of scans are megabytes each, those of a list of codes are bytes.
Which query is read belongs to the engines."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterator
from typing import Any

Row = tuple[Any, ...]
# Bytes held together. With a row of some hundred bytes the rows bound the batch, and nothing is slower.
BYTES = 8 << 20
# Rows asked for at once, the most by which a batch may go beyond its weight.
PIECE = 16


def by_weight(fetch: Callable[[int], list[Row]], size: int) -> Iterator[list[Row]]:
    """What `fetch(n)` gives, until it gives nothing: lists of at most `size` rows, ended as soon as they weigh BYTES."""
    more = True
    while more:
        held: list[Row] = []
        weight = 0
        while more and len(held) < size and weight < BYTES:
            rows = fetch(min(PIECE, size - len(held)))
            more = bool(rows)
            held += rows
            # Weighed by the interpreter's own writer: to look at every value here costs more than to read it.
            weight += len(marshal.dumps(rows, 2))
        if held:
            yield held

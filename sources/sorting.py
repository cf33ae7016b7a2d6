"""Rows given in any order come back sorted, whatever their number, within a memory that does not follow it: an external sample sort.

Rows go to disk as they come. What is too large to be sorted at once is split there into parts by keys drawn from it, each part
sorted, or split again, in turn. Which rows and which keys belong to the callers.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from transvase.formats.files import private_folder

# Sorted at once: at most so many rows and, since a row may hold a long text, so many bytes.
ROWS, BYTES = 16_384, 4 << 20
# Files open at a time while a part is split; ten million rows are split twice.
_MOST_PARTS = 48
# Keys drawn for each part: parts are then within a half of each other, seldom so large that they are split again.
_DRAWN = 32


class Sorter:
    """A context: `add` batches of `schema`, then `sorted` gives all rows once, by the columns `keys` ascending: text by its UTF-8 bytes,
    nulls last, equal keys in the order in which they were added. `folder`, private, is the sorter's own and goes with it.

    Raises OSError when the disk is full."""

    def __init__(
        self, schema: pa.Schema, keys: Sequence[str], folder: Path, *, rows: int = ROWS, size: int = BYTES
    ) -> None:
        self._schema = schema
        self._by = [(key, "ascending") for key in keys]
        self._fields = sorted(schema.get_field_index(key) for key in keys)
        self._rows, self._size = rows, size
        self._folder = private_folder(folder)
        self._made = 0
        self._all = self._part()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # After an error the end of a file may not fit on the disk either.
        with suppress(OSError):
            self._all.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, batch: pa.RecordBatch) -> None:
        """Rows, of the declared schema."""
        self._all.add(batch)

    def sorted(self) -> Iterator[pa.RecordBatch]:
        """Every row that was added, in order, in batches of at most ROWS rows and about BYTES bytes; what was read leaves the disk."""
        return self._sorted(self._all)

    def _part(self, settled: bool = False) -> _Part:
        self._made += 1
        return _Part(self._folder / str(self._made), self._schema, settled)

    def _sorted(self, part: _Part) -> Iterator[pa.RecordBatch]:
        part.close()
        if part.settled:
            yield from self._batches(part)
        elif part.rows < 2 or (part.rows <= self._rows and part.size <= self._size):
            if part.rows:
                yield self._at_once(part)
        else:
            for smaller in self._split(part):
                yield from self._sorted(smaller)
        part.remove()

    def _at_once(self, part: _Part) -> pa.RecordBatch:
        batch = pa.concat_batches(list(part.read()))
        return batch.take(pc.sort_indices(batch, sort_keys=self._by))

    def _batches(self, part: _Part) -> Iterator[pa.RecordBatch]:
        """The rows as they stand, in batches that are worth their handling: parts are written in small pieces."""
        held: list[pa.RecordBatch] = []
        rows = size = 0
        for batch in part.read():
            if held and (rows + batch.num_rows > self._rows or size + batch.nbytes > self._size):
                yield pa.concat_batches(held)
                held, rows, size = [], 0, 0
            held.append(batch)
            rows += batch.num_rows
            size += batch.nbytes
        if held:
            yield pa.concat_batches(held)

    def _split(self, part: _Part) -> list[_Part]:
        """The same rows as smaller parts, in order. Never all of them in one, unless their keys are equal."""
        # At least three, so that two keys are drawn: two that differ separate rows, two that do not are a frequent key.
        wanted = max(part.rows * 2 // self._rows, part.size * 2 // self._size)
        starts, frequent = self._bounds(part, min(max(wanted, 3), _MOST_PARTS))
        # Marks are sorted among the rows: first a bound before all rows equal to it, and once more, after them, if it is frequent.
        marks = starts.num_rows
        again = starts.take(pa.array(frequent, pa.int64()))
        parts = [self._part()]
        for place in range(marks):
            parts.append(self._part(settled=place in frequent))
            if place in frequent:
                parts.append(self._part())
        try:
            for batch in self._batches(part):
                rows = batch.num_rows
                joined = pa.concat_batches([starts, batch.select(self._fields), again])
                order = pc.sort_indices(joined, sort_keys=self._by).to_numpy().astype("int64") - marks
                is_row = (order >= 0) & (order < rows)
                cuts = (~is_row).nonzero()[0]
                ordered = batch.take(pa.array(order[is_row]))
                start = 0
                for number, smaller in enumerate(parts):
                    # Each mark before a cut took a place of its own.
                    stop = int(cuts[number]) - number if number < len(cuts) else rows
                    if stop > start:
                        smaller.add(ordered.slice(start, stop - start))
                    start = stop
        finally:
            for smaller in parts:
                smaller.close()
        part.remove()
        return [smaller for smaller in parts if smaller.rows]

    def _bounds(self, part: _Part, wanted: int) -> tuple[pa.RecordBatch, list[int]]:
        """At most `wanted` - 1 different keys in order, evenly spread over the rows, and the places of those that stand for more than
        a share of them."""
        # The same places in every run: the draw only has to be foreign to the order of the rows.
        places = sorted(random.Random(part.rows).sample(range(part.rows), min(part.rows, wanted * _DRAWN)))  # noqa: S311
        drawn: list[pa.RecordBatch] = []
        seen = at = 0
        for batch in part.read(self._fields):
            first = at
            while at < len(places) and places[at] < seen + batch.num_rows:
                at += 1
            if at > first:
                drawn.append(batch.take(pa.array([p - seen for p in places[first:at]], pa.int64())))
            seen += batch.num_rows
        keys = pa.concat_batches(drawn)
        keys = keys.take(pc.sort_indices(keys, sort_keys=self._by))
        chosen = [keys.num_rows * i // wanted for i in range(1, wanted)]
        columns = [column.to_pylist() for column in keys.take(pa.array(chosen, pa.int64())).columns]
        groups = [
            [n for n, _ in same] for _, same in groupby(enumerate(zip(*columns, strict=True)), lambda one: one[1])
        ]
        return (
            keys.take(pa.array([chosen[group[0]] for group in groups], pa.int64())),
            [place for place, group in enumerate(groups) if len(group) > 1],
        )


class _Part:
    """Rows on disk in the order of writing; `settled` when that order is the final one, since their keys are equal."""

    def __init__(self, path: Path, schema: pa.Schema, settled: bool) -> None:
        self._path = path
        self._schema = schema
        self.settled = settled
        self.rows = self.size = 0
        self._file: Any = None
        self._writer: Any = None

    def add(self, batch: pa.RecordBatch) -> None:
        if self._writer is None:
            self._file = pa.OSFile(str(self._path), "wb")
            options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
            self._writer = pa.ipc.new_stream(self._file, self._schema, options=options)
        self._writer.write_batch(batch)
        self.rows += batch.num_rows
        self.size += batch.nbytes

    def close(self) -> None:
        if self._writer is not None:
            with self._file, self._writer:
                self._writer = None

    def read(self, fields: Sequence[int] = ()) -> Iterator[pa.RecordBatch]:
        if self.rows:
            options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=list(fields))
            # Not mapped: the pages of a mapped file count as memory of the process.
            with pa.OSFile(str(self._path), "rb") as file, pa.ipc.open_stream(file, options=options) as stream:
                yield from stream

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)

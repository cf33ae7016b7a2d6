"""Batches end by weight as by number, and lose no row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transvase.sources.engines.batches import BYTES, PIECE, by_weight


def fetching(rows):
    left = list(rows)

    def fetch(number):
        taken, left[:] = left[:number], left[number:]
        return taken

    return fetch


@given(st.lists(st.tuples(st.integers(), st.text(max_size=5)), max_size=200), st.integers(1, 64))
def test_every_row_comes_once_and_in_order(rows, size):
    batches = list(by_weight(fetching(rows), size))
    assert [row for batch in batches for row in batch] == rows
    assert all(0 < len(batch) <= size for batch in batches)


def test_narrow_rows_are_bounded_by_their_number():
    assert [len(b) for b in by_weight(fetching([("x",)] * 5000), 2048)] == [2048, 2048, 904]


def test_wide_rows_are_bounded_by_their_weight_even_after_narrow_ones():
    wide = b"\0" * (BYTES // 20)
    batches = list(by_weight(fetching([("x",)] * 2048 + [(wide,)] * 200), 2048))
    weights = [sum(len(v) for row in batch for v in row) for batch in batches]
    assert sum(map(len, batches)) == 2248
    assert max(weights) < BYTES + PIECE * len(wide)

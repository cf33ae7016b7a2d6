"""Bottom-k sketches: exact while small, bounded afterwards, and an inclusion close to the truth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transvase.sources.discover.sketch import Sketch, digest


def made(values, size=1024) -> Sketch:
    sketch = Sketch(size)
    sketch.update(map(digest, values))
    return sketch.freeze()


@pytest.mark.parametrize(("a", "b"), [(12, "12"), (12, 12.0), ("12", " 12 "), ("é", "é\n")])
def test_one_value_whatever_its_class(a, b):
    assert digest(a) == digest(b)


@pytest.mark.parametrize(("a", "b"), [("12", "012"), (12, 12.5), ("a", "A"), (b"\x0c", 12)])
def test_other_values(a, b):
    assert digest(a) != digest(b)


@given(st.sets(st.integers(), max_size=60), st.sets(st.integers(), max_size=60))
def test_a_small_column_is_exact(mine, theirs):
    mine, theirs = mine - {0, -1}, theirs - {0, -1}
    a, b = made(mine), made(theirs)
    assert a.exact and a.distinct == len(mine)
    found = a.inclusion(b)
    assert (found.found, found.of) == (len(mine & theirs), len(mine))
    assert found.covered == (len(mine & theirs) / len(theirs) if theirs else 0.0)


@given(st.lists(st.integers(0, 5000), max_size=400), st.integers(1, 50))
def test_what_is_kept_are_the_smallest_hashes_whatever_the_order(values, size):
    kept = made(values, size)._sorted()
    assert list(kept) == sorted({digest(v) for v in values})[: len(kept)]
    assert len(kept) <= size or len({*values}) < 2 * size
    assert list(kept) == list(made(values[::-1], size)._sorted())


@pytest.mark.parametrize("share", [1.0, 0.9, 0.5, 0.0])
def test_the_inclusion_of_long_columns(share):
    # 200,000 keys of which 8,192 are remembered, asked by 20,000 values of which 1,024 are.
    keys = made(range(1, 200_001), 8192)
    asked = made([n if n % 100 < share * 100 else -n - 10 for n in range(1, 20_001)])
    found = asked.inclusion(keys)
    assert not keys.exact and found.of >= 30
    assert abs(found.share - share) < 0.2
    assert share not in (0.0, 1.0) or found.share == share


def test_the_number_of_distinct_values_is_within_a_tenth():
    assert abs(made(range(100_000)).distinct - 100_000) < 10_000


@pytest.mark.parametrize("nobody", [0, "0", "", -1])
def test_what_stands_for_nobody_is_not_asked(nobody):
    found = made([nobody, 5]).inclusion(made([5]))
    assert (found.found, found.of) == (1, 1)

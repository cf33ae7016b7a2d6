"""Works done abreast: results in their order whatever the number of stages, and no stage begun before all have done the one before."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transvase.exporters import abreast as module
from transvase.exporters.abreast import abreast, done, portions

MANY = st.lists(st.integers(0, 6), max_size=12)


def work(number: int, stages: int, seen: list[tuple[int, int]]) -> Any:
    for stage in range(stages):
        seen.append((stage, number))
        yield
    seen.append((stages, number))
    return f"result {number}"


@given(MANY)
def test_results_come_in_order_and_stages_one_after_the_other(stages):
    seen: list[tuple[int, int]] = []
    results = done(abreast([work(number, count, seen) for number, count in enumerate(stages)]))
    assert results == [f"result {number}" for number in range(len(stages))]
    assert seen == sorted(seen), "all works pass a stage, in their order, before the next"
    assert len(seen) == sum(stages) + len(stages)


@given(st.lists(MANY, max_size=5))
def test_works_of_works_are_abreast_too(groups):
    seen: list[tuple[int, int]] = []
    works, number = [], 0
    for stages in groups:
        works.append(abreast([work(number + i, count, seen) for i, count in enumerate(stages)]))
        number += len(stages)
    results = done(abreast(works))
    assert [name for group in results for name in group] == [f"result {i}" for i in range(number)]
    assert seen == sorted(seen)


def test_what_a_work_raises_is_raised():
    def failing() -> Any:
        yield
        raise ValueError("stage 1")

    with pytest.raises(ValueError, match="stage 1"):
        done(abreast([work(0, 3, []), failing()]))


@given(st.lists(st.integers(0, 5_000_000), max_size=40), st.integers(1, 9))
def test_portions_lose_nothing_and_keep_their_limits(sizes, count):
    cut = list(portions(sizes, int, count))
    assert [size for some in cut for size in some] == sizes
    for some in cut:
        assert 0 < len(some) <= count
        assert len(some) == 1 or sum(some) <= module.BYTES_AT_MOST
    for some, after in pairwise(cut):
        assert len(some) == count or sum(some) + after[0] > module.BYTES_AT_MOST, "cut only where a limit asks"

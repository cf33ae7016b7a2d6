"""Doing the same work for several records, one stage of it for all of them before the next stage.

A work is a generator that yields between its stages and returns its result. What a stage leaves in the caches of the processor (code,
tables) serves the next record instead of being pushed out by the other stages of the same one: about a quarter of the time of an export
(`bench/run.py reference`). Results do not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from functools import wraps
from typing import Any, ParamSpec, TypeVar

# Bytes of the bodies that some works hold together, at most: more would not stay in the caches between two stages.
BYTES_AT_MOST = 8_000_000

P = ParamSpec("P")
T = TypeVar("T")
Work = Generator[None, None, T]


def abreast(works: Iterable[Work[T]]) -> Work[list[T]]:
    """The results of works, in their order; itself a work, whose stages are theirs."""
    waiting = list(enumerate(works))
    results: list[Any] = [None] * len(waiting)
    while waiting:
        going = []
        for place, work in waiting:
            try:
                next(work)
            except StopIteration as end:
                results[place] = end.value
            else:
                going.append((place, work))
        waiting = going
        if waiting:
            yield
    return results


def portions(things: Iterable[T], size: Callable[[T], int], count: int) -> Iterator[list[T]]:
    """Things in order, by so many at most whose sizes come to no more than BYTES_AT_MOST; a larger one comes alone."""
    some: list[T] = []
    held = 0
    for thing in things:
        more = size(thing)
        if some and (len(some) == count or held + more > BYTES_AT_MOST):
            yield some
            some, held = [], 0
        some.append(thing)
        held += more
    if some:
        yield some


def done(work: Work[T]) -> T:
    """The result of a work alone."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result


def alone(begun: Callable[P, Work[T]]) -> Callable[P, T]:
    """What begins a work, made to do it to its end."""

    @wraps(begun)
    def whole(*args: P.args, **kwargs: P.kwargs) -> T:
        return done(begun(*args, **kwargs))

    return whole

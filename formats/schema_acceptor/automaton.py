"""Regular languages over any symbols: an expression, and the deterministic automaton that reads it.

Content models (symbols are elements) and patterns of simple types (symbols are bytes) both become one of these. What the symbols mean
belongs to the callers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from transvase.formats.schema_acceptor.unsupported import Unsupported

# Copies that a counted repetition may make: datatypes count to some tens, a model that counts to thousands is left to libxml2.
MOST_COPIES = 400


@dataclass(frozen=True)
class In:
    """One symbol of this set; the empty set matches nothing."""

    symbols: frozenset[Hashable]


@dataclass(frozen=True)
class Seq:
    """All the parts, in order; no part is the empty word."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True)
class Alt:
    """One of the parts; no part matches nothing."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True)
class Rep:
    """The part, from `least` to `most` times; `most` is None for no limit."""

    part: Expr
    least: int
    most: int | None


Expr = In | Seq | Alt | Rep
EMPTY = Seq(())
NEVER = In(frozenset())


@dataclass(frozen=True, eq=False)
class Dfa:
    """State 0 begins. `moves[state]` gives the next state by symbol, `final[state]` whether the word may end there."""

    moves: tuple[dict[Hashable, int], ...]
    final: tuple[bool, ...]

    def reads(self, word: Iterable[Hashable]) -> bool:
        """Whether the word is in the language."""
        state = 0
        for symbol in word:
            following = self.moves[state].get(symbol)
            if following is None:
                return False
            state = following
        return self.final[state]


class _Nfa:
    """Thompson's construction: each expression is wired between two states."""

    def __init__(self) -> None:
        self.silent: list[list[int]] = []
        self.edges: list[list[tuple[frozenset[Hashable], int]]] = []

    def state(self) -> int:
        self.silent.append([])
        self.edges.append([])
        return len(self.edges) - 1

    def wire(self, expr: Expr, start: int) -> int:
        """Add the expression after `start`; the state where it ends."""
        if isinstance(expr, In):
            end = self.state()
            self.edges[start].append((expr.symbols, end))
            return end
        if isinstance(expr, Seq):
            for part in expr.parts:
                start = self.wire(part, start)
            return start
        if isinstance(expr, Alt):
            end = self.state()
            for part in expr.parts:
                begin = self.state()
                self.silent[start].append(begin)
                self.silent[self.wire(part, begin)].append(end)
            return end
        return self._repeat(expr, start)

    def _repeat(self, expr: Rep, start: int) -> int:
        if max(expr.least, expr.most or 0) > MOST_COPIES:
            raise Unsupported(f"a repetition counted to more than {MOST_COPIES}")
        for _ in range(expr.least):
            start = self.wire(expr.part, start)
        end = self.state()
        self.silent[start].append(end)
        if expr.most is None:
            loop = self.state()
            self.silent[start].append(loop)
            back = self.wire(expr.part, loop)
            self.silent[back] += [loop, end]
            return end
        for _ in range(expr.most - expr.least):
            begin = self.state()
            self.silent[start].append(begin)
            start = self.wire(expr.part, begin)
            self.silent[start].append(end)
        return end

    def closure(self, states: Iterable[int]) -> frozenset[int]:
        seen = set(states)
        todo = list(seen)
        while todo:
            for following in self.silent[todo.pop()]:
                if following not in seen:
                    seen.add(following)
                    todo.append(following)
        return frozenset(seen)


def determinise(expr: Expr) -> Dfa:
    """The automaton of an expression. `Unsupported` when it counts too far."""
    nfa = _Nfa()
    start = nfa.state()
    end = nfa.wire(expr, start)
    first = nfa.closure([start])
    index = {first: 0}
    todo = [first]
    moves: list[dict[Hashable, int]] = []
    for group in todo:
        targets: dict[Hashable, set[int]] = {}
        for state in group:
            for symbols, target in nfa.edges[state]:
                for symbol in symbols:
                    targets.setdefault(symbol, set()).add(target)
        row: dict[Hashable, int] = {}
        closed: dict[frozenset[int], int] = {}
        for symbol, reached in targets.items():
            key = frozenset(reached)
            number = closed.get(key)
            if number is None:
                full = nfa.closure(key)
                number = index.get(full)
                if number is None:
                    number = index[full] = len(index)
                    todo.append(full)
                closed[key] = number
            row[symbol] = number
        moves.append(row)
    return Dfa(tuple(moves), tuple(end in group for group in todo))


def both(one: Dfa, other: Dfa) -> Dfa:
    """The automaton of the words that both read."""
    index = {(0, 0): 0}
    todo = [(0, 0)]
    moves: list[dict[Hashable, int]] = []
    for a, b in todo:
        row: dict[Hashable, int] = {}
        for symbol, target in one.moves[a].items():
            matching = other.moves[b].get(symbol)
            if matching is None:
                continue
            pair = (target, matching)
            if pair not in index:
                index[pair] = len(index)
                todo.append(pair)
            row[symbol] = index[pair]
        moves.append(row)
    return Dfa(tuple(moves), tuple(one.final[a] and other.final[b] for a, b in todo))


def either(one: Dfa, other: Dfa) -> Dfa:
    """The automaton of the words that one of the two reads."""
    index: dict[tuple[int | None, int | None], int] = {(0, 0): 0}
    todo: list[tuple[int | None, int | None]] = [(0, 0)]
    moves: list[dict[Hashable, int]] = []
    for a, b in todo:
        left = {} if a is None else one.moves[a]
        right = {} if b is None else other.moves[b]
        row: dict[Hashable, int] = {}
        for symbol in left.keys() | right.keys():
            pair = (left.get(symbol), right.get(symbol))
            if pair not in index:
                index[pair] = len(index)
                todo.append(pair)
            row[symbol] = index[pair]
        moves.append(row)
    final = tuple((a is not None and one.final[a]) or (b is not None and other.final[b]) for a, b in todo)
    return Dfa(tuple(moves), final)

"""A static check that Python's engine matches a regular expression in linear time.

The pattern becomes a position automaton (Glushkov): one state for each character set, and edges
to the states that may follow. Backtracking takes more than linear time if two different states p
and q can both read some text v in a loop, and p can also reach q by reading v: the text v, v, v, …
can then be divided between the two loops in as many ways as it has copies.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import permutations, product
from typing import Any, NamedTuple

op: Any = re._constants
parser: Any = re._parser
compiler: Any = re._compiler  # type: ignore[attr-defined]

ALPHABET = [chr(code) for code in range(256)] + list("\u0661\u0905\u4e2d\u2003\u200b\ufeff\u2019")
MAX_COPIES = 3
"""A bounded repeat of more copies is examined as if it had this many."""

Triple = tuple[int, int, int]


class Fragment(NamedTuple):
    """The states that can begin and end a part of the pattern."""

    first: frozenset[int]
    last: frozenset[int]
    is_nullable: bool


EMPTY = Fragment(frozenset(), frozenset(), is_nullable=True)


class Automaton:
    def __init__(self, pattern: str | bytes, flags: int, *, is_searched: bool) -> None:
        self.readable: list[frozenset[str]] = []
        self.follow: list[set[int]] = []
        self.repeated_edges: set[tuple[int, int]] = set()
        self.has_empty_choice = False
        self.has_conditions = False
        tree = parser.parse(pattern, flags)
        self._flags: int = tree.state.flags
        start = self._loop(self._add_state(ALPHABET)) if is_searched else EMPTY
        self.whole = self._join(start, self._build_sequence(tree))
        self.is_searched = is_searched

    def _add_state(self, characters: Iterable[str]) -> Fragment:
        self.readable.append(frozenset(characters))
        self.follow.append(set())
        state = frozenset({len(self.follow) - 1})
        return Fragment(state, state, is_nullable=False)

    def _join(self, left: Fragment, right: Fragment) -> Fragment:
        for state in left.last:
            self.repeated_edges |= {(state, end) for end in self.follow[state] & right.first}
            self.follow[state] |= right.first
        return Fragment(
            left.first | right.first if left.is_nullable else left.first,
            left.last | right.last if right.is_nullable else right.last,
            left.is_nullable and right.is_nullable,
        )

    def _loop(self, part: Fragment) -> Fragment:
        self._join(part, part)
        return part._replace(is_nullable=True)

    def _build_sequence(self, tree: Iterable[Any]) -> Fragment:
        whole = EMPTY
        for kind, value in tree:
            whole = self._join(whole, self._build_node(kind, value))
        return whole

    def _build_node(self, kind: Any, value: Any) -> Fragment:
        if kind in (op.AT, op.ASSERT, op.ASSERT_NOT):
            self.has_conditions = True
            return EMPTY
        if kind is op.SUBPATTERN:
            return self._build_sequence(value[3])
        if kind is op.BRANCH:
            branches = [self._build_sequence(branch) for branch in value[1]]
            self.has_empty_choice |= sum(branch.is_nullable for branch in branches) > 1
            return Fragment(
                frozenset().union(*(branch.first for branch in branches)),
                frozenset().union(*(branch.last for branch in branches)),
                any(branch.is_nullable for branch in branches),
            )
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            return self._build_repeat(*value)
        assert kind in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN), f"not examined: {kind}"
        return self._add_state(self._list_characters(kind, value))

    def _build_repeat(self, least: int, most: int, tree: Any) -> Fragment:
        needed = min(least, MAX_COPIES)
        whole = EMPTY
        for number in range(min(most, max(needed, 1) if most is op.MAXREPEAT else MAX_COPIES)):
            copy = self._build_sequence(tree)
            if most is op.MAXREPEAT and number == max(needed, 1) - 1:
                looped = self._loop(copy)
                copy = looped if needed == 0 else copy
            elif number >= needed:
                copy = copy._replace(is_nullable=True)
            whole = self._join(whole, copy)
        return whole

    def _list_characters(self, kind: Any, value: Any) -> list[str]:
        """List the characters of the alphabet that a node of one character matches."""
        state = parser.State()
        state.flags = self._flags
        single = compiler.compile(parser.SubPattern(state, [(kind, value)]), self._flags)
        return [character for character in ALPHABET if single.fullmatch(character)]

    def has_ambiguity(self) -> bool:
        """Whether some text can be divided in ever more ways the longer it is."""
        if self.has_empty_choice or any(
            (start, start, start) in self._list_reachable((end, end, end)) or start == end
            for start, end in self.repeated_edges
        ):
            return True
        return self._find_ambiguous_loops() is not None

    def _find_ambiguous_loops(self) -> tuple[int, int] | None:
        looping = [state for state in range(len(self.follow)) if self._can_repeat(state)]
        for p, q in permutations(looping, 2):
            # a search stops at the first match, so a loop that ends the pattern cannot fail
            if self._is_start(p) and q in self.whole.last and not self.has_conditions:
                continue
            if (p, q, q) in self._list_reachable((p, p, q)):
                return p, q
        return None

    def _is_start(self, state: int) -> bool:
        """Whether the state stands for the text before a match."""
        return self.is_searched and state == 0

    def _can_repeat(self, state: int) -> bool:
        return (state, state, state) in self._list_reachable((state, state, state))

    def _list_reachable(self, start: Triple) -> set[Triple]:
        """List the triples of states that one text leads to from ``start``."""
        found: set[Triple] = set()
        waiting = [start]
        while waiting:
            for triple in self._list_next(waiting.pop()):
                if triple not in found:
                    found.add(triple)
                    waiting.append(triple)
        return found

    def _list_next(self, triple: Triple) -> Iterator[Triple]:
        for a, b, c in product(*(self.follow[state] for state in triple)):
            if self.readable[a] & self.readable[b] & self.readable[c]:
                yield a, b, c


def is_linear(pattern: str | bytes, flags: int = 0, *, is_searched: bool = False) -> bool:
    """Whether matching takes linear time: from one place, or ``is_searched`` from every place."""
    return not Automaton(pattern, flags, is_searched=is_searched).has_ambiguity()

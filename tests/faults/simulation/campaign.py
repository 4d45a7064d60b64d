"""Rounds of faults with a seed, and what must hold after each of them."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import text

from shared.db.consistency import find_problems
from tests.faults.simulation.kinds import HARMLESS_KINDS, KINDS, list_places
from tests.faults.simulation.world import RUNS, World
from tests.moves import find_illegal_moves, list_audited_moves

MAX_FAULTS = 2
"""Faults of a round; the second may strike while the first is mended."""


@dataclass(frozen=True)
class Strike:
    """A fault and its moment."""

    kind: str
    moment: int


@dataclass(frozen=True)
class Round:
    """What happened in a round."""

    strikes: tuple[Strike, ...]
    faults: tuple[str, ...]
    """What should not be, in words; empty for a round that went well."""
    stale_refused: int


@dataclass
class Outcome:
    """The rounds of a campaign."""

    rounds: list[Round] = field(default_factory=list)

    @property
    def failed(self) -> list[Round]:
        return [one for one in self.rounds if one.faults]

    def count_by_kind(self) -> Counter[str]:
        return Counter(strike.kind for one in self.rounds for strike in one.strikes)


class Campaign:
    """Rounds in one world, each with a job of its own that is compared with an undisturbed one."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._random = random.Random(seed)
        world.points.disarm()
        start = world.points.count
        first = self._finish_job(world.create_job())
        self._moments = world.points.count - start
        """Moments of an undisturbed round."""
        assert not isinstance(first, str), first
        self._expected: dict[str, Any] = first

    def iterate_rounds(
        self, count: int, kinds: Sequence[str] = tuple(KINDS), within: int | None = None
    ) -> Iterator[Round]:
        """Play the rounds; the first of them have each kind once.

        The faults strike within so many moments; by default at any moment of a round.
        """
        for number in range(count):
            kind = kinds[number % len(kinds)]
            others = self._random.choices(kinds, k=self._random.randrange(MAX_FAULTS))
            strikes = tuple(
                Strike(one, self._random.randrange(1, within or self._moments))
                for one in (kind, *others)
            )
            yield self._play_round(strikes)

    def play(self, count: int, kinds: Sequence[str] = tuple(KINDS)) -> Outcome:
        return Outcome(list(self.iterate_rounds(count, kinds)))

    def _play_round(self, strikes: tuple[Strike, ...]) -> Round:
        world = self._world
        self._forget_moves()
        refused, accepted, sent = world.fences.refused, world.fences.accepted, world.queue.sent
        job_id = world.create_job()
        faults = [] if world.queue.sent - sent == RUNS else ["the queue was not told of the job"]
        for strike in strikes:
            fault = partial(KINDS[strike.kind], world)
            world.points.arm(strike.moment, fault, list_places(strike.kind))
        try:
            result = self._finish_job(job_id)
        except Exception as error:  # noqa: BLE001 (what a mutation breaks may raise anything)
            result = f"{type(error).__name__}: {error}"
        finally:
            world.points.disarm()
            world.restore_storage()
        faults += [result] if isinstance(result, str) else self._compare(result)
        attempts = world.list_attempts(job_id)
        if {strike.kind for strike in strikes} <= HARMLESS_KINDS and set(attempts) != {1}:
            faults.append(f"the runs needed {attempts} attempts")
        if world.fences.accepted > accepted:
            faults.append(f"{world.fences.accepted - accepted} stale writes were accepted")
        faults += self._check_rows()
        return Round(strikes, tuple(faults), world.fences.refused - refused)

    def _finish_job(self, job_id: str) -> dict[str, Any] | str:
        """Work until the job has ended; return its numbers, or in words that it has not."""
        if not self._world.work_until_ended(job_id):
            return f"lost: the job is {self._world.read_status(job_id)} for ever"
        self._world.points.disarm()
        self._world.restore_storage()  # a fault of the last moments may still last
        return self._world.read_numbers(job_id)

    def _compare(self, numbers: dict[str, Any]) -> list[str]:
        names = self._expected.keys() | numbers.keys()
        return [
            f"{name} differs: {numbers.get(name)!r:.200}"
            for name in sorted(names)
            if numbers.get(name) != self._expected.get(name)
        ]

    def _check_rows(self) -> list[str]:
        world = self._world
        moves = find_illegal_moves(list_audited_moves(world.plain_database.engine))
        # what processes left that were killed before they could delete it
        world.sweep_garbage(timedelta(days=2))
        problems = find_problems(world.plain_database, world.plain_storage)
        return [*(f"illegal move {move}" for move in moves), *(one.message for one in problems)]

    def _forget_moves(self) -> None:
        with self._world.plain_database.engine.begin() as connection:
            connection.execute(text("DELETE FROM moves_audit"))

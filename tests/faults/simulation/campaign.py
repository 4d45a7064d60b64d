"""Rounds of faults with a seed, and what must hold after each of them."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import text

from shared.db.consistency import find_problems
from tests.faults.simulation.jobs import COMPANION, JOB_KINDS, JobKind
from tests.faults.simulation.kinds import HARMLESS_KINDS, KINDS, list_places
from tests.faults.simulation.world import World
from tests.moves import find_illegal_moves, list_audited_moves

MAX_FAULTS = 2
"""Faults of a round; the second may strike while the first is mended."""


class Check(StrEnum):
    """What is checked after each round."""

    LOST = "lost"
    """A job never ends."""
    DIFFERS = "differs"
    """Numbers, decisions or files differ from those of an undisturbed job."""
    DOUBLED = "doubled"
    """A point, an ending, a model or the end of a run is there twice."""
    STALE = "stale write"
    """A worker wrote that no longer had the run or the job."""
    ATTEMPTS = "attempts"
    """A run was trained again after a fault that asks for nothing."""
    OUTBOX = "outbox"
    """The queue was not told of a job."""
    MOVES = "illegal move"
    STORAGE = "storage"
    """Blobs without rows, or rows without blobs."""
    ERROR = "error"
    """An error that the work of a process does not end with."""


class Violation(NamedTuple):
    check: Check
    message: str


@dataclass(frozen=True)
class Strike:
    """A fault and its moment."""

    kind: str
    moment: int


@dataclass(frozen=True)
class Round:
    """What happened in a round."""

    job: str
    """Kind of the round's job."""
    strikes: tuple[Strike, ...]
    violations: tuple[Violation, ...]
    """Empty for a round that went well."""
    stale_refused: int


@dataclass
class Outcome:
    """The rounds of a campaign."""

    rounds: list[Round] = field(default_factory=list)

    @property
    def failed(self) -> list[Round]:
        return [one for one in self.rounds if one.violations]

    def count_by_kind(self) -> Counter[str]:
        return Counter(strike.kind for one in self.rounds for strike in one.strikes)


class _Undisturbed(NamedTuple):
    """A job and its companion without faults."""

    moments: int
    numbers: dict[str, Any]
    attempts: list[int]


class Campaign:
    """Rounds in one world, each with jobs of its own that are compared with undisturbed ones."""

    def __init__(self, world: World, seed: int, jobs: Sequence[str] = tuple(JOB_KINDS)) -> None:
        self._world = world
        self._random = random.Random(seed)
        self._jobs = jobs
        self._expected = {name: self._play_undisturbed(JOB_KINDS[name]) for name in jobs}

    def iterate_rounds(
        self, count: int, kinds: Sequence[str] = tuple(KINDS), within: int | None = None
    ) -> Iterator[Round]:
        """Play the rounds; the first of them have each kind once, and jobs take turns.

        The faults strike within so many moments; by default at any moment of a round.
        """
        for number in range(count):
            kind, job = kinds[number % len(kinds)], self._jobs[number % len(self._jobs)]
            others = self._random.choices(kinds, k=self._random.randrange(MAX_FAULTS))
            last = within or self._expected[job].moments
            strikes = tuple(Strike(one, self._random.randrange(1, last)) for one in (kind, *others))
            yield self._play_round(job, strikes)

    def play(self, count: int, kinds: Sequence[str] = tuple(KINDS)) -> Outcome:
        return Outcome(list(self.iterate_rounds(count, kinds)))

    def _play_undisturbed(self, kind: JobKind) -> _Undisturbed:
        world = self._world
        world.points.disarm()
        job_ids, start = self._create_jobs(kind), world.points.count
        assert self._finish_jobs(job_ids), "a job without faults does not end"
        numbers = [world.read_numbers(job_id) for job_id in job_ids]
        assert {one["status"] for one in numbers} == {"succeeded"}, numbers
        moments = world.points.count - start
        return _Undisturbed(moments, _join_numbers(numbers), self._list_attempts(job_ids))

    def _play_round(self, job: str, strikes: tuple[Strike, ...]) -> Round:
        world, kind = self._world, JOB_KINDS[job]
        self._forget_moves()
        refused, accepted, sent = world.fences.refused, world.fences.accepted, world.queue.sent
        job_ids, found = self._create_jobs(kind), list[Violation]()
        if world.queue.sent - sent != kind.first_messages + COMPANION.first_messages:
            found.append(Violation(Check.OUTBOX, "the queue was not told of the jobs"))
        for strike in strikes:
            fault = partial(KINDS[strike.kind], world)
            world.points.arm(strike.moment, fault, list_places(strike.kind))
        try:
            found += self._finish_and_compare(job, job_ids)
        except Exception as error:  # noqa: BLE001 (what a mutation breaks may raise anything)
            found.append(Violation(Check.ERROR, f"{type(error).__name__}: {error}"))
        finally:
            world.points.disarm()
            world.restore_storage()
        attempts = self._list_attempts(job_ids)
        is_harmless = {strike.kind for strike in strikes} <= HARMLESS_KINDS
        if is_harmless and attempts != self._expected[job].attempts:
            found.append(Violation(Check.ATTEMPTS, f"the runs needed {attempts} attempts"))
        if world.fences.accepted > accepted:
            count = world.fences.accepted - accepted
            found.append(Violation(Check.STALE, f"{count} stale writes were accepted"))
        found += self._check_rows(job_ids)
        return Round(job, strikes, tuple(found), world.fences.refused - refused)

    def _create_jobs(self, kind: JobKind) -> tuple[str, str]:
        return self._world.create_job(kind), self._world.create_job(COMPANION, "another")

    def _list_attempts(self, job_ids: Sequence[str]) -> list[int]:
        return [one for job_id in job_ids for one in self._world.list_attempts(job_id)]

    def _finish_jobs(self, job_ids: Sequence[str]) -> bool:
        """Work until the jobs have ended; False if they do not."""
        if not self._world.work_until_ended(*job_ids):
            return False
        self._world.points.disarm()
        self._world.restore_storage()  # a fault of the last moments may still last
        return True

    def _finish_and_compare(self, job: str, job_ids: Sequence[str]) -> list[Violation]:
        if not self._finish_jobs(job_ids):
            states = [self._world.read_status(job_id) for job_id in job_ids]
            return [Violation(Check.LOST, f"the jobs are {' and '.join(states)} for ever")]
        expected = self._expected[job].numbers
        numbers = _join_numbers([self._world.read_numbers(job_id) for job_id in job_ids])
        return [
            Violation(Check.DIFFERS, f"{name} differs: {numbers.get(name)!r:.200}")
            for name in sorted(expected.keys() | numbers.keys())
            if numbers.get(name) != expected.get(name)
        ]

    def _check_rows(self, job_ids: Sequence[str]) -> list[Violation]:
        world = self._world
        moves = find_illegal_moves(list_audited_moves(world.plain_database.engine))
        # what processes left that were killed before they could delete it
        world.sweep_garbage(timedelta(days=2))
        problems = find_problems(world.plain_database, world.plain_storage)
        return [
            *(Violation(Check.MOVES, f"illegal move {move}") for move in moves),
            *(Violation(Check.STORAGE, one.message) for one in problems),
            *(
                Violation(Check.DOUBLED, f"twice: {one}")
                for job_id in job_ids
                for one in world.list_doubled(job_id)
            ),
        ]

    def _forget_moves(self) -> None:
        with self._world.plain_database.engine.begin() as connection:
            connection.execute(text("DELETE FROM moves_audit"))


def _join_numbers(numbers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Join the numbers of the jobs; those of the companion have names of their own."""
    own, companion = numbers
    return own | {f"companion's {name}": value for name, value in companion.items()}

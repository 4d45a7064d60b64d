"""The queue of forward passes: waiting texts share a pass, and long requests take turns.

A pass uses all cores, so one runs at a time. There is no thread of its own and no delay: a thread
that finds nobody computing runs its pass at once. What arrives during a pass waits, and the next
pass takes as many of the waiting rows of one model as fit. When the request of the computing thread
is done, it wakes the thread of a waiting request to go on.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

from api.serving.length_batches import MAX_TOKENS_PER_PASS, iterate_length_batches
from api.serving.pass_work import PassModel, PassWork, Requester, build_gone_error
from shared.domain.limit_errors import ServiceBusy

if TYPE_CHECKING:
    from api.serving.classifier import EncodedRow, Logits

MAX_LENGTH_RATIO = 2
SHORT_ROW_TOKENS = 32
"""Rows of several requests share a pass if the longest has at most so many tokens, or at most
``MAX_LENGTH_RATIO`` times those of the shortest: padding costs as much as text."""
WEIGHT_OF_LATEST = 0.1
"""Of the latest pass in the mean time per token."""

Part = tuple[PassWork, list[int]]
"""Rows of one request in a pass."""


class PassQueue:
    """Runs the forward passes of all models of a process, one at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._short: list[PassWork] = []
        """Requests that need one pass, in order of arrival."""
        self._long: list[PassWork] = []
        """The others; which have waited longest comes first."""
        self._is_computing = False
        self._was_short = False
        """Whether the latest pass was one of the short requests."""
        self._turns: dict[str, int] = {}
        """The latest pass of each owner, by number."""
        self._pass_count = 0
        self._seconds_per_token = 0.0

    def run(
        self,
        model: PassModel,
        rows: Sequence[EncodedRow],
        lengths: Sequence[int],
        requester: Requester,
    ) -> list[tuple[list[int], Logits]]:
        """Wait for the passes of these rows; returns the logits of each with its row indices.

        Raises what the model raises for these rows, ServiceBusy if the first pass could not begin
        before the deadline, and InvalidRequest if the client has gone.
        """
        groups = deque(iterate_length_batches(lengths))
        work = PassWork(model, rows, lengths, requester, groups)
        with self._lock:
            (self._long if work.is_long else self._short).append(work)
            work.is_leader = not self._is_computing
            self._is_computing = True
        try:
            while not work.is_done:
                if work.is_leader:
                    self._run_next_pass()
                else:
                    work.wake.wait()
                    work.wake.clear()
        finally:
            if work.is_leader:
                self._hand_over()
        if work.error is not None:
            raise work.error
        return work.results

    def _run_next_pass(self) -> None:
        with self._lock:
            parts = self._take_parts()
        if parts:
            self._run_parts(parts)

    def _run_parts(self, parts: Sequence[Part]) -> None:
        """Run one pass; if it fails, one for each request, so that errors stay apart."""
        rows = [work.rows[row] for work, group in parts for row in group]
        started = time.monotonic()
        try:
            logits = parts[0][0].model.run_pass(rows)
        except Exception as error:  # noqa: BLE001 - the requests' own threads raise it
            self._separate(parts, error)
            return
        start = 0
        with self._lock:
            self._record_speed(parts, time.monotonic() - started)
            for work, group in parts:
                work.store(group, logits[start : start + len(group)])
                start += len(group)
                if work.is_done:
                    work.wake.set()

    def _separate(self, parts: Sequence[Part], error: Exception) -> None:
        if len(parts) > 1:
            for part in parts:
                self._run_parts([part])
            return
        [(work, _)] = parts
        with self._lock:
            work.running_passes -= 1
            self._end_with_error(work, error)

    def _take_parts(self) -> list[Part]:
        """Choose the rows of the next pass.

        Short and long requests alternate while both wait, so neither holds up the other for more
        than a pass; among each kind, owners take turns.
        """
        self._drop_abandoned()
        waiting = self._long if self._long and (self._was_short or not self._short) else self._short
        if not waiting:
            return []
        self._was_short = waiting is self._short
        self._pass_count += 1
        first = min(waiting, key=lambda work: self._turns.get(work.requester.owner_id, 0))
        waiting.remove(first)
        self._turns[first.requester.owner_id] = self._pass_count
        parts = [(first, first.take_group())]
        if first.groups:
            self._long.append(first)
        self._fill(parts)
        self._refuse_late()
        return parts

    def _fill(self, parts: list[Part]) -> None:
        """Add the short requests for the same model that fit into the pass."""
        first, group = parts[0]
        row_count = len(group)
        lengths = [first.lengths[row] for row in group]
        shortest, longest = min(lengths), max(lengths)
        for work in list(self._short):
            if work.model is not first.model:
                continue
            new_count = row_count + len(work.rows)
            new_shortest = min(shortest, *work.lengths)
            new_longest = max(longest, *work.lengths)
            if new_count * new_longest > MAX_TOKENS_PER_PASS or new_longest > max(
                SHORT_ROW_TOKENS, MAX_LENGTH_RATIO * new_shortest
            ):
                continue
            row_count, shortest, longest = new_count, new_shortest, new_longest
            self._short.remove(work)
            parts.append((work, work.take_group()))

    def _drop_abandoned(self) -> None:
        for work in [*self._short, *self._long]:
            if work.requester.is_gone():
                self._end_with_error(work, build_gone_error())

    def _refuse_late(self) -> None:
        """Refuse the requests that are not in the pass and have waited for too long."""
        for work in [*self._short, *self._long]:
            if not work.has_begun and work.requester.is_late:
                seconds = self._estimate_wait()
                self._end_with_error(
                    work,
                    ServiceBusy(
                        "Too many texts wait to be classified; "
                        f"retry in {math.ceil(seconds)} seconds.",
                        retry_after_s=seconds,
                    ),
                )

    def _estimate_wait(self) -> float:
        """Estimate the seconds in which all that waits is computed, at least 1."""
        tokens = sum(
            work.lengths[row]
            for work in [*self._short, *self._long]
            for group in work.groups
            for row in group
        )
        return max(1.0, tokens * self._seconds_per_token)

    def _record_speed(self, parts: Sequence[Part], seconds: float) -> None:
        tokens = sum(work.lengths[row] for work, group in parts for row in group)
        latest = seconds / max(tokens, 1)
        mean = self._seconds_per_token or latest
        self._seconds_per_token = mean + WEIGHT_OF_LATEST * (latest - mean)

    def _end_with_error(self, work: PassWork, error: Exception) -> None:
        work.fail(error)
        self._remove(work)
        work.wake.set()

    def _remove(self, work: PassWork) -> None:
        waiting = self._long if work.is_long else self._short
        if work in waiting:
            waiting.remove(work)

    def _hand_over(self) -> None:
        """Let the thread of a waiting request run the next passes."""
        with self._lock:
            waiting = self._short or self._long
            if waiting:
                waiting[0].is_leader = True
                waiting[0].wake.set()
            else:
                self._is_computing = False
                self._turns.clear()

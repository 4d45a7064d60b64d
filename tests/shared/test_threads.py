"""How many threads the runs of a job get."""

import pytest

from shared.infra.hardware import resolve_threads
from shared.infra.settings import Settings


@pytest.mark.parametrize(
    ("cores", "slots", "runs", "threads"),
    [
        (8, 8, 20, 1),  # a core each
        (8, 8, 8, 1),
        (8, 8, 2, 4),  # idle cores help
        (8, 8, 3, 2),  # and none is shared
        (8, 2, 20, 4),  # slots were left out for a model whose copies do not fit side by side
        (2, 8, 20, 1),  # never none
        (8, 8, 1, 8),
    ],
)
def test_the_cores_are_shared_out_among_the_runs_at_the_same_time(
    cores: int, slots: int, runs: int, threads: int
) -> None:
    assert resolve_threads(Settings(cores=cores, worker_slots=slots), runs) == threads


def test_a_number_is_taken_at_its_word() -> None:
    assert resolve_threads(Settings(cores=8, worker_slots=8, threads=3), 1) == 3

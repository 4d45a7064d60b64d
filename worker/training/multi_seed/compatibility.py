"""Compatibility of runs: which ones can be trained side by side."""

from worker.training.spec import RunSpec

PER_RUN_FIELDS = frozenset({"run_id", "init_seed", "data_seed", "output", "state"})
"""Fields in which the runs of a stack may differ: their seeds and their folders."""


def can_stack(a: RunSpec, b: RunSpec) -> bool:
    """Return whether two runs have the same data, task, encoder, recipe, device and steps.

    Two runs that resume must do so from the same step, which ``train_runs`` checks.
    """
    if (a.state is None) != (b.state is None):
        return False
    excluded = set(PER_RUN_FIELDS)
    return a.model_dump(exclude=excluded) == b.model_dump(exclude=excluded)

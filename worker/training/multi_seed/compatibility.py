"""Which runs may be trained side by side."""

from worker.training.spec import RunSpec

PER_RUN_FIELDS = frozenset({"run_id", "init_seed", "data_seed", "output", "state"})
"""What may differ between the runs of a stack: their draws, and where their artefacts are."""


def can_stack(a: RunSpec, b: RunSpec) -> bool:
    """Whether the two differ in nothing but their seeds and their folders: the same rows, task,
    encoder, recipe, device and steps.

    A run that goes on from a state is like one that goes on from a state of the same step;
    ``train_runs`` looks at that itself.
    """
    return a.model_dump(exclude=set(PER_RUN_FIELDS)) == b.model_dump(
        exclude=set(PER_RUN_FIELDS)
    ) and (a.state is None) == (b.state is None)

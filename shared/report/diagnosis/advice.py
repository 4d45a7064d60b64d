"""Settings that the diagnosis advises to try."""

from shared.recipe import Recipe, compute_auto_steps
from shared.report.diagnosis.facts import JobFacts

RATE_CUT_FACTOR, MAX_RATE_RAISE_FACTOR = 4, 10
"""Factor by which to lower a rate at which runs collapsed, and the largest factor by which to
raise one that moved nothing.
"""
LEARNING_DISTANCE = 0.01
"""Usual distance of a block from its start after a run that learns, as a share of its norm."""
MAX_ADVISED_RATE = 1e-2


def advise_lower_rate(recipe: Recipe) -> str:
    lower = f"learning_rate {recipe.learning_rate / RATE_CUT_FACTOR:.1g}"
    if recipe.bias_correction:
        return f"The learning rate {recipe.learning_rate:g} is too high: try {lower}."
    return (
        "Without bias correction the first steps are up to 6.6 times as large as the learning "
        f"rate {recipe.learning_rate:g} suggests: try bias_correction true or {lower}."
    )


def advise_higher_rate(recipe: Recipe, moved: float) -> str:
    """Advise a rate at which blocks that moved by this share of their norm would learn."""
    factor = min(MAX_RATE_RAISE_FACTOR, LEARNING_DISTANCE / max(moved, 1e-9))
    faster = min(recipe.learning_rate * factor, MAX_ADVISED_RATE)
    return f"The learning rate {recipe.learning_rate:g} is too low: try learning_rate {faster:.1g}."


def compute_job_auto_steps(job: JobFacts) -> int:
    """Compute the length that ``max_steps: "auto"`` would choose for the job's rows."""
    return compute_auto_steps(job.train_rows, job.recipe.train_batch_size)

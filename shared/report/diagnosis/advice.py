"""Settings that the diagnosis advises to try: within the bounds of the recipe and of the model, and
different enough from the ones used to matter.
"""

from shared.recipe import Recipe, compute_auto_steps
from shared.recipe.fields import MAX_STEPS
from shared.report.diagnosis.facts import JobFacts

RATE_CUT_FACTOR, MAX_RATE_RAISE_FACTOR = 4, 10
"""Factor by which to lower a rate at which runs collapsed, and the largest factor by which to
raise one that moved nothing.
"""
LEARNING_DISTANCE = 0.01
"""Usual distance of a block from its start after a run that learns, as a share of its norm."""
MIN_ADVISED_RATE, MAX_ADVISED_RATE = 1e-6, 1e-3
"""Peak rates outside of this range train no encoder well, whatever its size and its data."""
MIN_USEFUL_CHANGE = 1.4
"""A setting by a smaller factor away from the one used is not advised."""
MAX_SEQ_LENGTH = 8192
"""The limit of ``task.max_seq_length`` for every model."""


def advise_lower_rate(recipe: Recipe) -> str:
    """Advise a lower rate; for one that is very low already, name another cause."""
    rate = recipe.learning_rate
    lower = min(rate / RATE_CUT_FACTOR, MAX_ADVISED_RATE)
    advice = f"learning_rate {lower:.1g}" if lower >= MIN_ADVISED_RATE else None
    if not recipe.bias_correction:
        alternatives = " or ".join(filter(None, ("bias_correction true", advice)))
        return (
            "Without bias correction the first steps are up to 6.6 times as large as the learning "
            f"rate {rate:g} suggests: try {alternatives}."
        )
    if advice is not None:
        return f"The learning rate {rate:g} is too high: try {advice}."
    cause = f"The learning rate {rate:g} is too low to be the cause"
    settings = _list_stabilizing_settings(recipe)
    return f"{cause}: try {settings}." if settings else f"{cause}; check the texts and labels."


def advise_higher_rate(recipe: Recipe, moved: float) -> str:
    """Advise a rate at which blocks that moved by this share of their norm would learn, unless
    another setting keeps them where they are.
    """
    restraints = _list_restraints(recipe)
    if restraints:
        return f"The recipe holds the blocks where they start: try {restraints}."
    rate = recipe.learning_rate
    if rate < MIN_ADVISED_RATE / MAX_RATE_RAISE_FACTOR:
        return f"The learning rate {rate:g} is too low: try learning_rate auto."
    factor = min(MAX_RATE_RAISE_FACTOR, LEARNING_DISTANCE / max(moved, 1e-9))
    faster = min(rate * factor, MAX_ADVISED_RATE)
    if faster >= MIN_USEFUL_CHANGE * rate:
        return f"The learning rate {rate:g} is too low: try learning_rate {faster:.1g}."
    preset = "" if recipe.preset == "stabilized" else "try preset stabilized, and "
    return (
        f"The learning rate {rate:g} is not too low, so another setting or the data is the cause: "
        f"{preset}check the texts and labels."
    )


def advise_more_training(recipe: Recipe) -> str:
    """Advise twice the steps or the rate, as far as the limits allow."""
    options = []
    if (steps := min(2 * recipe.max_steps, MAX_STEPS)) >= MIN_USEFUL_CHANGE * recipe.max_steps:
        options.append(f"max_steps {steps}")
    rate = recipe.learning_rate
    if rate < MIN_ADVISED_RATE:
        options.append("learning_rate auto")
    elif 2 * rate <= MAX_ADVISED_RATE:
        options.append(f"learning_rate {2 * rate:.1g}")
    if options:
        return f"Try {' or '.join(options)}."
    return "Neither more steps nor a higher rate is likely to help: check the texts and labels."


def advise_longer_training(job: JobFacts) -> str | None:
    """Advise at least twice the steps; None for a run of the most steps that are allowed."""
    steps = job.recipe.max_steps
    longer = min(max(2 * steps, compute_job_auto_steps(job)), MAX_STEPS)
    return f"Try max_steps {longer}." if longer >= MIN_USEFUL_CHANGE * steps else None


def advise_longer_inputs(job: JobFacts) -> str:
    """Advise a larger ``max_seq_length`` up to what the model reads, if that is known."""
    limit = MAX_SEQ_LENGTH if job.max_positions is None else min(job.max_positions, MAX_SEQ_LENGTH)
    if job.max_seq_length >= limit:
        return (
            "That is the most that the model reads: shorten the texts or choose a model that reads "
            "longer ones."
        )
    known = "" if job.max_positions is None else f", up to {limit}"
    return f"Try a larger task.max_seq_length{known}."


def compute_job_auto_steps(job: JobFacts) -> int:
    """Compute the length that ``max_steps: "auto"`` would choose for the job's rows."""
    return compute_auto_steps(job.train_rows, job.recipe.train_batch_size)


def _list_stabilizing_settings(recipe: Recipe) -> str:
    settings = []
    if recipe.precision != "float32":
        settings.append("precision float32")
    if recipe.max_grad_norm == 0 or recipe.max_grad_norm > 1:
        settings.append("max_grad_norm 1")
    return " or ".join(settings)


def _list_restraints(recipe: Recipe) -> str:
    """List how to loosen the settings that keep weights at their start, or train lower blocks
    much more slowly than the learning rate says.
    """
    settings = []
    if recipe.layerwise_learning_rate_decay < 0.8:
        settings.append("layerwise_learning_rate_decay 0.95")
    if recipe.mixout > 0.9:
        settings.append("mixout 0.5")
    if recipe.pretrained_weight_decay > 0.1:
        settings.append("pretrained_weight_decay 0.01")
    return " and ".join(settings)

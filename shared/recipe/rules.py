"""The rules behind automatic settings: learning rate, re-initialization depth and length."""

import math

from shared.domain.errors import InvalidValue
from shared.domain.wording import format_count
from shared.encoders.catalogue import EncoderFacts
from shared.recipe.family_limits import describe_shared_weights
from shared.recipe.fields import MAX_STEPS

PAPER_RATE, PAPER_WIDTH = 2e-5, 1024  # BERT-large, the paper's baseline
LONG_EPOCHS, LONG_MIN_STEPS, LONG_MAX_STEPS, CONVENTIONAL_EPOCHS = 10, 320, 1600, 3


def resolve_learning_rate(facts: EncoderFacts) -> tuple[float, str]:
    """Return the paper's rate for BERT-large scaled inversely with the width, and a note.

    Adam's best rate scales that way (Yang et al. 2021, table 3).
    """
    rate = float(f"{PAPER_RATE * PAPER_WIDTH / facts.hidden_size:.2g}")
    return rate, (
        f"{rate:g}: the paper's {PAPER_RATE:g} for BERT-large (width {PAPER_WIDTH}), scaled "
        f"inversely with the width {facts.hidden_size} of {facts.name}."
    )


def resolve_reinit_layers(
    facts: EncoderFacts, *, is_pooled: bool = False, is_head_searched: bool = False
) -> tuple[int, str]:
    """Return the depth that pilots start from, and a note.

    A sixth of the blocks: 4 of BERT-large's 24 (the paper: 1 to 6). None under a pooled head that
    the rules chose (``is_pooled``), because its vectors are the encoder's. None either in a
    sentence encoder whose head pilots search (``is_head_searched``): the paper's new blocks replace
    what predicts masked words, and a sentence encoder's top blocks have been trained away from it.
    """
    if is_pooled:
        return 0, "0: a new top block would lose what the pooled vectors are worth."
    if is_head_searched and facts.pooling is not None:
        return 0, f"0: {facts.name} is a sentence encoder, whose top blocks are worth keeping."
    depth = compute_reinit_depth(facts)
    if facts.shared_blocks is None:
        return depth, f"{depth}: a sixth of the {facts.num_hidden_layers} blocks of {facts.name}."
    return depth, (
        f"{depth}: a sixth of the layers, rounded down to whole blocks of weights; "
        f"{describe_shared_weights(facts)}, so a top layer cannot be re-initialized without the "
        "other layers of its block."
    )


def compute_reinit_depth(facts: EncoderFacts) -> int:
    """Return a sixth of the blocks, at least one; of shared blocks only whole ones."""
    depth = max(1, round(facts.num_hidden_layers / 6))
    if facts.shared_blocks is None:
        return depth
    return depth * facts.num_blocks // facts.num_hidden_layers


def count_epoch_steps(train_rows: int, train_batch_size: int) -> int:
    """Return the steps of an epoch; the last, smaller batch counts."""
    return math.ceil(train_rows / train_batch_size)


def convert_epochs(epochs: float, epoch_steps: int) -> int:
    """Return the steps of so many epochs, rounded up as ``transformers.Trainer`` does.

    Raises InvalidValue for more steps than a run may have.
    """
    return _check_step_limit(max(1, math.ceil(epochs * epoch_steps)))


def resolve_steps(epoch_steps: int) -> tuple[int, str]:
    """Return the automatic length in steps, and a note.

    Raises InvalidValue for more steps than a run may have.
    """
    steps = _check_step_limit(_compute_long_steps(epoch_steps))
    return steps, (
        f"{steps}: {LONG_EPOCHS} epochs of {format_count(epoch_steps, 'step')}, but at least "
        f"{LONG_MIN_STEPS} steps (small data sets need steps, not epochs) and at most the larger "
        f"of {LONG_MAX_STEPS} steps and {CONVENTIONAL_EPOCHS} epochs."
    )


def compute_auto_steps(train_rows: int, train_batch_size: int) -> int:
    """Return the steps that ``max_steps: "auto"`` stands for, by the rule alone."""
    return min(MAX_STEPS, _compute_long_steps(count_epoch_steps(train_rows, train_batch_size)))


def _compute_long_steps(epoch_steps: int) -> int:
    return min(
        max(LONG_EPOCHS * epoch_steps, LONG_MIN_STEPS),
        max(LONG_MAX_STEPS, CONVENTIONAL_EPOCHS * epoch_steps),
    )


def _check_step_limit(steps: int) -> int:
    if steps > MAX_STEPS:
        raise InvalidValue(
            f"The epochs amount to {steps:,} steps on this data; a run has at most {MAX_STEPS:,}. "
            "Set fewer epochs, recipe.max_steps, or a larger recipe.train_batch_size.",
            param="recipe.num_train_epochs",
        )
    return steps

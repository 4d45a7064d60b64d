"""Evidence of a run: the numbers from which its diagnosis, and that of its job, is written."""

from pydantic import BaseModel, ConfigDict

MIN_LOSS_DROP = 0.07
"""A loss has fallen if it is below the chance loss by more than this share of it: 0.05 nats of
the 0.69 of two equally frequent labels.
"""
MAX_LOSS_RISE = 0.1
"""A closing loss above the chance loss by more than this share of it is worse than chance."""
OVERFIT_LOSS_SHARE = 0.1
"""Below this share of the chance loss the training rows count as memorized."""
OVERFIT_RISE_FACTOR = 1.2
"""The validation loss has risen if its last value exceeds its lowest by this factor."""


class Vanished(BaseModel):
    """The gradient of the lower half of the blocks at the first watched step where it had
    vanished.
    """

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    step: int
    """The step."""
    norm: float
    """The norm at that step."""
    first: float
    """The norm at step 1."""


class HeadFit(BaseModel):
    """The head's fit on the frozen encoder before the first step (`recipe.head_first`)."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    rows: int
    """Number of training rows that the head was fitted on."""
    loss: float
    """Training loss of the fitted head on these rows: cross entropy in nats, or mean squared
    error.
    """
    score: float | None
    """The job's metric on these rows; null if it is undefined."""
    penalty: float
    """Strength of the penalty on the head's weights, chosen by cross-validation."""


class Evidence(BaseModel):
    """Evidence of one finished run. Losses are the task's objective: cross entropy in nats, or
    mean squared error.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    chance_loss: float
    """Loss of the best prediction that ignores the text: the training labels' frequencies, or
    their mean.
    """
    opening_loss: float
    """Mean training loss over the first tenth of the steps."""
    closing_loss: float
    """Mean training loss over the last tenth of the steps."""
    highest_loss: float
    """Highest mean training loss over a window of a twentieth of the steps, after the warm-up."""
    highest_loss_step: int
    """Step at which that window ends."""
    lowest_validation_loss: float
    """Lowest validation loss over the evaluations."""
    lowest_validation_step: int
    """Step of the lowest validation loss."""
    final_validation_loss: float
    """Validation loss at the last evaluation."""
    vanished: Vanished | None
    distance: dict[str, float]
    """Distance of the last step's weights from the initial ones, by module group: ‖θ - θ0‖ /
    ‖θ0‖.
    """
    answers: dict[str, float] | None
    """Share of the validation rows predicted as each label by the chosen checkpoint; null for a
    regression.
    """
    truncated: float
    """Share of the training rows that were truncated."""
    head_fit: HeadFit | None = None
    """How the head was fitted before the first step; null without `recipe.head_first`."""

    @property
    def has_loss_fallen(self) -> bool:
        """Whether the training loss ended below chance."""
        return self.closing_loss < (1 - MIN_LOSS_DROP) * self.chance_loss

    @property
    def is_unstable(self) -> bool:
        """Whether the training loss rose above chance, temporarily or for good."""
        return max(self.highest_loss, self.closing_loss) > (1 + MAX_LOSS_RISE) * max(
            self.chance_loss, self.opening_loss
        )

    @property
    def is_overfitted(self) -> bool:
        learned_by_heart = self.closing_loss < OVERFIT_LOSS_SHARE * self.chance_loss
        return (
            learned_by_heart
            and self.final_validation_loss > OVERFIT_RISE_FACTOR * self.lowest_validation_loss
        )

    @property
    def single_predicted_label(self) -> str | None:
        """The label that was predicted for every validation row."""
        answers = self.answers or {}
        return (
            next((label for label, share in answers.items() if share == 1.0), None)
            if sum(answers.values()) == 1
            else None
        )

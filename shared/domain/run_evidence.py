"""What a run leaves behind for its diagnosis: the numbers that its sentences, and those over a job's runs, rest on."""

from pydantic import BaseModel, ConfigDict

FLAT = 0.07
"""Share of the chance loss by which a loss must be below it to count as having fallen: 0.05 nats of two equal labels' 0.69."""
RISEN = 0.1
"""Share of the chance loss above which a closing loss is worse than knowing nothing by more than chance."""
OVERFIT_LOSS = 0.1
"""Share of the chance loss below which the training rows count as learnt by heart."""
OVERFIT_RISE = 1.2
"""Times the lowest validation loss at which the last one counts as having risen."""


class Vanished(BaseModel):
    """The gradient of the lower half of the blocks at the first step watched where it had all but gone."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    step: int
    """The step."""
    norm: float
    """The norm there."""
    first: float
    """Its norm at step 1."""


class Evidence(BaseModel):
    """Numbers of one finished run. Losses are the task's objective: cross entropy in nats, or mean squared error."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    chance_loss: float
    """Of the best answer that does not look at the text: the training labels' frequencies, or their mean."""
    opening_loss: float
    """Mean training loss over the first tenth of the steps."""
    closing_loss: float
    """Mean training loss over the last tenth."""
    highest_loss: float
    """Highest mean training loss over a window of a twentieth of the steps, after the warm-up."""
    highest_loss_step: int
    """Where that window ends."""
    lowest_validation_loss: float
    """Over the evaluations."""
    lowest_validation_step: int
    """Where that was."""
    final_validation_loss: float
    """At the last evaluation."""
    vanished: Vanished | None
    distance: dict[str, float]
    """Of the last step's weights, whichever were chosen, from those that training began with, by part of the network: ‖θ - θ0‖ / ‖θ0‖."""
    answers: dict[str, float] | None
    """Share of the validation rows answered with each label, with the chosen checkpoint; null for a regression."""
    truncated: float
    """Share of the training rows that were cut."""

    @property
    def fell(self) -> bool:
        """Whether the training loss ended below chance."""
        return self.closing_loss < (1 - FLAT) * self.chance_loss

    @property
    def unsteady(self) -> bool:
        """Whether the training loss rose, for a while or for good, to above chance."""
        return max(self.highest_loss, self.closing_loss) > (1 + RISEN) * max(
            self.chance_loss, self.opening_loss
        )

    @property
    def overfitted(self) -> bool:
        learnt_by_heart = self.closing_loss < OVERFIT_LOSS * self.chance_loss
        return (
            learnt_by_heart
            and self.final_validation_loss > OVERFIT_RISE * self.lowest_validation_loss
        )

    @property
    def one_answer(self) -> str | None:
        """The label that every validation row was answered with."""
        answers = self.answers or {}
        return (
            next((label for label, share in answers.items() if share == 1.0), None)
            if sum(answers.values()) == 1
            else None
        )

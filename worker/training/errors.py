"""Why a run ends before its last step: reasons of its own, in the form that is stored and shown, and the caller's wish."""

from shared.errors import ServiceError


class Stopped(Exception):
    """The caller asked the run to stop; nothing of it is kept."""


class Diverged(ServiceError):
    """Loss or gradient is not a finite number; raised before the step that would have spoilt the weights."""

    code = "nan_loss"

    def __init__(self, step: int, loss: float, grad_norm: float) -> None:
        super().__init__(
            f"Training diverged at step {step}: the loss is {loss:g} and the gradient's norm {grad_norm:g}. "
            "Try a lower recipe.learning_rate or a longer warm-up.",
            param="recipe.learning_rate",
        )
        self.step = step


class BaseModelUnreadable(ServiceError):
    """The base model's folder lacks a file or weights, or holds something that is no encoder of a known family."""


class OutOfMemory(ServiceError):
    """The device or the machine has not enough memory for the run."""

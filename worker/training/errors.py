"""Why a run ends before its last step: reasons of its own, in the form that is stored and
shown, and the caller's wish.
"""

from shared.domain.errors import ServiceError


class StopRequested(Exception):
    """The caller asked the run to stop; nothing of it is kept."""


class TrainingDiverged(ServiceError):
    """Loss or gradient is not a finite number; raised before the step that would have spoilt
    the weights.
    """

    code = "nan_loss"

    def __init__(self, where: str, loss: float, grad_norm: float | None = None) -> None:
        norm = "" if grad_norm is None else f" and the gradient's norm {grad_norm:g}"
        super().__init__(
            (
                f"Training diverged {where}: the loss is {loss:g}{norm}. Try a lower "
                "recipe.learning_rate or a longer warm-up."
            ),
            param="recipe.learning_rate",
        )


class BaseModelUnreadable(ServiceError):
    """The base model's folder lacks a file or weights, or holds something that is no encoder of
    a known family.
    """

"""Errors that end a run before its last step, and the check for a requested stop."""

from collections.abc import Callable

from shared.domain.errors import ServiceError


class StopRequested(Exception):
    """The caller asked the run to stop; nothing of the run is kept."""


class TrainingDiverged(ServiceError):
    """Loss or gradient is not finite; raised before the step that would corrupt the weights."""

    code = "nan_loss"

    def __init__(self, where: str, loss: float, grad_norm: float | None = None) -> None:
        norm = "" if grad_norm is None else f" and the gradient norm {grad_norm:g}"
        super().__init__(
            f"Training diverged {where}: the loss is {loss:g}{norm}. "
            "Try a lower recipe.learning_rate or a longer warm-up.",
            param="recipe.learning_rate",
        )


class BaseModelUnreadable(ServiceError):
    """The base model's folder is incomplete, damaged, or not an encoder of a known family."""


def build_stop_check(run_id: str, should_stop: Callable[[], bool]) -> Callable[[], None]:
    """Build a function that raises StopRequested once ``should_stop`` returns true."""

    def check_stop() -> None:
        if should_stop():
            raise StopRequested(run_id)

    return check_stop

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


class NotEnoughMemory(ServiceError):
    """A run needs more memory than this machine has free, with no other run to wait for."""

    code = "not_enough_memory"

    def __init__(self, needed_bytes: int, free_bytes: int) -> None:
        super().__init__(
            f"The run needs about {needed_bytes / 1e9:.1f} GB of memory, and its machine has "
            f"{max(0, free_bytes) / 1e9:.1f} GB free. Try a smaller recipe.train_batch_size or "
            "task.max_seq_length, or free memory there.",
            param="recipe.train_batch_size",
        )


def build_stop_check(run_id: str, should_stop: Callable[[], bool]) -> Callable[[], None]:
    """Build a function that raises StopRequested once ``should_stop`` returns true."""

    def check_stop() -> None:
        if should_stop():
            raise StopRequested(run_id)

    return check_stop

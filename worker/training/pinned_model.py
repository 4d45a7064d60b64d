"""The check that a run reads its own job's base model, however often it reads the folder."""

from shared.domain.errors import BaseModelChanged
from shared.encoders.model_digest import compute_model_digest
from worker.training.spec import DataSpec


def require_spec_model(spec: DataSpec) -> None:
    """Raise BaseModelChanged if the folder does not have the spec's model, or OSError.

    Call this after reading: a folder that is replaced while it is read has another digest then.
    """
    expected = spec.base_model_sha256
    if expected is not None and compute_model_digest(spec.base_model) != expected:
        raise BaseModelChanged(spec.base_model_name)

"""The keys of the storage, and who owns what is below each root.

A blob whose owner has no row is garbage. Deletion and the garbage collection both follow this
table (``shared.db.references`` reads the owners' rows).
"""

from collections.abc import Collection
from enum import StrEnum


class StorageRoot(StrEnum):
    """First part of every key; there are no others."""

    FILES = "files"
    """``files/<sha256>``: owned by the files with this digest, except those made of a folder."""
    UPLOADS = "uploads"
    """``uploads/<id>/<part>``: owned by a pending upload."""
    RUNS = "runs"
    """``runs/<id>/<fence>/…``: owned by the run while it is open, and then by the model or the
    artifacts that refer to it."""
    MODELS = "models"
    """``models/<job>-<fence>/…``: owned by a published model, and by the job's file ``model.zip``,
    which is made of this folder."""
    LOGS = "logs"
    """``logs/<run>/<attempt>.txt``: owned by the run."""
    PREDICTIONS = "predictions"
    """``predictions/<run>.json``: owned by the run."""


def build_file_key(sha256: str) -> str:
    return f"{StorageRoot.FILES}/{sha256}"


def build_parts_prefix(upload_id: str) -> str:
    """Prefix of the parts of an upload."""
    return f"{StorageRoot.UPLOADS}/{upload_id}"


def build_part_key(upload_id: str, part_id: str) -> str:
    return f"{build_parts_prefix(upload_id)}/{part_id}"


def build_artifacts_prefix(run_id: str) -> str:
    """Prefix of the artifacts and resume states of a run's attempts."""
    return f"{StorageRoot.RUNS}/{run_id}"


def build_model_prefix(job_id: str, fence: int) -> str:
    """Prefix of a published model; unique, so that readers never see a partial update."""
    return f"{StorageRoot.MODELS}/{job_id}-{fence}"


def build_logs_prefix(run_id: str) -> str:
    """Prefix of the logs of a run's attempts."""
    return f"{StorageRoot.LOGS}/{run_id}"


def build_log_key(run_id: str, attempt: int) -> str:
    return f"{build_logs_prefix(run_id)}/{attempt}.txt"


def build_predictions_key(run_id: str) -> str:
    """Key of a run's predictions, which outlive its artifacts."""
    return f"{StorageRoot.PREDICTIONS}/{run_id}.json"


def list_run_prefixes(run_id: str) -> list[str]:
    """List every prefix that a run owns, for the deletion of the run."""
    return [
        build_artifacts_prefix(run_id),
        build_logs_prefix(run_id),
        build_predictions_key(run_id),
    ]


def is_below_prefix(key: str, prefixes: Collection[str]) -> bool:
    """Return whether the key or one of its parent folders is among the prefixes."""
    parts = key.split("/")
    return any("/".join(parts[:depth]) in prefixes for depth in range(1, len(parts) + 1))

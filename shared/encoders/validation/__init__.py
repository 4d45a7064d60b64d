"""Validation of model folders: every unfit one is refused in a sentence before a run is queued.

It needs neither torch nor transformers, loads no weights, opens no pickle and runs no code.
"""

from shared.encoders.validation.model_folder import CheckedModel, check_model_folder

__all__ = ["CheckedModel", "check_model_folder"]

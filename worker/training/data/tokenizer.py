"""Loading of a base model's tokenizer, and the checks that training can use it."""

from functools import lru_cache
from pathlib import Path

from transformers import (
    AutoConfig,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
)

from worker.training.errors import BaseModelUnreadable
from worker.training.model.folder_fingerprint import FolderFingerprint, compute_folder_fingerprint
from worker.training.model.transformers_logging import silence_transformers


def load_tokenizer(base_model: Path) -> PreTrainedTokenizerBase:
    """Load the base model's tokenizer, without running code from its folder or using the network.

    Raise BaseModelUnreadable if it is missing, damaged or unsuitable.
    """
    try:
        tokenizer, vocabulary_size = _read_tokenizer(base_model)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise BaseModelUnreadable(
            f"The tokenizer of {base_model.name} cannot be read: {error}", param="model"
        ) from error
    _check_tokenizer(tokenizer, base_model, vocabulary_size)
    return tokenizer


def _read_tokenizer(base_model: Path) -> tuple[PreTrainedTokenizerBase, int]:
    """Return the tokenizer, and the number of entries that the base model's config states."""
    with silence_transformers():
        config = AutoConfig.from_pretrained(
            base_model, local_files_only=True, trust_remote_code=False
        )
        tokenizer = AutoTokenizer.from_pretrained(
            base_model,
            local_files_only=True,
            trust_remote_code=False,
            **_build_tokenizer_options(config),
        )
        return tokenizer, config.vocab_size


def _check_tokenizer(
    tokenizer: PreTrainedTokenizerBase, base_model: Path, vocabulary_size: int
) -> None:
    """Raise BaseModelUnreadable if the tokenizer is unsuitable."""
    # transformers creates an empty tokenizer if the folder has no tokenizer files
    if not any((base_model / file).is_file() for file in tokenizer.vocab_files_names.values()):
        raise BaseModelUnreadable(
            f"{base_model.name} has no tokenizer.json. Copy its folder again.", param="model"
        )
    if not tokenizer.is_fast or tokenizer.pad_token_id is None:
        raise BaseModelUnreadable(
            f"The tokenizer of {base_model.name} is slow or has no padding token. Add a "
            "tokenizer.json that has one.",
            param="model",
        )
    if len(tokenizer) > vocabulary_size:
        raise BaseModelUnreadable(
            f"The tokenizer of {base_model.name} has {len(tokenizer)} tokens, but its embeddings "
            f"have only {vocabulary_size}. Copy its folder again.",
            param="model",
        )


@lru_cache(maxsize=1)
def _load_export_tokenizer(
    base_model: Path, _fingerprint: FolderFingerprint
) -> PreTrainedTokenizerBase:
    return load_tokenizer(base_model)


def get_export_tokenizer(base_model: Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer to export, read once for the runs of a job.

    Do not tokenize with it: that changes settings that are exported. Raise BaseModelUnreadable
    like ``load_tokenizer``.
    """
    return _load_export_tokenizer(base_model, compute_folder_fingerprint(base_model))


def _build_tokenizer_options(config: PreTrainedConfig) -> dict[str, list[str]]:
    """Return options that suppress token types if the encoder does not distinguish them.

    Many tokenizers return types anyway, which would index past the end of RoBERTa's single type.
    """
    if getattr(config, "type_vocab_size", 0) >= 2:
        return {}
    return {"model_input_names": ["input_ids", "attention_mask"]}

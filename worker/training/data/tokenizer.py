"""Loading of a base model's tokenizer, and the checks that training can use it.

Checkpoints differ in what they save of a tokenizer. What training, serving and the exported folder
must agree on is settled here: a padding token, and padding and truncation on the right.
"""

from functools import lru_cache
from pathlib import Path

from transformers import (
    AutoConfig,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
)

from shared.encoders.validation.tokenizer_files import PADDING_TOKENS
from worker.training.errors import BaseModelUnreadable
from worker.training.model.empty_network import check_base_folder
from worker.training.model.folder_fingerprint import FolderFingerprint, compute_folder_fingerprint
from worker.training.model.transformers_logging import silence_transformers


def load_tokenizer(base_model: Path) -> PreTrainedTokenizerBase:
    """Load the base model's tokenizer, without running code from its folder or using the network.

    Raise BaseModelUnreadable if it is missing, damaged or unsuitable.
    """
    check_base_folder(base_model)
    try:
        tokenizer, config = _read_tokenizer(base_model)
    # whatever transformers raises for a value that it did not expect
    except Exception as error:
        raise BaseModelUnreadable(
            f"The tokenizer of {base_model.name} cannot be read: {error}", param="model"
        ) from error
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = _find_padding_token(tokenizer, config)
    _check_tokenizer(tokenizer, base_model, config.vocab_size)
    return tokenizer


def _read_tokenizer(base_model: Path) -> tuple[PreTrainedTokenizerBase, PreTrainedConfig]:
    """Return the tokenizer, and the base model's config."""
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
        return tokenizer, config


def _find_padding_token(tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig) -> str | None:
    """Return a token of the vocabulary to pad with, where the settings name none.

    Attention masks keep every padding token out of the result. Some families also count positions
    from the padding id of config.json, so that one is preferred to none.
    """
    vocabulary = tokenizer.get_vocab()
    by_id = {number: token for token, number in vocabulary.items()}
    named = (token for token in PADDING_TOKENS if token in vocabulary)
    return next(named, by_id.get(config.pad_token_id))


def _check_tokenizer(
    tokenizer: PreTrainedTokenizerBase, base_model: Path, vocabulary_size: int
) -> None:
    """Raise BaseModelUnreadable if the tokenizer is unsuitable."""
    # transformers creates an empty tokenizer if the folder has not the files of its class
    if not any((base_model / file).is_file() for file in tokenizer.vocab_files_names.values()):
        raise BaseModelUnreadable(
            f"{base_model.name} has no tokenizer.json, and {type(tokenizer).__name__} cannot be "
            "built from its vocabulary. Save the tokenizer with save_pretrained.",
            param="model",
        )
    if not tokenizer.is_fast or tokenizer.pad_token_id is None:
        raise BaseModelUnreadable(
            f"The tokenizer of {base_model.name} is slow or has no padding token. Add a "
            "tokenizer.json that has one.",
            param="model",
        )
    count = max(tokenizer.get_vocab().values(), default=-1) + 1
    if count > vocabulary_size:
        raise BaseModelUnreadable(
            f"The tokenizer of {base_model.name} has {count:,} tokens, but its embeddings have "
            f"only {vocabulary_size:,}. Resize the embeddings (model.resize_token_embeddings) and "
            "save both.",
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

"""Base model folders from a class and its config, with random weights that depend on a seed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging

WIDTH, BLOCKS, HEADS = 32, 3, 2


class Builder(Protocol):
    """Function that builds a base model in a new folder."""

    def __call__(
        self, folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
    ) -> Path: ...


def build_common_settings(
    tokenizer: PreTrainedTokenizerFast, blocks: int, dropout: float
) -> dict[str, Any]:
    """Return the settings whose names most families share."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "num_hidden_layers": blocks,
        "num_attention_heads": HEADS,
        "intermediate_size": 2 * WIDTH,
        "max_position_embeddings": 64,
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
        **list_special_token_ids(tokenizer),
    }


def list_special_token_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Return the ids of the special tokens under their config names."""
    return {
        f"{name}_token_id": getattr(tokenizer, f"{name}_token_id")
        for name in ("pad", "bos", "eos", "cls", "sep")
    }


def save_encoder(
    build: Callable[[], PreTrainedModel],
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    seed: int,
) -> Path:
    """Save a network whose random weights differ from the initial distribution.

    So a test can tell which tensors were drawn anew.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        network.save_pretrained(folder)
    finally:
        if bars:
            logging.enable_progress_bar()
    tokenizer.save_pretrained(folder)
    return folder

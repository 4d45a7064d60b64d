"""From a class and its config to a folder: random weights, the same for the same seed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging

WIDTH, BLOCKS, HEADS = 32, 3, 2


class Builder(Protocol):
    """Makes a base model in a new folder."""

    def __call__(
        self, folder: Path, *, blocks: int = BLOCKS, dropout: float = 0.1, seed: int = 0
    ) -> Path: ...


def common_settings(
    tokenizer: PreTrainedTokenizerFast, blocks: int, dropout: float
) -> dict[str, Any]:
    """What most of the families' configs call by the same names."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "num_hidden_layers": blocks,
        "num_attention_heads": HEADS,
        "intermediate_size": 2 * WIDTH,
        "max_position_embeddings": 64,
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
        **special_tokens(tokenizer),
    }


def special_tokens(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {
        f"{name}_token_id": getattr(tokenizer, f"{name}_token_id")
        for name in ("pad", "bos", "eos", "cls", "sep")
    }


def save(
    build: Callable[[], PreTrainedModel],
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    seed: int,
) -> Path:
    """Random weights away from where initialisation would put them, so that a tensor that was
    drawn afresh shows.
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

"""Base models of the vocabulary tests: every family, and two unusual word embeddings."""

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import BertConfig, BertModel, XLMRobertaConfig, XLMRobertaForMaskedLM

from tests.encoders import ENCODERS
from tests.encoders.families import WITH_UNUSED_POSITIONS
from tests.encoders.saving import build_common_settings, save_encoder
from tests.encoders.tokenizers import build_unigram_tokenizer, build_wordpiece_tokenizer


def build_large_vocabulary_folder(folder: Path) -> Path:
    """Build an XLM-R whose parameters are mostly word embeddings."""
    settings = (
        build_common_settings(build_unigram_tokenizer(), blocks=2, dropout=0.1)
        | WITH_UNUSED_POSITIONS
    )
    config = XLMRobertaConfig(**settings | {"vocab_size": 20_011, "type_vocab_size": 1})
    return save_encoder(lambda: XLMRobertaForMaskedLM(config), build_unigram_tokenizer(), folder, 0)


def build_odd_width_folder(folder: Path) -> Path:
    """Build a BERT of width 18 with an odd vocabulary.

    Neither a row nor the table fills whole vector registers.
    """
    settings = build_common_settings(build_wordpiece_tokenizer(), blocks=2, dropout=0.1)
    config = BertConfig(**settings | {"vocab_size": 213, "hidden_size": 18})
    return save_encoder(lambda: BertModel(config), build_wordpiece_tokenizer(), folder, 0)


@pytest.fixture(scope="module")
def get_base_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds a base model by name, once per module."""
    builders: dict[str, Callable[[Path], Path]] = {
        "large": build_large_vocabulary_folder,
        "odd": build_odd_width_folder,
        **ENCODERS,
    }
    folders: dict[str, Path] = {}

    def build(name: str) -> Path:
        if name not in folders:
            folders[name] = builders[name](tmp_path_factory.mktemp(name))
        return folders[name]

    return build

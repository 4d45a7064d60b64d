"""SentencePiece models trained on the tests' corpus, as the only tokenizer file of a folder.

The pieces of each family have the ids, names and order of its published checkpoints.
"""

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from tests.encoders.layouts import add_spare_rows
from tests.encoders.tokenizers import CORPUS


class Pieces(NamedTuple):
    """How a family names and numbers its pieces."""

    file: str
    options: dict[str, Any]
    """Options of SentencePiece's trainer."""
    offset: int
    """By how much the network's ids are larger than those of the file (XLM-R inserts <pad>)."""


PIECES: dict[str, Pieces] = {
    "xlm-roberta": Pieces("sentencepiece.bpe.model", {}, offset=1),
    "deberta-v3": Pieces(
        "spm.model",
        {
            "pad_id": 0,
            "bos_id": 1,
            "eos_id": 2,
            "unk_id": 3,
            "pad_piece": "[PAD]",
            "bos_piece": "[CLS]",
            "eos_piece": "[SEP]",
            "unk_piece": "[UNK]",
        },
        offset=0,
    ),
    "albert": Pieces(
        "spiece.model",
        {
            "pad_id": 0,
            "unk_id": 1,
            "bos_id": -1,
            "eos_id": -1,
            "control_symbols": "[CLS],[SEP],[MASK]",
            "normalization_rule_name": "nmt_nfkc_cf",
        },
        offset=0,
    ),
}


def keep_pieces(family: str, folder: Path) -> SentencePieceProcessor:
    """Replace a folder's tokenizer by a SentencePiece model, and return that model."""
    pieces = PIECES[family]
    prefix = folder / "trained"
    SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 5),
        model_prefix=str(prefix),
        vocab_size=60,
        hard_vocab_limit=False,
        character_coverage=1.0,
        num_threads=1,
        minloglevel=2,
        **pieces.options,
    )
    shutil.move(prefix.with_suffix(".model"), folder / pieces.file)
    prefix.with_suffix(".vocab").unlink()
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).unlink(missing_ok=True)
    add_spare_rows(folder)
    config = json.loads((folder / "config.json").read_text())
    processor = SentencePieceProcessor(model_file=str(folder / pieces.file))
    assert processor.GetPieceSize() + 2 <= config["vocab_size"]
    return processor

"""A folder whose only tokenizer file is a SentencePiece model gets SentencePiece's own tokens."""

from pathlib import Path

import pytest

from shared.domain.errors import ModelNotAllowed
from shared.encoders.validation import check_model_folder
from tests.encoders import ENCODERS
from tests.encoders.pieces import PIECES, keep_pieces
from worker.training.data.tokenizer import load_tokenizer

TEXTS = [
    "the good film",
    "  two  spaces and a line ",
    "Why would ANYONE watch this, again? It isn't 100 % good.",
    "a ｆｕｌｌ width film",
]
NORMALIZES_LESS = "deberta-v3"
"""transformers leaves out the file's own normalization of this family; texts in plain ASCII, and
all that NFC does not change, have the same tokens."""


@pytest.mark.parametrize("family", PIECES)
def test_the_tokens_are_those_of_sentencepiece(family: str, tmp_path: Path) -> None:
    folder = ENCODERS[family](tmp_path / "it")
    processor = keep_pieces(family, folder)
    check_model_folder(folder)
    tokenizer, unknown = load_tokenizer(folder), processor.unk_id()
    for text in TEXTS[: 3 if family == NORMALIZES_LESS else None]:
        expected = [
            tokenizer.unk_token_id if piece == unknown else piece + PIECES[family].offset
            for piece in processor.encode(text)
        ]
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == expected, text


@pytest.mark.parametrize("family", PIECES)
def test_the_special_tokens_have_the_familys_ids(family: str, tmp_path: Path) -> None:
    folder = ENCODERS[family](tmp_path / "it")
    processor = keep_pieces(family, folder)
    tokenizer, size = load_tokenizer(folder), processor.GetPieceSize()
    first, last = tokenizer("a")["input_ids"][0], tokenizer("a")["input_ids"][-1]
    assert (tokenizer.cls_token_id, tokenizer.sep_token_id) == (first, last)
    assert tokenizer.pad_token_id == {"xlm-roberta": 1}.get(family, 0)
    assert (
        tokenizer.mask_token_id
        == {"xlm-roberta": size + 1, "deberta-v3": size, "albert": 4}[family]
    )


def test_more_pieces_than_embeddings_are_refused(tmp_path: Path) -> None:
    folder = ENCODERS["albert"](tmp_path / "it")
    keep_pieces("albert", folder)
    (folder / "added_tokens.json").write_text('{"<new>": 4000}')
    with pytest.raises(ModelNotAllowed, match="has 4,001 tokens and its embeddings only"):
        check_model_folder(folder)

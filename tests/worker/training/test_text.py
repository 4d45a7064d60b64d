"""Rows to token ids: truncation is counted, padding is the batch's own, a file is read once."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from shared.datasets import Examples
from shared.domain.errors import InvalidValue
from tests.encoders.families import xlm_roberta_folder
from tests.worker.training.runs import make_task, review_rows, write_tsv
from worker.training.data.batches import count_trained_tokens, iterate_batches_by_length
from worker.training.data.tokenization import (
    EncodedText,
    TextCache,
    encode_examples,
    load_tokenizer,
)
from worker.training.errors import BaseModelUnreadable

TEXTS = ["good film", "a", "the story was long and dull and bad " * 3]


def go_on() -> None:
    """Nobody wants to stop."""


def encoded(
    base: Path, texts: list[str], pairs: list[str] | None = None, max_seq_length: int = 16
) -> EncodedText:
    examples = Examples(
        texts=texts, second_texts=pairs, labels=[index % 2 for index in range(len(texts))]
    )
    return encode_examples(examples, load_tokenizer(base), max_seq_length, go_on)


def test_an_encoder_with_one_type_of_token_gets_none(tmp_path: Path, tiny_bert: Path) -> None:
    """Its tokenizer tells the texts of a pair apart all the same, by a type that the encoder
    has no row for.
    """
    base = xlm_roberta_folder(tmp_path)
    assert "token_type_ids" in AutoTokenizer.from_pretrained(base)("good", "film")
    assert set(encoded(base, TEXTS, TEXTS).columns) == {"input_ids"}
    assert set(encoded(tiny_bert, TEXTS, TEXTS).columns) == {"input_ids", "token_type_ids"}
    load_tokenizer(base).save_pretrained(tmp_path / "saved")
    assert "token_type_ids" not in AutoTokenizer.from_pretrained(tmp_path / "saved")("good", "film")


@pytest.mark.parametrize("family", ["tiny_bert", "tiny_roberta"])
@pytest.mark.parametrize("pairs", [None, ["no", "a film to watch " * 8, "end"]])
def test_a_batch_is_what_the_tokenizer_itself_makes_of_it(
    family: str, pairs: list[str] | None, request: pytest.FixtureRequest
) -> None:
    base = request.getfixturevalue(family)
    text = encoded(base, TEXTS, pairs)
    theirs = AutoTokenizer.from_pretrained(base)(
        TEXTS,
        pairs,
        truncation="longest_first",
        max_length=16,
        padding="longest",
        return_tensors="pt",
    )
    batch = text.build_padded_batch([0, 1, 2])
    assert batch.inputs.keys() == theirs.keys()
    for name, tensor in batch.inputs.items():
        assert torch.equal(tensor, theirs[name]), name
    assert batch.labels.tolist() == [0, 1, 0]


def test_a_batch_is_padded_to_its_own_longest_row(tiny_bert: Path) -> None:
    text = encoded(tiny_bert, TEXTS)
    assert text.build_padded_batch([0, 1]).inputs["input_ids"].shape == (2, 4)
    assert text.build_padded_batch([2]).inputs["input_ids"].shape == (1, 16)


def test_truncated_rows_are_counted_and_rows_that_just_fit_are_not(tiny_bert: Path) -> None:
    fits, over = "good " * 14, "good " * 15
    assert encoded(tiny_bert, [fits, over, "bad"]).truncated == [False, True, False]
    assert encoded(tiny_bert, ["good", "good"], ["bad " * 12, "bad " * 13]).truncated == [
        False,
        True,
    ]


def test_of_a_pair_the_longer_text_is_cut_first(tiny_bert: Path) -> None:
    [row] = encoded(tiny_bert, ["good film"], ["bad " * 40]).columns["input_ids"]
    tokens = load_tokenizer(tiny_bert).convert_ids_to_tokens(row.tolist())
    assert tokens == ["[CLS]", "good", "film", "[SEP]", *["bad"] * 11, "[SEP]"]


def test_tokens_are_counted_without_padding(tiny_bert: Path) -> None:
    text = encoded(tiny_bert, ["good", "bad film", "a the film"])
    lengths = [3, 4, 5]
    assert text.list_lengths([0, 1, 2]) == lengths
    assert count_trained_tokens(text, [0, 1, 2], batch_size=2, data_seed=0, steps=4) == 2 * sum(
        lengths
    )


def test_evaluation_batches_hold_rows_of_like_length_and_every_row_once(
    tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.training.data.batches.EVALUATION_BATCH_TOKENS", 60)
    text = encoded(tiny_bert, ["good " * (index % 13) for index in range(70)])
    rows = list(range(5, 70))
    batches = list(iterate_batches_by_length(rows, text))
    assert sorted(row for batch in batches for row in batch) == rows
    lengths = [length for batch in batches for length in text.list_lengths(batch)]
    assert lengths == sorted(lengths, reverse=True)
    assert all(len(batch) * max(text.list_lengths(batch)) <= 60 for batch in batches)
    assert all((len(batch) + 1) * max(text.list_lengths(batch)) > 60 for batch in batches[:-1])
    monkeypatch.setattr("worker.training.data.batches.EVALUATION_BATCH_TOKENS", 2)
    assert list(iterate_batches_by_length([3, 9, 1], text)) == [
        [9],
        [3],
        [1],
    ]  # each longer than a batch may be


def test_the_cache_reads_a_file_once_and_goes_by_content(
    tmp_path: Path, tiny_bert: Path, tiny_roberta: Path
) -> None:
    cache, task = TextCache(size=3), make_task()
    file = write_tsv(tmp_path / "rows.tsv", review_rows(20))

    def read(base: Path = tiny_bert, max_seq_length: int = 32) -> EncodedText:
        changed = task.model_copy(update={"max_seq_length": max_seq_length})
        return cache.get_encoded_text(file, changed, base, go_on, param="training_file")

    first = read()
    assert read() is first
    assert read(base=tiny_roberta) is not first
    assert read(max_seq_length=8) is not first
    write_tsv(file.path, review_rows(30))
    assert len(read().labels) == 30
    write_tsv(file.path, review_rows(20))
    assert read() is not first  # four were asked for since, three are kept


def test_a_label_that_the_task_does_not_know_is_named(tmp_path: Path, tiny_bert: Path) -> None:
    file = write_tsv(
        tmp_path / "rows.tsv", [("text", "label"), ("good", "yes"), ("bad", "perhaps")]
    )
    with pytest.raises(InvalidValue, match="perhaps") as caught:
        TextCache().get_encoded_text(file, make_task(), tiny_bert, go_on, param="validation_file")
    assert caught.value.param == "validation_file"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("no tokenizer", "no tokenizer"),
        ("no json", "cannot be read"),
        ("no padding", "no fast tokenizer with a padding token"),
        ("smaller weights", "knows 92 tokens, its weights 90"),
    ],
)
def test_tokenizers_that_cannot_serve_are_refused_in_words(
    damage: str, said: str, tiny_bert: Path, tmp_path: Path
) -> None:
    base = Path(shutil.copytree(tiny_bert, tmp_path / "copy"))
    match damage:
        case "no tokenizer":
            (base / "tokenizer.json").unlink()
            (base / "tokenizer_config.json").unlink()
        case "no json":
            (base / "tokenizer.json").write_text("{")
        case "no padding":
            config = json.loads((base / "tokenizer_config.json").read_text())
            (base / "tokenizer_config.json").write_text(json.dumps(config | {"pad_token": None}))
        case "smaller weights":
            config = json.loads((base / "config.json").read_text())
            (base / "config.json").write_text(json.dumps(config | {"vocab_size": 90}))
    with pytest.raises(BaseModelUnreadable, match=said):
        load_tokenizer(base)

"""Tokenization truncates, pads and caches as documented."""

import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from shared.datasets import Examples
from shared.domain.errors import InvalidValue
from tests.encoders.families import build_xlm_roberta_folder
from tests.encoders.layouts import change_json, change_tensors
from tests.worker.training.runs import make_review_rows, make_task, never_stop, write_tsv
from worker.training.data.tokenization import EncodedText, TextCache, encode_examples
from worker.training.data.tokenizer import load_tokenizer
from worker.training.errors import BaseModelUnreadable

TEXTS = ["good film", "a", "the story was long and dull and bad " * 3]


def encode_texts(
    base: Path, texts: list[str], pairs: list[str] | None = None, max_seq_length: int = 16
) -> EncodedText:
    examples = Examples(
        texts=texts, second_texts=pairs, labels=[index % 2 for index in range(len(texts))]
    )
    return encode_examples(examples, load_tokenizer(base), max_seq_length, never_stop)


def test_an_encoder_with_one_token_type_gets_no_types(tmp_path: Path, tiny_bert: Path) -> None:
    """Its tokenizer returns a type for the second text that the encoder has no embedding for."""
    base = build_xlm_roberta_folder(tmp_path)
    assert "token_type_ids" in AutoTokenizer.from_pretrained(base)("good", "film")
    assert set(encode_texts(base, TEXTS, TEXTS).columns) == {"input_ids"}
    assert set(encode_texts(tiny_bert, TEXTS, TEXTS).columns) == {"input_ids", "token_type_ids"}
    load_tokenizer(base).save_pretrained(tmp_path / "saved")
    assert "token_type_ids" not in AutoTokenizer.from_pretrained(tmp_path / "saved")("good", "film")


@pytest.mark.parametrize("family", ["tiny_bert", "tiny_roberta"])
@pytest.mark.parametrize("pairs", [None, ["no", "a film to watch " * 8, "end"]])
def test_a_padded_batch_equals_the_tokenizers_own(
    family: str, pairs: list[str] | None, request: pytest.FixtureRequest
) -> None:
    base = request.getfixturevalue(family)
    text = encode_texts(base, TEXTS, pairs)
    expected = AutoTokenizer.from_pretrained(base)(
        TEXTS,
        pairs,
        truncation="longest_first",
        max_length=16,
        padding="longest",
        return_tensors="pt",
    )
    batch = text.build_padded_batch([0, 1, 2])
    assert batch.inputs.keys() == expected.keys()
    for name, tensor in batch.inputs.items():
        assert torch.equal(tensor, expected[name]), name
    assert batch.labels.tolist() == [0, 1, 0]


def test_a_batch_is_padded_to_its_own_longest_row(tiny_bert: Path) -> None:
    text = encode_texts(tiny_bert, TEXTS)
    assert text.build_padded_batch([0, 1]).inputs["input_ids"].shape == (2, 4)
    assert text.build_padded_batch([2]).inputs["input_ids"].shape == (1, 16)


def test_only_rows_that_do_not_fit_are_truncated(tiny_bert: Path) -> None:
    fits, over = "good " * 14, "good " * 15
    assert encode_texts(tiny_bert, [fits, over, "bad"]).truncated == [False, True, False]
    assert encode_texts(tiny_bert, ["good", "good"], ["bad " * 12, "bad " * 13]).truncated == [
        False,
        True,
    ]


def test_the_longer_text_of_a_pair_is_truncated_first(tiny_bert: Path) -> None:
    [row] = encode_texts(tiny_bert, ["good film"], ["bad " * 40]).columns["input_ids"]
    tokens = load_tokenizer(tiny_bert).convert_ids_to_tokens(row.tolist())
    assert tokens == ["[CLS]", "good", "film", "[SEP]", *["bad"] * 11, "[SEP]"]


def test_the_cache_reads_each_content_once(
    tmp_path: Path, tiny_bert: Path, tiny_roberta: Path
) -> None:
    cache, task = TextCache(size=3), make_task()
    file = write_tsv(tmp_path / "rows.tsv", make_review_rows(20))

    def read(base: Path = tiny_bert, max_seq_length: int = 32) -> EncodedText:
        changed = task.model_copy(update={"max_seq_length": max_seq_length})
        return cache.get_encoded_text(file, changed, base, never_stop, param="training_file")

    first = read()
    assert read() is first
    assert read(base=tiny_roberta) is not first
    assert read(max_seq_length=8) is not first
    write_tsv(file.path, make_review_rows(30))
    assert len(read().labels) == 30
    write_tsv(file.path, make_review_rows(20))
    assert read() is not first  # evicted: the cache has three entries


def test_an_unknown_label_is_named(tmp_path: Path, tiny_bert: Path) -> None:
    file = write_tsv(
        tmp_path / "rows.tsv", [("text", "label"), ("good", "yes"), ("bad", "perhaps")]
    )
    with pytest.raises(InvalidValue, match="perhaps") as caught:
        TextCache().get_encoded_text(
            file, make_task(), tiny_bert, never_stop, param="validation_file"
        )
    assert caught.value.param == "validation_file"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("no tokenizer", "no tokenizer"),
        ("no json", "tokenizer.json is damaged"),
        ("no padding", "has a tokenizer without a padding token"),
        ("smaller weights", "its tokenizer has 92 tokens and its embeddings only 90"),
    ],
)
def test_unsuitable_tokenizers_are_rejected(
    damage: str, message: str, tiny_bert: Path, tmp_path: Path
) -> None:
    base = Path(shutil.copytree(tiny_bert, tmp_path / "copy"))
    match damage:
        case "no tokenizer":
            (base / "tokenizer.json").unlink()
            (base / "tokenizer_config.json").unlink()
        case "no json":
            (base / "tokenizer.json").write_text("{")
        case "no padding":
            change_json(base / "tokenizer_config.json", pad_token=None)
            change_json(base / "config.json", pad_token_id=None)
            content = (base / "tokenizer.json").read_text().replace("[PAD]", "[NIL]")
            (base / "tokenizer.json").write_text(content)
        case "smaller weights":
            name = "embeddings.word_embeddings.weight"
            change_tensors(base, lambda tensors: tensors | {name: tensors[name][:90]})
            change_json(base / "config.json", vocab_size=90)
    with pytest.raises(BaseModelUnreadable, match=message):
        load_tokenizer(base)

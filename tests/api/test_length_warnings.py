"""Texts that are cut: counted at creation with the model's tokenizer, all or a random sample."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.jobs.planning import text_lengths
from api.jobs.planning.text_lengths import EncoderInput, measure_text_lengths
from shared.datasets import Examples
from shared.domain.task import Task, TaskType
from tests.api.planned_jobs import get_warnings, upload_rows
from tests.encoders import ENCODERS
from tests.encoders.tokenizers import LIMIT
from tests.make import csv_bytes

TASK = Task(
    type=TaskType.SINGLE_LABEL,
    text_column="text",
    text_pair_column=None,
    label_column="label",
    header=True,
    label_names=["a", "b"],
    positive_label="b",
    max_seq_length=16,
)


def build_texts(count: int, long_count: int, words: int, name: str = "t") -> bytes:
    """Return rows of which the first ones have this many words, of one token each."""
    texts = [" ".join(["film"] * (words if row < long_count else 4)) for row in range(count)]
    return csv_bytes([(f"{text} {name} {row}", "ab"[row % 2]) for row, text in enumerate(texts)])


def test_cut_texts_are_counted_in_every_split(http: TestClient) -> None:
    training = upload_rows(http, build_texts(100, 30, 40))
    validation = upload_rows(http, build_texts(100, 0, 40, "v"))
    test = upload_rows(http, build_texts(100, 2, 40, "e"))
    request = {"validation_file": validation, "test_file": test}
    found = get_warnings(http, training, task={"max_seq_length": 16}, **request)
    message = found["truncated_texts"]
    assert message.startswith(
        "30 of 100 training texts (30%) and 2 of 100 test texts (2%) are longer than 16 tokens "
    )
    enough = int(message.split("Set task.max_seq_length to ")[1].split()[0])
    assert enough % 8 == 0
    settings: dict[str, Any] = {"task": {"max_seq_length": enough}, **request}
    assert "truncated_texts" not in get_warnings(http, training, **settings)


def test_the_advice_ends_at_the_limit_of_the_model(http: TestClient) -> None:
    file_id = upload_rows(http, build_texts(100, 30, 90))
    found = get_warnings(http, file_id, task={"max_seq_length": 16})
    assert found["truncated_texts"].endswith(
        f"Set task.max_seq_length to {LIMIT}, this model's limit; longer texts are still cut."
    )
    at_limit = get_warnings(http, file_id)
    assert at_limit["truncated_texts"].endswith(
        "No larger task.max_seq_length exists for this model; shorten or split the texts."
    )


def test_every_row_of_the_folds_counts_once(http: TestClient) -> None:
    file_id = upload_rows(http, build_texts(100, 30, 40))
    folds = {"mode": "kfold", "k": 5}
    found = get_warnings(http, file_id, task={"max_seq_length": 16}, split=folds)
    assert found["truncated_texts"].startswith("30 of 100 training texts (30%) are longer than 16 ")


def test_pairs_are_counted_together(http: TestClient) -> None:
    word = "film "
    cells = [(word * 9, f"{word * 9} {row}", "ab"[row % 2]) for row in range(100)]
    file_id = upload_rows(http, csv_bytes([*cells], ("sentence1", "sentence2", "label")))
    found = get_warnings(http, file_id, task={"max_seq_length": 16})
    assert found["truncated_texts"].startswith("80 of 80 training texts (100%) and 20 of 20 ")


@pytest.mark.parametrize("limit", ["MAX_COUNTED_ROWS", "MAX_COUNTED_CHARACTERS"])
def test_of_many_texts_a_random_sample_is_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str
) -> None:
    encoder = EncoderInput(LIMIT, ENCODERS["bert"](tmp_path / "bert"))
    texts = ["film film"] * 500 + ["film film film film film"] * 500
    examples = Examples(texts=texts, second_texts=None, labels=[0] * len(texts))
    whole = measure_text_lengths(examples, TASK, encoder, "file-whole")
    assert whole is not None
    assert (len(whole.tokens_by_row), whole.is_sample) == (1000, False)
    assert {whole.tokens_by_row[0], whole.tokens_by_row[999]} == {4, 7}
    monkeypatch.setattr(text_lengths, limit, 200 * (1 if limit == "MAX_COUNTED_ROWS" else 17))
    sample = measure_text_lengths(examples, TASK, encoder, "file-sample")
    assert sample is not None
    assert sample.is_sample
    assert 150 <= len(sample.tokens_by_row) <= 250
    long_share = sum(row >= 500 for row in sample.tokens_by_row) / len(sample.tokens_by_row)
    assert 0.4 < long_share < 0.6
    assert all(whole.tokens_by_row[row] == count for row, count in sample.tokens_by_row.items())


def test_equal_files_are_counted_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    encoder = EncoderInput(LIMIT, ENCODERS["bert"](tmp_path / "bert"))
    examples = Examples(texts=["film"], second_texts=None, labels=[0])
    first = measure_text_lengths(examples, TASK, encoder, "file-1")
    assert measure_text_lengths(examples, TASK, encoder, "file-1") is first
    pairs = TASK.model_copy(update={"text_pair_column": "text"})
    assert measure_text_lengths(examples, pairs, encoder, "file-1") is not first
    for number in range(text_lengths.MAX_CACHED_FILES):
        measure_text_lengths(examples, TASK, encoder, f"file-other-{number}")
    assert measure_text_lengths(examples, TASK, encoder, "file-1") is not first


def test_without_a_tokenizer_nothing_is_counted() -> None:
    examples = Examples(texts=["film"], second_texts=None, labels=[0])
    assert measure_text_lengths(examples, TASK, EncoderInput(LIMIT, None), "file-1") is None


def test_one_cut_text_is_spoken_of_in_the_singular(http: TestClient) -> None:
    file_id = upload_rows(http, build_texts(100, 1, 40))
    found = get_warnings(http, file_id, task={"max_seq_length": 16}, split={"mode": "kfold"})
    assert found["truncated_texts"].startswith(
        "1 of 100 training texts (1%) is longer than 16 tokens and loses its end (95th"
    )

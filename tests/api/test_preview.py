"""Previews show the tokens that the trainer would feed to the network."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.files.tokenization import tokenize_texts
from shared.datasets import Examples
from shared.domain.errors import ModelNotAllowed
from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue
from tests.encoders import ENCODERS
from tests.encoders.small_folders import TOKENIZER
from tests.make import pair_tsv, review_csv
from tests.shared.datasets.files import jsonl_bytes
from worker.training.data.tokenization import encode_examples
from worker.training.data.tokenizer import load_tokenizer

TEXTS = [
    "The good film was a joy!",
    "bad",
    "why would anyone watch this again " * 9,
    "Zoë 😀 [SEP] <s> x1",
]
PAIRS = ["no joy at all " * 5, "a warm heart", "end", "a lovely story told with care " * 9]


def upload(http: TestClient, content: bytes, name: str) -> str:
    response = http.post("/v1/files", files={"file": (name, content)})
    assert response.status_code == 200, response.text
    return str(response.json()["id"])


def get_preview(http: TestClient, file_id: str, **query: Any) -> Any:
    return http.get(f"/v1/files/{file_id}/preview", params={"model": "tiny-bert", **query})


@pytest.mark.parametrize("family", sorted(ENCODERS))
@pytest.mark.parametrize("pairs", [None, PAIRS])
def test_the_preview_has_the_trainer_s_tokens(
    family: str, pairs: list[str] | None, tmp_path: Path
) -> None:
    base = ENCODERS[family](tmp_path / family)
    examples = Examples(texts=TEXTS, second_texts=pairs, labels=[0] * len(TEXTS))
    expected = encode_examples(examples, load_tokenizer(base), 24, lambda: None)
    seen = tokenize_texts(
        base, [(text, pairs[index] if pairs else None) for index, text in enumerate(TEXTS)], 24
    )
    assert [row.input_ids for row in seen] == [
        row.tolist() for row in expected.columns["input_ids"]
    ]
    assert [row.is_truncated for row in seen] == expected.truncated
    assert any(row.is_truncated for row in seen)
    assert not all(row.is_truncated for row in seen)


@pytest.mark.real_encoder
def test_the_preview_of_the_offline_encoder_has_the_trainer_s_tokens() -> None:
    """Its tokenizer.json enables padding and truncation to 128 tokens; both must be overridden."""
    base = Catalogue().get_folder(OFFLINE_ENCODER)
    examples = Examples(texts=TEXTS, second_texts=PAIRS, labels=[0] * len(TEXTS))
    expected = encode_examples(examples, load_tokenizer(base), 30, lambda: None)
    seen = tokenize_texts(base, list(zip(TEXTS, PAIRS, strict=True)), 30)
    assert [row.input_ids for row in seen] == [
        row.tolist() for row in expected.columns["input_ids"]
    ]
    assert [row.is_truncated for row in seen] == expected.truncated


def test_a_preview_shows_the_first_rows(http: TestClient, file_id: str) -> None:
    shown = get_preview(http, file_id, n=3).json()
    assert (shown["object"], shown["file_id"], shown["model"]) == (
        "file.preview",
        file_id,
        "tiny-bert",
    )
    assert (shown["text_column"], shown["text_pair_column"], shown["label_column"]) == (
        "text",
        None,
        "label",
    )
    assert [row["row"] for row in shown["data"]] == [1, 2, 3]
    lines = review_csv(40).decode().splitlines()[1:4]
    assert [f"{row['text']},{row['label']}" for row in shown["data"]] == lines
    for row in shown["data"]:
        assert (row["tokens"][0], row["tokens"][-1]) == ("[CLS]", "[SEP]")
        assert len(row["tokens"]) == len(row["input_ids"]) == row["num_tokens"]
        assert (row["truncated"], row["text_pair"]) == (False, None)
    assert len(get_preview(http, file_id).json()["data"]) == 10


def test_truncated_rows_are_marked(http: TestClient, file_id: str) -> None:
    shown = get_preview(http, file_id, max_seq_length=8).json()
    assert (shown["max_seq_length"], shown["truncated"]) == (8, 10)
    for row in shown["data"]:
        assert row["truncated"]
        assert len(row["input_ids"]) == 8 < row["num_tokens"]
    # the tiny encoders have 64 positions
    assert get_preview(http, file_id).json()["max_seq_length"] == 64


def test_pairs_and_lists_of_labels_are_shown(http: TestClient) -> None:
    pairs = get_preview(http, upload(http, pair_tsv(20), "pairs.tsv"), n=1).json()
    assert (pairs["text_column"], pairs["text_pair_column"]) == ("question1", "question2")
    assert pairs["data"][0]["tokens"].count("[SEP]") == 2
    rows = [{"text": f"film {n}", "labels": ["good", "a|b"][: n % 3]} for n in range(6)]
    listed = get_preview(http, upload(http, jsonl_bytes(rows), "multi.jsonl")).json()
    assert [row["label"] for row in listed["data"]] == [row["labels"] for row in rows]


def test_columns_can_be_given_by_index_and_by_name(http: TestClient) -> None:
    headerless = upload(
        http, "".join(f"gj04\t{n % 2}\t\tsentence {n}\n" for n in range(20)).encode(), "cola.tsv"
    )
    question = get_preview(http, headerless)
    assert (question.status_code, question.json()["error"]["param"]) == (400, "label_column")
    shown = get_preview(http, headerless, text_column="3", label_column="1", n=2).json()
    assert [(row["text"], row["label"]) for row in shown["data"]] == [
        ("sentence 0", "0"),
        ("sentence 1", "1"),
    ]
    assert shown["text_column"] == 3
    named = upload(http, b"1,0\nyes,a film\nno,a story\nyes,end\n", "odd.csv")
    shown = get_preview(http, named, header="true", text_column="0", label_column="1", n=1).json()
    assert (shown["text_column"], shown["data"][0]["text"], shown["data"][0]["label"]) == (
        "0",
        "a film",
        "yes",
    )


def test_unreadable_rows_are_skipped(http: TestClient) -> None:
    file_id = upload(http, b"text,label\na film,x\nthree,cells,here\na story,y\n", "a.csv")
    assert [row["row"] for row in get_preview(http, file_id).json()["data"]] == [1, 3]


def test_a_long_text_is_shortened_but_counted_in_full(http: TestClient) -> None:
    row = get_preview(
        http, upload(http, b"text,label\n" + b"film " * 1000 + b",x\nend,y\n", "a.csv")
    ).json()["data"][0]
    assert (len(row["text"]), row["num_tokens"]) == (2000, 1002)


@pytest.mark.parametrize(
    ("query", "status", "code", "param"),
    [
        ({"model": "none"}, 400, "model_not_allowed", "model"),
        ({"model": "ft:none"}, 404, "model_not_found", "model"),
        ({"n": 0}, 400, "invalid_request", "n"),
        ({"n": 101}, 400, "invalid_request", "n"),
        ({"max_seq_length": 7}, 400, "invalid_request", "max_seq_length"),
        ({"max_seq_length": 65}, 400, "invalid_value", "max_seq_length"),
        ({"text_column": "body"}, 400, "invalid_value", "text_column"),
        ({"text_column": "9999"}, 400, "invalid_value", "text_column"),
        ({"text_column": "label", "label_column": "label"}, 400, "invalid_value", "label_column"),
        ({"header": "yes"}, 400, "invalid_request", "header"),
        ({"rows": 3}, 400, "invalid_request", "rows"),
    ],
)
def test_invalid_previews_are_refused(
    http: TestClient, file_id: str, query: dict[str, Any], status: int, code: str, param: str
) -> None:
    response = get_preview(http, file_id, **query)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (status, code, param)


def test_an_unknown_file_is_not_found(http: TestClient) -> None:
    assert get_preview(http, "file-none").status_code == 404


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_an_unreadable_tokenizer_is_refused(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelNotAllowed) as refusal:
        tokenize_texts(tmp_path, [("a", None)], 8)
    assert refusal.value.param == "model"


def test_a_tokenizer_that_fails_on_a_text_is_refused_in_words(tmp_path: Path) -> None:
    split = {"type": "Split", "pattern": {"Regex": "(x+)+$"}, "behavior": "Isolated"}
    tokenizer = TOKENIZER | {"pre_tokenizer": split | {"invert": False}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert tokenize_texts(tmp_path, [("a", None)], 8)[0].num_tokens == 1
    with pytest.raises(ModelNotAllowed, match=r"fails on a text \(.*limit"):
        tokenize_texts(tmp_path, [("x" * 40 + "!", None)], 8)

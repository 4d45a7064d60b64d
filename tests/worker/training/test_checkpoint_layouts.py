"""Checkpoints train, export and serve rightly in the layouts in which they are published."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from api.serving.classifier import Classifier, Text
from shared.encoders.validation import check_model_folder
from tests.encoders import ENCODERS
from tests.encoders.layouts import LAYOUTS, STORAGE_LAYOUTS, build_layout
from tests.encoders.pieces import PIECES, keep_pieces
from tests.worker.training.runs import (
    TrainedRun,
    make_recipe,
    make_review_rows,
    make_spec,
    make_task,
    write_tsv,
)
from tests.worker.training.served import compute_served_logits
from worker.training.data.tokenizer import load_tokenizer
from worker.training.model.encoder import load_encoder
from worker.training.model.transformers_logging import silence_transformers

TEXTS: list[Text] = [
    ("good film", "a story"),
    ("a", "why would anyone watch this again it is long and it is not good"),
    ("joy", "<emoji> story told with care"),
]
LENGTH = 14


def train_pairs(folder: Path, base: Path) -> TrainedRun:
    """Train two steps on pairs of texts, some of which are truncated."""
    spec = make_spec(
        folder,
        base,
        recipe=make_recipe(max_steps=2, eval_points=1, reinit_layers=0),
        task=make_task(text_column="text", text_pair_column="other", max_seq_length=LENGTH),
        training_file=write_tsv(folder / "pairs.tsv", make_review_rows(30, pairs=True)),
    )
    return TrainedRun(spec)


@torch.no_grad()
def compute_with_transformers(folder: Path, texts: list[Text]) -> np.ndarray:
    """Return logits of the pairs as a batch, the way a user of the exported folder gets them."""
    with silence_transformers():
        network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
    first, second = (list(column) for column in zip(*texts, strict=True))
    inputs = tokenizer(first, second, truncation=True, padding=True, return_tensors="pt")
    return np.asarray(network(**inputs).logits)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_published_layout_trains_exports_and_serves(name: str, tmp_path: Path) -> None:
    check_from_training_to_serving(build_layout(name, tmp_path / "base"), tmp_path)


@pytest.mark.parametrize("family", PIECES)
def test_pieces_alone_train_export_and_serve(family: str, tmp_path: Path) -> None:
    base = ENCODERS[family](tmp_path / "base")
    keep_pieces(family, base)
    check_from_training_to_serving(base, tmp_path)
    assert (tmp_path / "output-0" / "model" / "tokenizer.json").is_file()


def check_from_training_to_serving(base: Path, tmp_path: Path) -> None:
    """Train, and compare what is served with what transformers computes of the same folder."""
    check_model_folder(base)
    run = train_pairs(tmp_path, base)
    assert len(run.steps) == 2
    assert all(np.isfinite(step.train_loss) for step in run.steps)
    folder = run.spec.output / "model"
    expected = compute_with_transformers(folder, TEXTS)
    served = Classifier(folder, max_seq_length=LENGTH, threads=1)
    np.testing.assert_allclose(compute_served_logits(served, TEXTS), expected, atol=1e-4)
    check_model_folder(folder)  # the result can be a base model again


@pytest.mark.parametrize("name", STORAGE_LAYOUTS)
def test_a_layout_of_storage_changes_neither_weights_nor_tokens(name: str, tmp_path: Path) -> None:
    family, _ = STORAGE_LAYOUTS[name]
    plain, other = ENCODERS[family](tmp_path / "plain"), build_layout(name, tmp_path / "other")
    first, second = (load_encoder(base, make_task(), 3).state_dict() for base in (plain, other))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    options = {"truncation": True, "max_length": LENGTH, "padding": True}
    tokens = [load_tokenizer(base)(TEXTS, **options) for base in (plain, other)]
    assert tokens[0]["input_ids"] == tokens[1]["input_ids"]
    assert tokens[0]["attention_mask"] == tokens[1]["attention_mask"]


def test_the_exported_folder_has_what_other_servers_read(tmp_path: Path) -> None:
    """text-embeddings-inference reads these files and keys, and no others, of a classifier."""
    base = build_layout("weights in several files", tmp_path / "base")
    folder = train_pairs(tmp_path, base).spec.output / "model"
    names = {file.name for file in folder.iterdir()}
    assert {"config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"} <= names
    assert "model.safetensors.index.json" not in names
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert config["id2label"] == {"0": "no", "1": "yes"}
    assert config.keys() >= {
        "hidden_act",
        "hidden_size",
        "intermediate_size",
        "layer_norm_eps",
        "max_position_embeddings",
        "model_type",
        "num_attention_heads",
        "num_hidden_layers",
        "pad_token_id",
        "type_vocab_size",
        "vocab_size",
    }
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    assert tokenizer["truncation"] is tokenizer["padding"] is None  # the server sets its own
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    assert settings["model_max_length"] == LENGTH

"""Runs with pooled heads and separate pairs: published folder, resume, switches and stacks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from torch.nn import functional

from api.serving.classifier import Classifier, Text
from shared.domain.task import TaskType
from shared.metrics import Scoring
from tests.encoders import ENCODERS, build_bert_folder
from tests.worker.training.pooled_models import (
    PlainModel,
    make_pair_spec,
    train_pairs_alone_and_stacked,
)
from tests.worker.training.runs import TrainedRun, iterate_events, make_spec
from tests.worker.training.served import compute_served_logits
from worker.training.evaluation import decode_logits
from worker.training.events import Evaluation, RunEvent, Step
from worker.training.spec import RunSpec

ALL_AT_ONCE: dict[str, object] = {
    "max_steps": 4,
    "eval_points": 2,
    "bias_correction": False,
    "weight_decay": 0.05,
    "pretrained_weight_decay": 0.1,
    "layerwise_learning_rate_decay": 0.8,
    "mixout": 0.2,
    "head_first": True,
}
SEPARATE: dict[str, Any] = {"pooling": "mean", "pair_encoding": "separate"}
ALIGNED: dict[str, Any] = {"pooling": "mean", "pair_encoding": "aligned"}
CASES = [
    ("cls", "joined", TaskType.MULTI_LABEL),
    ("mean", "joined", TaskType.REGRESSION),
    ("cls", "separate", TaskType.SINGLE_LABEL),
    ("mean", "separate", TaskType.MULTI_LABEL),
    ("mean", "separate", TaskType.REGRESSION),
    ("mean", "aligned", TaskType.SINGLE_LABEL),
    ("cls", "aligned", TaskType.REGRESSION),
]


def read_predictions(spec: RunSpec) -> tuple[list[str], list[str], list[dict[str, Any]]]:
    """Return first texts, second texts and recorded predictions of the validation rows."""
    content = json.loads((spec.output / "predictions.json").read_text())
    predictions: list[dict[str, Any]] = content["rows"]
    lines = [line.split("\t") for line in spec.training_file.path.read_text().splitlines()[1:]]
    first, second = (
        [lines[prediction["row"] - 1][column] for prediction in predictions] for column in (0, 1)
    )
    return first, second, predictions


@torch.no_grad()
def check_published_folder(run: TrainedRun) -> None:
    """Compare the recorded results with those of plain torch and of the ONNX graph."""
    spec, folder = run.spec, run.spec.output / "model"
    first, second, recorded = read_predictions(spec)
    logits = PlainModel.from_folder(folder, spec)(first, second)
    predictions, probabilities = decode_logits(logits, spec.task.type)
    for row, expected in zip(recorded, probabilities, strict=True):
        assert row["probabilities"] == pytest.approx(expected, abs=1e-5)
    if spec.task.type is TaskType.REGRESSION:
        assert [row["predicted"] for row in recorded] == pytest.approx(predictions, abs=1e-5)
        scores = Scoring(spec.task, spec.metric).compute_scores(
            [row["label"] for row in recorded], predictions
        )
        assert scores == pytest.approx(run.finished.validation.metrics, abs=1e-5)
    classifier = Classifier(folder, max_seq_length=spec.task.max_seq_length, threads=1)
    pairs: list[Text] = list(zip(first, second, strict=True))
    encoded = classifier.encode_texts(pairs)
    served = compute_served_logits(classifier, pairs)
    np.testing.assert_allclose(served, logits.numpy(), atol=1e-5)
    assert encoded.truncated == [
        len(words) > spec.task.max_seq_length for words in _list_tokens(spec, first, second)
    ]


def _list_tokens(spec: RunSpec, first: list[str], second: list[str]) -> list[list[int]]:
    """Return the untruncated tokens of each pair, or of its longer text if encoded separately."""
    tokenizer = PlainModel.from_folder(spec.output / "model", spec).tokenizer
    if spec.recipe.pair_encoding == "joined":
        joined: list[list[int]] = tokenizer(first, second, truncation=False)["input_ids"]
        return joined
    parts = (tokenizer(part, truncation=False)["input_ids"] for part in (first, second))
    return [max(row, key=len) for row in zip(*parts, strict=True)]


@pytest.mark.parametrize(("pooling", "pair_encoding", "task_type"), CASES)
def test_the_published_folder_of_every_task_type_predicts_what_was_recorded(
    pooling: str, pair_encoding: str, task_type: TaskType, tmp_path: Path
) -> None:
    base = build_bert_folder(tmp_path / "base")
    weights = set()
    for head_first in (False, True):
        spec = make_pair_spec(
            tmp_path,
            base,
            pooling=pooling,
            pair_encoding=pair_encoding,
            task_type=task_type,
            recipe={"head_first": head_first},
        )
        run = TrainedRun(spec)
        check_published_folder(run)
        weights.add(run.finished.weights_sha256)
    assert len(weights) == 2


@pytest.mark.parametrize("family", ENCODERS)
def test_every_family_trains_under_all_switches_at_once(family: str, tmp_path: Path) -> None:
    base = ENCODERS[family](tmp_path / "base")
    for choice in (SEPARATE, ALIGNED):
        run = TrainedRun(make_pair_spec(tmp_path, base, recipe=ALL_AT_ONCE, **choice))
        check_published_folder(run)
        assert run.finished.evidence.distance["head"] > 0
    joined = make_pair_spec(
        tmp_path,
        base,
        pooling="cls",
        pair_encoding="joined",
        recipe={"max_steps": 2, "head_first": True},
    )
    check_published_folder(TrainedRun(joined))


def test_the_folder_is_a_sentence_encoder_and_a_base_model(tmp_path: Path) -> None:
    base = build_bert_folder(tmp_path / "base")
    spec = make_pair_spec(tmp_path, base, task_type=TaskType.REGRESSION, **SEPARATE)
    run, folder = TrainedRun(spec), spec.output / "model"
    first, second, recorded = read_predictions(spec)
    encoder = SentenceTransformer(str(folder), device="cpu")
    u, v = (encoder.encode(texts, convert_to_tensor=True) for texts in (first, second))
    head = load_file(folder / "head.safetensors")
    predicted = (
        functional.cosine_similarity(u, v) * head["map.weight"][0] + head["map.bias"]
    ).tolist()
    assert predicted == pytest.approx([row["predicted"] for row in recorded], abs=1e-5)
    # as the base model of another run it gives its encoder; the head is new as always
    joined: dict[str, Any] = {"pooling": "family", "pair_encoding": "joined"}
    for choice in (joined, SEPARATE):
        again = TrainedRun(make_pair_spec(tmp_path, folder, recipe={"max_steps": 2}, **choice))
        assert len(again.steps) == 2
    assert run.finished.weights_sha256 != again.finished.weights_sha256


@pytest.mark.parametrize("choice", [SEPARATE, ALIGNED], ids=["separate", "aligned"])
@pytest.mark.parametrize(
    "changes", [{}, {"precision": "bfloat16", "mixout": 0.2}, {"select": "last"}], ids=str
)
def test_a_resumed_run_is_the_same_to_the_last_bit(
    changes: dict[str, object], choice: dict[str, Any], tmp_path: Path
) -> None:
    base = build_bert_folder(tmp_path / "base")

    def make(**more: Any) -> RunSpec:
        return make_pair_spec(
            tmp_path, base, task_type=TaskType.REGRESSION, recipe=changes, **choice, **more
        )

    whole, paused = TrainedRun(make()), make(stop_step=6)
    before = list(iterate_events(paused))
    after = list(iterate_events(make(state=paused.output / "state-6")))
    assert _select_points([*before, *after]) == _select_points(whole.events)
    assert after[-1] == whole.finished  # includes the digest of encoder and head


def _select_points(events: list[RunEvent]) -> list[RunEvent]:
    return [event for event in events if isinstance(event, Step | Evaluation)]


@pytest.mark.parametrize("family", ["bert", "albert", "modernbert", "roberta"])
@pytest.mark.parametrize(("pooling", "pair_encoding", "task_type"), [CASES[0], *CASES[3:]])
def test_seeds_trained_side_by_side_equal_single_runs(
    family: str, pooling: str, pair_encoding: str, task_type: TaskType, tmp_path: Path
) -> None:
    base = ENCODERS[family](tmp_path / "base", dropout=0.0)
    specs, *runs = train_pairs_alone_and_stacked(
        tmp_path,
        base,
        {},
        pooling=pooling,
        pair_encoding=pair_encoding,
        task_type=task_type,
    )
    for spec in specs:
        alone, stacked = (one.get_finished(spec.run_id) for one in runs)
        losses = [[step.train_loss for step in one.list_steps(spec.run_id)] for one in runs]
        assert losses[1] == pytest.approx(losses[0], abs=1e-4)
        assert stacked.validation.loss == pytest.approx(alone.validation.loss, abs=1e-4)
        assert stacked.trained_tokens == alone.trained_tokens
        assert (spec.output / "model" / "head.safetensors").is_file()


def test_a_default_run_keeps_the_familys_own_folder(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, build_bert_folder(tmp_path / "base"))
    TrainedRun(spec)
    names = {path.name for path in (spec.output / "model").iterdir()}
    assert names.isdisjoint({"head.json", "head.safetensors", "modules.json", "1_Pooling"})

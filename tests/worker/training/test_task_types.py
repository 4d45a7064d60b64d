"""Every task type from its rows to a folder that plain transformers scores as recorded."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, pipeline

from shared.domain.task import Label, SplitRequest, TaskType
from shared.metrics import Scoring
from tests.worker.training.runs import (
    BAD,
    FILLER,
    GOOD,
    TrainedRun,
    make_recipe,
    make_spec,
    make_task,
    write_tsv,
)
from worker.training.model.encoder import load_encoder
from worker.training.model.transformers_logging import silence_transformers
from worker.training.optim.objective import set_bias_to_mean
from worker.training.spec import RunSpec

MULTI_LABEL = make_task(
    type=TaskType.MULTI_LABEL, label_names=["blame", "praise"], positive_label=None
)
REGRESSION = make_task(type=TaskType.REGRESSION, label_names=[], positive_label=None)
SPLIT = SplitRequest(validation_fraction=0.3, test_fraction=0.2)
LONG_ENOUGH = make_recipe(max_steps=60, learning_rate=3e-3)


def make_tagged_rows(count: int) -> list[tuple[str, ...]]:
    """Return rows labeled with praise, blame, both or neither, depending on their words."""
    draw = random.Random(1)
    rows: list[tuple[str, ...]] = [("text", "label")]
    for index in range(count):
        names = [name for name, has in (("praise", index % 2), ("blame", index // 2 % 2)) if has]
        words = draw.choices(FILLER, k=1) + [
            draw.choice(GOOD if name == "praise" else BAD) for name in names
        ]
        draw.shuffle(words)
        rows.append((" ".join(words), "|".join(names)))
    return rows


def make_rated_rows(count: int) -> list[tuple[str, ...]]:
    """Return rows rated from 2 to 4.5 by the number of good words."""
    draw = random.Random(2)
    rows: list[tuple[str, ...]] = [("text", "label")]
    for index in range(count):
        good = index % 6
        words = (
            draw.choices(GOOD, k=good) + draw.choices(BAD, k=5 - good) + draw.choices(FILLER, k=2)
        )
        draw.shuffle(words)
        rows.append((" ".join(words), str(2 + good / 2)))
    return rows


def read_predictions(spec: RunSpec, split: str) -> list[dict[str, Any]]:
    written = json.loads((spec.output / "predictions.json").read_text(encoding="utf-8"))
    return [row for row in written["rows"] if row["split"] == split]


def classify_with_transformers(spec: RunSpec, texts: list[str]) -> list[dict[str, float]]:
    """Return each text's scores by label, from ``transformers.pipeline`` on the exported folder."""
    with silence_transformers():
        classify = pipeline("text-classification", model=str(spec.output / "model"), device="cpu")
    return [
        {entry["label"]: entry["score"] for entry in classify(text, top_k=None, truncation=True)}
        for text in texts
    ]


@pytest.mark.parametrize("family", ["tiny_bert", "tiny_roberta"])
def test_multi_label(family: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    rows = make_tagged_rows(80)
    file = write_tsv(tmp_path / "tags.tsv", rows)
    spec = make_spec(
        tmp_path,
        request.getfixturevalue(family),
        task=MULTI_LABEL,
        metric="f1_micro",
        training_file=file,
        split=SPLIT,
        recipe=LONG_ENOUGH,
    )
    run = TrainedRun(spec)
    assert run.finished.test is not None
    assert not run.finished.degenerate
    assert run.finished.validation.confusion is None
    assert [row.label for row in run.finished.validation.per_class or ()] == ["blame", "praise"]
    config = json.loads((spec.output / "model" / "config.json").read_text())
    assert (config["problem_type"], config["id2label"]) == (
        "multi_label_classification",
        {"0": "blame", "1": "praise"},
    )
    for split, result in (("validation", run.finished.validation), ("test", run.finished.test)):
        recorded = read_predictions(spec, split)
        found: list[Label] = []
        for row, scores in zip(
            recorded,
            classify_with_transformers(spec, [rows[row["row"]][0] for row in recorded]),
            strict=True,
        ):
            assert sorted(rows[row["row"]][1].split("|")) == (row["label"] or [""])
            assert [scores[name] for name in MULTI_LABEL.label_names] == pytest.approx(
                row["probabilities"], abs=1e-5
            )
            answer = tuple(
                index for index, name in enumerate(MULTI_LABEL.label_names) if scores[name] > 0.5
            )
            assert [MULTI_LABEL.label_names[index] for index in answer] == row["predicted"]
            found.append(answer)
        labels: list[Label] = [
            tuple(MULTI_LABEL.label_names.index(name) for name in row["label"]) for row in recorded
        ]
        assert Scoring(MULTI_LABEL, "f1_micro").compute_scores(labels, found) == result.metrics


@pytest.mark.parametrize("family", ["tiny_bert", "tiny_roberta"])
def test_regression(family: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    rows = make_rated_rows(80)
    file = write_tsv(tmp_path / "ratings.tsv", rows)
    spec = make_spec(
        tmp_path,
        request.getfixturevalue(family),
        task=REGRESSION,
        metric="pearson",
        training_file=file,
        split=SPLIT,
        recipe=LONG_ENOUGH,
    )
    run = TrainedRun(spec)
    assert run.finished.test is not None
    assert not run.finished.degenerate
    assert run.finished.validation.score is not None
    assert run.finished.validation.score > 0.8
    assert set(run.finished.validation.metrics) == {"pearson", "spearman", "r2", "mae", "rmse"}
    config = json.loads((spec.output / "model" / "config.json").read_text())
    assert (config["problem_type"], config["id2label"]) == ("regression", {"0": "score"})
    for split, result in (("validation", run.finished.validation), ("test", run.finished.test)):
        recorded = read_predictions(spec, split)
        found: list[Label] = [
            scores["score"]
            for scores in classify_with_transformers(
                spec, [rows[row["row"]][0] for row in recorded]
            )
        ]
        assert found == pytest.approx([row["predicted"] for row in recorded], abs=1e-5)
        labels: list[Label] = [float(rows[row["row"]][1]) for row in recorded]
        assert labels == [row["label"] for row in recorded]
        assert Scoring(REGRESSION, "pearson").compute_scores(labels, found) == pytest.approx(
            result.metrics, abs=1e-5
        )


@pytest.mark.parametrize("family", ["tiny_bert", "tiny_roberta"])
def test_a_regression_starts_at_the_mean_of_its_training_labels(
    family: str, request: pytest.FixtureRequest
) -> None:
    network = load_encoder(request.getfixturevalue(family), REGRESSION, 0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    inputs = {
        "input_ids": torch.tensor([[7, 8, 9]]),
        "attention_mask": torch.ones(1, 3, dtype=torch.int64),
    }
    network.eval()
    drawn = network(**inputs).logits.item()
    labels: list[Label] = [2.0, 3.0, 5.5]
    set_bias_to_mean(network, labels)
    changed = [
        name
        for name, tensor in network.state_dict().items()
        if not torch.equal(tensor, before[name])
    ]
    assert len(changed) == 1
    assert changed[0].endswith("bias")
    assert network(**inputs).logits.item() == pytest.approx(drawn + 3.5, abs=1e-5)


def test_the_mean_is_exported_with_the_head(tmp_path: Path, tiny_bert: Path) -> None:
    rows: list[tuple[str, ...]] = [
        ("text", "label"),
        *((f"good film {index}", str(1000 + index / 7)) for index in range(40)),
    ]
    spec = make_spec(
        tmp_path,
        tiny_bert,
        task=REGRESSION,
        metric="r2",
        training_file=write_tsv(tmp_path / "far.tsv", rows),
        recipe=make_recipe(max_steps=2, learning_rate=1e-6),
    )
    run = TrainedRun(spec)
    bias = load_file(spec.output / "model" / "model.safetensors")["classifier.bias"]
    assert bias.item() == pytest.approx(1000 + 20 / 7, abs=2)
    assert run.steps[0].train_loss < 10  # a start at zero would have a loss of a million
    assert run.finished.degenerate
    with silence_transformers():
        exported = AutoModelForSequenceClassification.from_pretrained(spec.output / "model")
    assert exported.config.num_labels == 1

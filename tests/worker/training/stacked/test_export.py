"""What a stacked seed leaves behind is a plain folder, and its recorded scores are those of
that folder.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from shared.domain.task import SplitRequest
from tests.worker.training.runs import make_recipe
from tests.worker.training.stacked.stacks import Together, make_specs
from worker.training.model.transformers_logging import silence_transformers
from worker.training.spec import RunSpec


def answers_outside(spec: RunSpec) -> tuple[list[str], list[list[float]]]:
    """Predicted names and probabilities of every row in ``predictions.json``, by plain
    transformers.
    """
    folder = spec.output / "model"
    with silence_transformers():
        network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = [
        line.split("\t")[0]
        for line in spec.training_file.path.read_text(encoding="utf-8").splitlines()[1:]
    ]
    names, probabilities = [], []
    for row in written(spec):
        with torch.no_grad():
            logits = network(
                **tokenizer(texts[row["row"] - 1], return_tensors="pt", truncation=True)
            ).logits[0]
        names.append(network.config.id2label[int(logits.argmax())])
        probabilities.append(logits.softmax(-1).tolist())
    return names, probabilities


def written(spec: RunSpec) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        (spec.output / "predictions.json").read_text(encoding="utf-8")
    )["rows"]
    return rows


@pytest.mark.parametrize(
    "changes", [{"mixout": 0.2, "weight_decay": 0.1}, {"precision": "bfloat16"}], ids=str
)
def test_plain_transformers_gives_the_recorded_answers(
    changes: dict[str, Any], tmp_path: Path, tiny_bert: Path
) -> None:
    split = SplitRequest(validation_fraction=0.3, test_fraction=0.2)
    specs = make_specs(tmp_path, tiny_bert, 2, recipe=make_recipe(**changes), split=split)
    together = Together(specs).train(width=2)
    for spec in specs:
        finished, rows = together.finished(spec.run_id), written(spec)
        names, probabilities = answers_outside(spec)
        assert [row["predicted"] for row in rows] == names
        for row, expected in zip(rows, probabilities, strict=True):
            assert row["probabilities"] == pytest.approx(expected, abs=1e-5)
        assert finished.test is not None
        for split_name, result in (("validation", finished.validation), ("test", finished.test)):
            right = [row["label"] == row["predicted"] for row in rows if row["split"] == split_name]
            assert result.score == pytest.approx(sum(right) / len(right))


def test_a_pilot_leaves_nothing(tmp_path: Path, tiny_bert: Path) -> None:
    specs = make_specs(tmp_path, tiny_bert, 2, export=False)
    together = Together(specs).train(width=2)
    assert all(together.finished(spec.run_id).weights_sha256 is None for spec in specs)
    assert [list(spec.output.iterdir()) for spec in specs] == [[], []]

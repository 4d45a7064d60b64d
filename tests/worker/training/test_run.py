"""A run from its row to its artefacts, which plain transformers must be able to use."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from transformers import pipeline

from shared.domain.errors import InvalidValue
from shared.domain.task import SplitRequest
from shared.metrics import Scoring
from tests.worker.training.runs import (
    Trained,
    make_recipe,
    make_spec,
    make_task,
    review_rows,
    run_events,
    write_tsv,
)
from worker.training.errors import StopRequested
from worker.training.events import Evaluation, Finished, RunEvent, SplitResult, Started, Step
from worker.training.model.transformers_logging import silence_transformers
from worker.training.run import train_run
from worker.training.spec import RunSpec

LONG_ENOUGH = make_recipe(max_steps=100, learning_rate=3e-3)


def scored_again(
    spec: RunSpec, rows: list[tuple[str, ...]], split: str
) -> tuple[dict[str, float | None], float]:
    """Metrics of the exported folder under ``transformers.pipeline``, and how far its
    probabilities are from the recorded ones.
    """
    with silence_transformers():
        classify = pipeline("text-classification", model=str(spec.output / "model"), device="cpu")
    recorded = [answer for answer in predictions(spec)["rows"] if answer["split"] == split]
    names = spec.task.label_names
    found, off = [], 0.0
    for answer in recorded:
        *texts, label = rows[answer["row"]]  # the header is row 0
        assert answer["label"] == label
        inputs = {"text": texts[0], "text_pair": texts[1]} if len(texts) == 2 else texts[0]
        scores = {
            entry["label"]: entry["score"]
            for entry in classify(inputs, top_k=None, truncation=True)
        }
        assert max(scores, key=scores.__getitem__) == answer["predicted"]
        off = max(
            off,
            *(
                abs(scores[name] - p)
                for name, p in zip(names, answer["probabilities"], strict=True)
            ),
        )
        found.append(answer["predicted"])
    labels = [names.index(answer["label"]) for answer in recorded]
    return Scoring(spec.task, spec.metric).compute_scores(
        labels, [names.index(name) for name in found]
    ), off


def predictions(spec: RunSpec) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (spec.output / "predictions.json").read_text(encoding="utf-8")
    )
    return content


@pytest.mark.parametrize("family", ["tiny_bert", "tiny_roberta"])
@pytest.mark.parametrize("pairs", [False, True])
def test_plain_transformers_gets_the_recorded_scores_from_the_exported_folder(
    family: str, pairs: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rows = review_rows(70, pairs=pairs)
    columns = (
        {"text_column": "text", "text_pair_column": "other"} if pairs else {"text_column": "text"}
    )
    spec = make_spec(
        tmp_path,
        request.getfixturevalue(family),
        task=make_task(max_seq_length=10, **columns),  # some rows are cut, here and there alike
        training_file=write_tsv(tmp_path / "rows.tsv", rows),
        split=SplitRequest(validation_fraction=0.3, test_fraction=0.2),
        recipe=LONG_ENOUGH,
    )
    run = Trained(spec)
    assert run.started.truncated["validation"] > 0
    assert run.finished.test is not None
    for split, result in (("validation", run.finished.validation), ("test", run.finished.test)):
        metrics, off = scored_again(spec, rows, split)
        assert metrics == result.metrics
        assert off < 1e-5


def test_the_story_is_told_in_order(tmp_path: Path, tiny_bert: Path) -> None:
    run = Trained(make_spec(tmp_path, tiny_bert, rows=60))
    kinds = [type(event) for event in run.events]
    assert kinds == [Started, *([Step] * 3 + [Evaluation]) * 4, Finished]
    assert run.started.total_steps == 12
    assert run.started.rows == {"train": 42, "validation": 18}
    assert run.started.majority_score == {"validation": 0.5}
    assert run.started.environment["threads"] == "1"
    assert run.started.environment["device"] == "cpu"
    assert run.finished.test is None


def test_the_chosen_checkpoint_is_the_best_evaluation(tmp_path: Path, tiny_bert: Path) -> None:
    run = Trained(make_spec(tmp_path, tiny_bert, recipe=LONG_ENOUGH))
    scores = [evaluation.score or 0.0 for evaluation in run.evaluations]
    best = run.evaluations[scores.index(max(scores))]
    assert run.finished.best_step == best.step
    assert run.finished.validation == SplitResult(
        loss=best.valid_loss,
        metrics=best.metrics,
        score=best.score,
        confusion=run.finished.validation.confusion,
        per_class=run.finished.validation.per_class,
    )
    assert [event.step for event in run.evaluations if event.is_best][-1] == best.step


def test_select_last_keeps_the_last_step(tmp_path: Path, tiny_bert: Path) -> None:
    run = Trained(make_spec(tmp_path, tiny_bert, recipe=make_recipe(select="last")))
    assert run.finished.best_step == 12
    assert run.finished.validation.loss == run.evaluations[-1].valid_loss


def test_the_artefacts(tmp_path: Path, tiny_bert: Path) -> None:
    spec = make_spec(
        tmp_path, tiny_bert, task=make_task(label_names=["yes", "no"], positive_label="yes")
    )
    run = Trained(spec)
    model = spec.output / "model"
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= {
        f.name for f in model.iterdir()
    }
    assert (
        run.finished.weights_sha256
        == hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()
    )
    config = (model / "config.json").read_text()
    assert json.loads(config)["id2label"] == {"0": "yes", "1": "no"}
    assert (
        str(tiny_bert) not in config + (model / "tokenizer_config.json").read_text()
    )  # no path of this machine
    written = predictions(spec)
    assert written["columns"] == [
        "split",
        "row",
        "label",
        "predicted",
        "probability of yes",
        "probability of no",
    ]
    assert all(sum(row["probabilities"]) == pytest.approx(1) for row in written["rows"])


def test_a_validation_file_is_used_whole_and_its_rows_are_counted_as_its_own(
    tmp_path: Path, tiny_bert: Path
) -> None:
    validation = write_tsv(tmp_path / "dev.tsv", review_rows(20, seed=5))
    spec = make_spec(
        tmp_path,
        tiny_bert,
        validation_file=validation,
        split=SplitRequest(validation_fraction=0.3, test_fraction=0.25),
    )
    run = Trained(spec)
    assert run.started.rows == {"train": 45, "validation": 20, "test": 15}
    rows = [(answer["split"], answer["row"]) for answer in predictions(spec)["rows"]]
    assert rows[:20] == [("validation", row) for row in range(1, 21)]
    assert len({row for split, row in rows if split == "test"}) == 15


def test_a_rate_too_small_to_learn_ends_degenerate_and_says_why(
    tmp_path: Path, tiny_bert: Path
) -> None:
    run = Trained(make_spec(tmp_path, tiny_bert, recipe=make_recipe(learning_rate=1e-9)))
    assert run.finished.degenerate
    assert any("validation rows" in sentence for sentence in run.finished.diagnosis)
    assert any("did not fall below chance" in sentence for sentence in run.finished.diagnosis)


def test_a_run_that_learns_is_not_degenerate(tmp_path: Path, tiny_bert: Path) -> None:
    run = Trained(make_spec(tmp_path, tiny_bert, rows=120, recipe=LONG_ENOUGH))
    assert run.finished.validation.score is not None
    assert run.finished.validation.score > 0.8
    assert not run.finished.degenerate
    assert run.finished.diagnosis == []


def test_a_wish_to_stop_is_seen_before_the_next_batch_and_nothing_is_written(
    tmp_path: Path, tiny_bert: Path
) -> None:
    spec = make_spec(tmp_path, tiny_bert)
    seen: list[RunEvent] = []

    def follow() -> None:
        for event in train_run(
            spec, lambda: seen[-1:] != [] and isinstance(seen[-1], Step) and seen[-1].step == 5
        ):
            seen.append(event)

    with pytest.raises(StopRequested):
        follow()
    assert [event.step for event in seen if isinstance(event, Step)] == [1, 2, 3, 4, 5]
    assert list(spec.output.iterdir()) == []


def test_data_that_do_not_fit_the_task_are_refused_before_anything_is_trained(
    tmp_path: Path, tiny_bert: Path
) -> None:
    spec = make_spec(tmp_path, tiny_bert, task=make_task(text_column="sentence"))
    with pytest.raises(InvalidValue, match="no such column") as caught:
        next(run_events(spec))
    assert caught.value.param == "training_file"

"""A run from its spec to its artifacts, which plain transformers can use."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase, pipeline

from shared.domain.errors import InvalidValue
from shared.domain.task import SplitRequest
from shared.metrics import Scoring
from shared.metrics.run_result import SplitResult
from tests.worker.training.runs import (
    TrainedRun,
    iterate_events,
    make_recipe,
    make_review_rows,
    make_spec,
    make_task,
    write_tsv,
)
from worker.training.errors import StopRequested
from worker.training.events import Evaluation, Finished, RunEvent, Started, Step
from worker.training.model.transformers_logging import silence_transformers
from worker.training.run import train_run
from worker.training.spec import RunSpec

LONG_ENOUGH = make_recipe(max_steps=100, learning_rate=3e-3)


def score_exported_model(
    spec: RunSpec, rows: list[tuple[str, ...]], split: str
) -> tuple[dict[str, float | None], float]:
    """Score the exported folder with ``transformers.pipeline``.

    Return its metrics and the largest deviation from the recorded probabilities.
    """
    with silence_transformers():
        classify = pipeline("text-classification", model=str(spec.output / "model"), device="cpu")
    recorded = [
        prediction for prediction in read_predictions(spec)["rows"] if prediction["split"] == split
    ]
    names = spec.task.label_names
    predicted, deviation = [], 0.0
    for prediction in recorded:
        *texts, label = rows[prediction["row"]]  # the header is row 0
        assert prediction["label"] == label
        inputs = {"text": texts[0], "text_pair": texts[1]} if len(texts) == 2 else texts[0]
        scores = {
            entry["label"]: entry["score"]
            for entry in classify(inputs, top_k=None, truncation=True)
        }
        assert max(scores, key=scores.__getitem__) == prediction["predicted"]
        deviation = max(
            deviation,
            *(
                abs(scores[name] - p)
                for name, p in zip(names, prediction["probabilities"], strict=True)
            ),
        )
        predicted.append(prediction["predicted"])
    labels = [names.index(prediction["label"]) for prediction in recorded]
    return Scoring(spec.task, spec.metric).compute_scores(
        labels, [names.index(name) for name in predicted]
    ), deviation


def read_predictions(spec: RunSpec) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (spec.output / "predictions.json").read_text(encoding="utf-8")
    )
    return content


@pytest.mark.parametrize("family", ["tiny_bert", "tiny_roberta"])
@pytest.mark.parametrize("pairs", [False, True])
def test_plain_transformers_gets_the_recorded_scores_from_the_exported_folder(
    family: str, pairs: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rows = make_review_rows(70, pairs=pairs)
    columns = (
        {"text_column": "text", "text_pair_column": "other"} if pairs else {"text_column": "text"}
    )
    spec = make_spec(
        tmp_path,
        request.getfixturevalue(family),
        task=make_task(
            max_seq_length=10, **columns
        ),  # some rows are truncated, in training as in the pipeline
        training_file=write_tsv(tmp_path / "rows.tsv", rows),
        split=SplitRequest(validation_fraction=0.3, test_fraction=0.2),
        recipe=LONG_ENOUGH,
    )
    run = TrainedRun(spec)
    assert run.started.truncated["validation"] > 0
    assert run.finished.test is not None
    for split, result in (("validation", run.finished.validation), ("test", run.finished.test)):
        metrics, deviation = score_exported_model(spec, rows, split)
        assert metrics == result.metrics
        assert deviation < 1e-5


def test_events_are_in_order(tmp_path: Path, tiny_bert: Path) -> None:
    run = TrainedRun(make_spec(tmp_path, tiny_bert, rows=60))
    types = [type(event) for event in run.events]
    assert types == [Started, *([Step] * 3 + [Evaluation]) * 4, Finished]
    assert run.started.total_steps == 12
    assert run.started.rows == {"train": 42, "validation": 18}
    assert run.started.majority_score == {"validation": 0.5}
    assert run.started.environment["threads"] == "1"
    assert run.started.environment["device"] == "cpu"
    assert run.finished.test is None


def test_the_chosen_checkpoint_is_the_best_evaluation(tmp_path: Path, tiny_bert: Path) -> None:
    run = TrainedRun(make_spec(tmp_path, tiny_bert, recipe=LONG_ENOUGH))
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


def test_select_last_chooses_the_last_step(tmp_path: Path, tiny_bert: Path) -> None:
    run = TrainedRun(make_spec(tmp_path, tiny_bert, recipe=make_recipe(select="last")))
    assert run.finished.best_step == 12
    assert run.finished.validation.loss == run.evaluations[-1].valid_loss


def test_the_artifacts_are_complete(tmp_path: Path, tiny_bert: Path) -> None:
    spec = make_spec(
        tmp_path, tiny_bert, task=make_task(label_names=["yes", "no"], positive_label="yes")
    )
    run = TrainedRun(spec)
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
    # local paths must not leak into the artifacts
    assert str(tiny_bert) not in config + (model / "tokenizer_config.json").read_text()
    written = read_predictions(spec)
    assert written["columns"] == [
        "split",
        "row",
        "label",
        "predicted",
        "probability of yes",
        "probability of no",
    ]
    assert all(sum(row["probabilities"]) == pytest.approx(1) for row in written["rows"])


def test_an_output_folder_that_is_deleted_while_it_is_written_ends_the_run(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tokenizer makes its folder again, in which the weights would be missing."""
    spec = make_spec(tmp_path, tiny_bert)
    save = PreTrainedTokenizerBase.save_pretrained

    def delete_and_save(self: PreTrainedTokenizerBase, folder: Path, **options: Any) -> object:
        shutil.rmtree(spec.output)
        return save(self, folder, **options)

    monkeypatch.setattr(PreTrainedTokenizerBase, "save_pretrained", delete_and_save)
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        list(iterate_events(spec))


def test_a_validation_file_is_used_whole_and_its_rows_count_from_one(
    tmp_path: Path, tiny_bert: Path
) -> None:
    validation = write_tsv(tmp_path / "dev.tsv", make_review_rows(20, seed=5))
    spec = make_spec(
        tmp_path,
        tiny_bert,
        validation_file=validation,
        split=SplitRequest(validation_fraction=0.3, test_fraction=0.25),
    )
    run = TrainedRun(spec)
    assert run.started.rows == {"train": 45, "validation": 20, "test": 15}
    rows = [
        (prediction["split"], prediction["row"]) for prediction in read_predictions(spec)["rows"]
    ]
    assert rows[:20] == [("validation", row) for row in range(1, 21)]
    assert len({row for split, row in rows if split == "test"}) == 15


def test_a_learning_rate_that_is_too_small_is_diagnosed(tmp_path: Path, tiny_bert: Path) -> None:
    run = TrainedRun(make_spec(tmp_path, tiny_bert, recipe=make_recipe(learning_rate=1e-9)))
    assert run.finished.degenerate
    assert any("validation rows" in sentence for sentence in run.finished.diagnosis)
    assert any("did not fall below chance" in sentence for sentence in run.finished.diagnosis)


def test_a_run_that_learns_is_not_degenerate(tmp_path: Path, tiny_bert: Path) -> None:
    run = TrainedRun(make_spec(tmp_path, tiny_bert, rows=120, recipe=LONG_ENOUGH))
    assert run.finished.validation.score is not None
    assert run.finished.validation.score > 0.8
    assert not run.finished.degenerate
    assert run.finished.diagnosis == []


def test_a_stopped_run_ends_before_the_next_batch_and_writes_nothing(
    tmp_path: Path, tiny_bert: Path
) -> None:
    spec = make_spec(tmp_path, tiny_bert)
    events: list[RunEvent] = []

    def collect_events() -> None:
        for event in train_run(
            spec,
            lambda: events[-1:] != [] and isinstance(events[-1], Step) and events[-1].step == 5,
        ):
            events.append(event)

    with pytest.raises(StopRequested):
        collect_events()
    assert [event.step for event in events if isinstance(event, Step)] == [1, 2, 3, 4, 5]
    assert list(spec.output.iterdir()) == []


def test_data_that_do_not_fit_the_task_are_rejected_before_training(
    tmp_path: Path, tiny_bert: Path
) -> None:
    spec = make_spec(tmp_path, tiny_bert, task=make_task(text_column="sentence"))
    with pytest.raises(InvalidValue, match="no column with this name") as caught:
        next(iterate_events(spec))
    assert caught.value.param == "training_file"

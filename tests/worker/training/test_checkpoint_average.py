"""A run whose model is the greedy average of its best checkpoints."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from shared.domain.task import SplitRequest, TaskType
from shared.recipe import Recipe
from tests.encoders import ENCODERS
from tests.worker.training.model.test_checkpoint import make_evaluation
from tests.worker.training.multi_seed.stacks import TrainedRuns, make_specs
from tests.worker.training.runs import (
    TrainedRun,
    iterate_events,
    make_recipe,
    make_review_rows,
    make_spec,
    make_task,
    write_tsv,
)
from worker.training.checkpoint_average import load_greedy_average
from worker.training.model.average_candidates import AverageCandidates
from worker.training.model.encoder import load_encoder

SPLIT = SplitRequest(validation_fraction=0.3, test_fraction=0.2)
AVERAGING: dict[str, Any] = {"select": "greedy_average", "eval_points": 12}


@pytest.mark.parametrize(
    ("trial_scores", "steps"),
    [
        ([0.8, 0.9], [1, 2, 3]),
        ([0.7, 0.7], [1, 2, 3]),  # an equal score does not fall
        ([0.6, 0.9], [1, 3]),
        ([0.8, 0.7], [1, 2]),
        ([None, None], [1]),
    ],
)
def test_a_checkpoint_joins_only_if_the_score_does_not_fall(
    trial_scores: list[float | None], steps: list[int], tmp_path: Path, tiny_bert: Path
) -> None:
    """The candidates' heads have their steps as bias, so the mean tells which were averaged."""
    network = load_encoder(tiny_bert, make_task(), 0)
    bias = network.get_parameter("classifier.bias")
    candidates = AverageCandidates(tmp_path / "candidates")
    for step in (3, 2, 1):
        with torch.no_grad():
            bias.fill_(step)
        candidates.offer_weights(step, 1 / step, network)
    evaluations = map(make_evaluation, trial_scores)
    chosen = load_greedy_average(
        network, candidates, make_evaluation(0.7), lambda: next(evaluations)
    )
    assert chosen.steps == steps
    assert bias.tolist() == [sum(steps) / len(steps)] * 2
    assert not (tmp_path / "candidates").exists()


@pytest.mark.parametrize("changes", [{}, {"precision": "bfloat16"}, {"mixout": 0.2}], ids=str)
def test_the_exported_weights_are_the_mean_of_the_named_checkpoints(
    changes: dict[str, Any], tmp_path: Path, tiny_bert: Path
) -> None:
    recipe = make_recipe(**AVERAGING | {"learning_rate": 1e-4} | changes)
    run = TrainedRun(make_spec(tmp_path, tiny_bert, recipe=recipe, split=SPLIT))
    average = run.finished.average
    assert average is not None
    assert len(average.steps) > 1, "the case is to test an average"
    assert average.steps[0] == run.finished.best_step
    states = [load_paused_weights(tmp_path, tiny_bert, recipe, step) for step in average.steps]
    exported = load_file(run.spec.output / "model" / "model.safetensors")
    for name in exported:
        if name in states[0] and "word_embeddings" not in name:  # paused tables are compact
            mean = torch.stack([state[name].double() for state in states]).mean(dim=0).float()
            assert torch.equal(exported[name], mean), name


def load_paused_weights(folder: Path, base: Path, recipe: Recipe, step: int) -> dict[str, Tensor]:
    """Return the weights that the same run has after ``step`` steps."""
    spec = make_spec(folder, base, recipe=recipe, split=SPLIT, stop_step=step)
    list(iterate_events(spec))
    state = spec.output / f"state-{step}"
    if state.is_dir():
        return load_file(state / "weights.safetensors")
    last = make_spec(folder, base, recipe=recipe.model_copy(update={"select": "last"}), split=SPLIT)
    list(iterate_events(last))
    return load_file(last.output / "model" / "model.safetensors")


@pytest.mark.parametrize("task_type", [TaskType.SINGLE_LABEL, TaskType.REGRESSION])
def test_the_best_checkpoint_alone_is_scored_beside_the_average(
    task_type: TaskType, tmp_path: Path, tiny_bert: Path
) -> None:
    changes: dict[str, Any] = {"split": SPLIT}
    if task_type is TaskType.REGRESSION:
        rows = [(*row[:-1], "4.5" if row[-1] == "yes" else "1") for row in make_review_rows(60)[1:]]
        changes |= {
            "training_file": write_tsv(tmp_path / "ratings.tsv", [("text", "label"), *rows]),
            "task": make_task(type=task_type, label_names=[], positive_label=None),
            "metric": "pearson",
        }
    alone, averaged = (
        TrainedRun(
            make_spec(
                tmp_path, tiny_bert, recipe=make_recipe(select=select, eval_points=12), **changes
            )
        ).finished
        for select in ("best_checkpoint", "greedy_average")
    )
    average = averaged.average
    assert alone.average is None
    assert average is not None
    assert alone.test is not None
    assert average.best_checkpoint_validation == alone.validation.metrics
    assert average.best_checkpoint_test == alone.test.metrics
    assert averaged.best_step == alone.best_step
    assert averaged.validation.score is not None
    assert alone.validation.score is not None
    assert averaged.validation.score >= alone.validation.score


def test_the_output_has_nothing_but_the_artifacts(tmp_path: Path, tiny_bert: Path) -> None:
    plain, averaged, pilot = (
        make_spec(tmp_path, tiny_bert, recipe=make_recipe(select=select), export=export)
        for select, export in (
            ("best_checkpoint", True),
            ("greedy_average", True),
            ("greedy_average", False),
        )
    )
    for spec in (plain, averaged, pilot):
        list(iterate_events(spec))
    assert list_names(averaged.output) == list_names(plain.output)
    assert list_names(pilot.output) == []


def list_names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_stacked_seeds_average_like_single_runs(tmp_path: Path) -> None:
    recipe, base = make_recipe(**AVERAGING, learning_rate=1e-3), tmp_path / "bert"
    ENCODERS["bert"](base, dropout=0.0)  # stacked dropout is drawn differently
    single, stacked = (make_specs(tmp_path, base, 3, recipe=recipe) for _ in range(2))
    one_by_one = TrainedRuns(single).train(stack_size=1)
    side_by_side = TrainedRuns(stacked).train(stack_size=3)
    for one, other in zip(single, stacked, strict=True):
        alone, together = one_by_one.get_finished(one.run_id), side_by_side.get_finished(one.run_id)
        assert alone.average is not None
        assert together.average == alone.average
        assert list_names(other.output) == list_names(one.output)
        weights, expected = (
            load_file(spec.output / "model" / "model.safetensors") for spec in (other, one)
        )
        assert max(float((weights[name] - expected[name]).abs().max()) for name in expected) < 1e-4


def test_a_stack_that_pauses_hands_its_candidates_on(tmp_path: Path, tiny_bert: Path) -> None:
    recipe = make_recipe(**AVERAGING, learning_rate=1e-3)
    whole = make_specs(tmp_path, tiny_bert, 2, recipe=recipe)
    first = make_specs(tmp_path, tiny_bert, 2, recipe=recipe, stop_step=7)
    finished = TrainedRuns(whole).train(stack_size=2)
    TrainedRuns(first).train(stack_size=2)
    rest = [
        spec.model_copy(update={"state": paused.output / "state-7"})
        for spec, paused in zip(
            make_specs(tmp_path, tiny_bert, 2, recipe=recipe), first, strict=True
        )
    ]
    resumed = TrainedRuns(rest).train(stack_size=2)
    for spec in whole:
        assert (
            resumed.get_finished(spec.run_id).average == finished.get_finished(spec.run_id).average
        )


def test_without_a_defined_score_the_chosen_checkpoint_stays(
    tmp_path: Path, tiny_bert: Path
) -> None:
    """A correlation is undefined if every label is the same number."""
    rows = [(*row[:-1], "2.5") for row in make_review_rows(60)[1:]]
    spec = make_spec(
        tmp_path,
        tiny_bert,
        recipe=make_recipe(**AVERAGING),
        training_file=write_tsv(tmp_path / "equal.tsv", [("text", "label"), *rows]),
        task=make_task(type=TaskType.REGRESSION, label_names=[], positive_label=None),
        metric="pearson",
    )
    finished = TrainedRun(spec).finished
    assert finished.average is not None
    assert finished.average.steps == [finished.best_step]

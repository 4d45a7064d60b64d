"""A run that pauses and resumes ends bit for bit like one that never paused."""

import json
from pathlib import Path

import pytest

from shared.domain.task import SplitRequest
from shared.recipe import Recipe
from tests.worker.training.runs import TrainedRun, iterate_events, make_recipe, make_spec
from worker.training.events import Evaluation, Paused, RunEvent, Step
from worker.training.run import train_run

STOP = 6
"""A step of 12 with an evaluation, in the middle of the second epoch of 42 rows."""


def pause_and_resume(
    folder: Path, base: Path, recipe: Recipe, stop: int
) -> tuple[list[RunEvent], list[RunEvent], Path]:
    first = make_spec(folder, base, recipe=recipe, stop_step=stop)
    before = list(iterate_events(first))
    state = first.output / f"state-{stop}"
    second = make_spec(folder, base, recipe=recipe, state=state)
    return before, list(iterate_events(second)), state


RECIPES: list[dict[str, object]] = [
    {},
    {"bias_correction": False, "weight_decay": 0.01},
    {"select": "last"},
    {"mixout": 0.2, "pretrained_weight_decay": 0.1, "layerwise_learning_rate_decay": 0.9},
    {"precision": "bfloat16"},
    {"select": "greedy_average", "eval_points": 6},
    {"select": "greedy_average", "eval_points": 12, "precision": "bfloat16", "mixout": 0.2},
    {"precision": "bfloat16", "mixout": 0.2, "select": "last"},
    # the first evaluation stays the best, so the state must include it
    {"learning_rate": 1e-9},
]


@pytest.mark.parametrize("changes", RECIPES, ids=str)
@pytest.mark.parametrize("family", ["tiny_bert", "tiny_roberta"])
def test_a_resumed_run_is_the_same_to_the_last_bit(
    changes: dict[str, object], family: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    base, recipe = request.getfixturevalue(family), make_recipe(**changes)
    whole = TrainedRun(make_spec(tmp_path, base, recipe=recipe))
    before, after, _ = pause_and_resume(tmp_path, base, recipe, STOP)
    reported = [event for event in [*before, *after] if isinstance(event, Step | Evaluation)]
    assert reported == [event for event in whole.events if isinstance(event, Step | Evaluation)]
    assert after[-1] == whole.finished  # includes the digest of the weights
    pause = before[-1]
    assert isinstance(pause, Paused)
    assert pause.step == STOP
    assert pause.score == [event.score for event in before if isinstance(event, Evaluation)][-1]
    assert 0 < pause.trained_tokens < whole.finished.trained_tokens


@pytest.mark.parametrize(("stop", "expected_steps"), [(5, [3, 5]), (2, [2])])
@pytest.mark.parametrize("select", ["best_checkpoint", "last"])
def test_a_pause_between_evaluation_steps_evaluates_but_does_not_choose(
    select: str, stop: int, expected_steps: list[int], tmp_path: Path, tiny_bert: Path
) -> None:
    recipe = make_recipe(select=select)
    whole = TrainedRun(make_spec(tmp_path, tiny_bert, recipe=recipe))
    before, after, _ = pause_and_resume(tmp_path, tiny_bert, recipe, stop)
    evaluations = [event for event in before if isinstance(event, Evaluation)]
    assert [event.step for event in evaluations] == expected_steps
    assert not evaluations[-1].is_best
    assert [event.step for event in after if isinstance(event, Step)] == list(range(stop + 1, 13))
    assert after[-1] == whole.finished


def test_a_pause_request_takes_effect_after_the_current_step(
    tmp_path: Path, tiny_bert: Path
) -> None:
    recipe, pause_requests = make_recipe(), iter([False] * 4 + [True])
    whole = TrainedRun(make_spec(tmp_path, tiny_bert, recipe=recipe))
    first = make_spec(tmp_path, tiny_bert, recipe=recipe)
    *_, pause = train_run(first, lambda: False, None, lambda: next(pause_requests))
    assert isinstance(pause, Paused)
    assert pause.step == 5
    rest = list(
        iterate_events(
            make_spec(tmp_path, tiny_bert, recipe=recipe, state=first.output / "state-5")
        )
    )
    assert [event.step for event in rest if isinstance(event, Step)] == list(range(6, 13))
    assert rest[-1] == whole.finished


def test_a_pause_writes_safetensors_and_json_and_nothing_else(
    tmp_path: Path, tiny_bert: Path
) -> None:
    _, _, state = pause_and_resume(tmp_path, tiny_bert, make_recipe(), STOP)
    assert {file.name for file in state.iterdir()} == {
        "weights.safetensors", "best.safetensors", "optimizer.safetensors", "state.json"
    }  # fmt: skip
    assert [path.name for path in state.parent.iterdir()] == [state.name]


def test_a_pilot_is_not_tested_and_exports_nothing(tmp_path: Path, tiny_bert: Path) -> None:
    split = SplitRequest(validation_fraction=0.3, test_fraction=0.2)
    plain = TrainedRun(make_spec(tmp_path, tiny_bert, split=split))
    pilot = TrainedRun(make_spec(tmp_path, tiny_bert, split=split, export=False))
    assert pilot.events[:-1] == plain.events[:-1]
    assert (pilot.finished.test, pilot.finished.weights_sha256) == (None, None)
    assert pilot.finished.validation == plain.finished.validation
    assert list(pilot.spec.output.iterdir()) == []


def test_a_state_that_lost_its_best_weights_is_not_taken_for_one_without(
    tmp_path: Path, tiny_bert: Path
) -> None:
    """Else the run would go on from the last step's weights, and end with other numbers."""
    first = make_spec(tmp_path, tiny_bert, recipe=make_recipe(), stop_step=STOP)
    list(iterate_events(first))
    state = first.output / f"state-{STOP}"
    (state / "best.safetensors").unlink()
    with pytest.raises(FileNotFoundError):
        list(iterate_events(make_spec(tmp_path, tiny_bert, recipe=make_recipe(), state=state)))


def test_a_state_of_an_earlier_version_has_what_its_folder_has(
    tmp_path: Path, tiny_bert: Path
) -> None:
    whole = TrainedRun(make_spec(tmp_path, tiny_bert, recipe=make_recipe()))
    _, _, state = pause_and_resume(tmp_path, tiny_bert, make_recipe(), STOP)
    description = json.loads((state / "state.json").read_text())
    del description["best"]["has_weights"]
    (state / "state.json").write_text(json.dumps(description))
    resumed = list(
        iterate_events(make_spec(tmp_path, tiny_bert, recipe=make_recipe(), state=state))
    )
    assert resumed[-1] == whole.finished

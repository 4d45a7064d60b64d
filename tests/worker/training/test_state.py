"""A run that pauses and goes on, perhaps in another process, ends bit for bit as one that never
stopped.
"""

from pathlib import Path
from typing import Any

import pytest

from shared.recipe import Recipe
from tests.worker.training.runs import Trained, make_recipe, make_spec, run_events
from worker.training.events import Evaluation, Paused, RunEvent, Step
from worker.training.run import train_run

STOP = 6  # of 12 steps, an evaluation of four; in the middle of the second epoch of 42 rows by 8


def paused_and_resumed(
    folder: Path, base: Path, recipe: Recipe, stop: int
) -> tuple[list[RunEvent], list[RunEvent], Path]:
    first = make_spec(folder, base, recipe=recipe, stop_step=stop)
    before = list(run_events(first))
    state = first.output / f"state-{stop}"
    second = make_spec(folder, base, recipe=recipe, state=state)
    return before, list(run_events(second)), state


RECIPES: list[dict[str, Any]] = [
    {},
    {"bias_correction": False, "weight_decay": 0.01},
    {"select": "last"},
    {"mixout": 0.2, "pretrained_weight_decay": 0.1, "layerwise_learning_rate_decay": 0.9},
    {"precision": "bfloat16"},
    {"precision": "bfloat16", "mixout": 0.2, "select": "last"},
    {
        "learning_rate": 1e-9
    },  # no evaluation is better than the first, which the state must bring along
]


@pytest.mark.parametrize("changes", RECIPES, ids=str)
@pytest.mark.parametrize("family", ["tiny_bert", "tiny_roberta"])
def test_the_rest_is_the_same_to_the_last_bit(
    changes: dict[str, Any], family: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    base, recipe = request.getfixturevalue(family), make_recipe(**changes)
    whole = Trained(make_spec(tmp_path, base, recipe=recipe))
    before, after, _ = paused_and_resumed(tmp_path, base, recipe, STOP)
    told = [event for event in [*before, *after] if isinstance(event, Step | Evaluation)]
    assert told == [event for event in whole.events if isinstance(event, Step | Evaluation)]
    assert after[-1] == whole.finished  # with the digest of the weights
    pause = before[-1]
    assert isinstance(pause, Paused)
    assert pause.step == STOP
    assert pause.score == [event.score for event in before if isinstance(event, Evaluation)][-1]
    assert 0 < pause.trained_tokens < whole.finished.trained_tokens


@pytest.mark.parametrize(("stop", "evaluated"), [(5, [3, 5]), (2, [2])])
@pytest.mark.parametrize("select", ["best_checkpoint", "last"])
def test_between_the_points_a_run_is_judged_and_nothing_is_chosen(
    select: str, stop: int, evaluated: list[int], tmp_path: Path, tiny_bert: Path
) -> None:
    recipe = make_recipe(select=select)
    whole = Trained(make_spec(tmp_path, tiny_bert, recipe=recipe))
    before, after, _ = paused_and_resumed(tmp_path, tiny_bert, recipe, stop)
    judged = [event for event in before if isinstance(event, Evaluation)]
    assert [event.step for event in judged] == evaluated
    assert not judged[-1].is_best
    assert [event.step for event in after if isinstance(event, Step)] == list(range(stop + 1, 13))
    assert after[-1] == whole.finished


def test_a_run_that_is_asked_to_wait_does_so_after_its_step(
    tmp_path: Path, tiny_bert: Path
) -> None:
    recipe, asked = make_recipe(), iter([False] * 4 + [True])
    whole = Trained(make_spec(tmp_path, tiny_bert, recipe=recipe))
    first = make_spec(tmp_path, tiny_bert, recipe=recipe)
    *_, pause = train_run(first, lambda: False, None, lambda: next(asked))
    assert isinstance(pause, Paused)
    assert pause.step == 5
    rest = list(
        run_events(make_spec(tmp_path, tiny_bert, recipe=recipe, state=first.output / "state-5"))
    )
    assert [event.step for event in rest if isinstance(event, Step)] == list(range(6, 13))
    assert rest[-1] == whole.finished


def test_a_state_is_tensors_and_text_and_nothing_else_is_written_by_a_pause(
    tmp_path: Path, tiny_bert: Path
) -> None:
    _, _, state = paused_and_resumed(tmp_path, tiny_bert, make_recipe(), STOP)
    assert {file.name for file in state.iterdir()} == {
        "weights.safetensors", "best.safetensors", "optimizer.safetensors", "state.json"
    }  # fmt: skip
    assert [path.name for path in state.parent.iterdir()] == [state.name]


def test_a_pilot_is_not_tested_and_leaves_no_weights(tmp_path: Path, tiny_bert: Path) -> None:
    from shared.domain.task import SplitRequest

    split = SplitRequest(validation_fraction=0.3, test_fraction=0.2)
    plain = Trained(make_spec(tmp_path, tiny_bert, split=split))
    pilot = Trained(make_spec(tmp_path, tiny_bert, split=split, export=False))
    assert pilot.events[:-1] == plain.events[:-1]
    assert (pilot.finished.test, pilot.finished.weights_sha256) == (None, None)
    assert pilot.finished.validation == plain.finished.validation
    assert list(pilot.spec.output.iterdir()) == []

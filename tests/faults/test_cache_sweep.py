"""The cache folder or a part of it is deleted, or cannot be used, at any step of a real training.

Every metric, result and published file is that of an undisturbed job, bit for bit. The training is
the product's own; it goes on only when the worker takes its next message, so the steps are exact.
"""

import random
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.faults.simulation.cache_world import RECIPES, STEPS, CacheWorld
from tests.faults.simulation.world import use_no_clock
from worker import slot

FOLDERS = ("", "runs", "files", "models")
"""Folders of the cache; the first is the cache itself."""
MOMENTS = ("started", *(f"step {step}" for step in range(1, STEPS + 1)), "evaluation", "finished")
SWEEP = list(product(FOLDERS, ("delete", "block"), MOMENTS, (False, True)))
SHORT = ("head_first", "averaged")
SHORT_ROUNDS = 6
SEED = 9


@pytest.fixture
def world(tmp_path: Path, model_dir: Path) -> Iterator[CacheWorld]:
    tmp_path.joinpath("home").mkdir()
    url = f"sqlite:///{tmp_path / 'home' / 'test.db'}"
    with use_no_clock() as patch:
        opened = CacheWorld(tmp_path / "home", url, model_dir)
        patch.setattr(slot, "sleep_unless_shutting_down", lambda _seconds: opened.mend_cache())
        yield opened
        opened.close()


def find_differences(
    world: CacheWorld, recipe: str, rounds: list[tuple[str, str, str, bool]], **job: Any
) -> list[str]:
    """Play the rounds; return each that ended with other numbers, and which."""
    expected = world.finish_real_job(world.create_real_job(RECIPES[recipe], **job))
    assert expected["status"] == "succeeded"
    found = []
    for folder, fault, moment, is_warm in rounds:
        world.is_warm = is_warm
        job_id = world.create_real_job(RECIPES[recipe], **job)
        world.arm_cache_fault(folder, fault, moment)
        numbers = world.finish_real_job(job_id)
        names = sorted(name for name in expected if numbers[name] != expected[name])
        if names:
            found.append(f"{fault} {folder or 'cache'} at {moment} (warm: {is_warm}): {names}")
    return found


@pytest.mark.parametrize("is_resumed", [False, True])
@pytest.mark.parametrize("recipe", SHORT)
def test_some_steps(world: CacheWorld, recipe: str, is_resumed: bool) -> None:
    rounds = random.Random(SEED).sample(SWEEP, SHORT_ROUNDS)
    assert find_differences(world, recipe, rounds, is_resumed=is_resumed) == []


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("is_resumed", [False, True])
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_step(world: CacheWorld, recipe: str, is_resumed: bool) -> None:
    assert find_differences(world, recipe, SWEEP, is_resumed=is_resumed) == []


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_step_from_a_model_in_the_cache(world: CacheWorld, recipe: str) -> None:
    first = world.create_real_job({})
    world.finish_real_job(first)
    model = world.get_published_model(first)
    assert find_differences(world, recipe, SWEEP, model=model) == []

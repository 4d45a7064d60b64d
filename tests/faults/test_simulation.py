"""Faults of every kind at any moment change no number: the simulated campaign."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import new_database
from tests.faults.simulation.campaign import Campaign
from tests.faults.simulation.kinds import KINDS
from tests.faults.simulation.world import World, open_world

SEED = 20
LONG_SEED = 1
LONG_ROUNDS = 240


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path, model_dir: Path) -> Iterator[World]:
    url = new_database(request, request.param, tmp_path)
    with open_world(tmp_path / "home", url, model_dir) as opened:
        yield opened


def test_each_kind_of_fault_changes_nothing(world: World) -> None:
    outcome = Campaign(world, SEED).play(len(KINDS))
    assert outcome.failed == []
    assert outcome.count_by_kind().keys() == KINDS.keys()


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_no_moment_of_many_changes_anything(world: World) -> None:
    outcome = Campaign(world, LONG_SEED).play(LONG_ROUNDS)
    assert outcome.failed == []
    assert sum(one.stale_refused for one in outcome.rounds) > 0  # zombies did try

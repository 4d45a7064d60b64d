"""The simulated campaign turns red when any one of the mechanisms is taken out."""

from pathlib import Path

import pytest

from tests.faults.simulation.campaign import Campaign
from tests.faults.simulation.mutations import MUTATIONS
from tests.faults.simulation.world import open_world

SEED = 1
MAX_ROUNDS = 60
QUICK = ("fence", "lease", "outbox", "guard of the claim")
"""Mutations that are found in the first rounds; the others are for the long suite."""


def find_named_fault(name: str, folder: Path, models: Path) -> str:
    """Return what the mutation's check says first without the mechanism; empty if nothing."""
    mutation = MUTATIONS[name]
    with pytest.MonkeyPatch.context() as patch:
        mutation.remove(patch)
        with open_world(folder, f"sqlite:///{folder / 'test.db'}", models) as world:
            rounds = Campaign(world, SEED, mutation.jobs).iterate_rounds(
                MAX_ROUNDS, mutation.kinds, mutation.within
            )
            found = (one for played in rounds for one in played.violations)
            return next((one.message for one in found if one.check is mutation.check), "")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in MUTATIONS],
)
@pytest.mark.timeout(1800)
def test_the_campaign_misses_the_mechanism(name: str, tmp_path: Path, model_dir: Path) -> None:
    tmp_path.joinpath("home").mkdir()
    assert find_named_fault(name, tmp_path / "home", model_dir)


def test_there_are_at_least_ten() -> None:
    assert len(MUTATIONS) >= 10

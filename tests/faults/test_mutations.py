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


def find_first_fault(name: str, folder: Path, models: Path) -> tuple[str, ...]:
    """Return what is wrong in the first round that goes wrong without the mechanism."""
    mutation = MUTATIONS[name]
    with pytest.MonkeyPatch.context() as patch:
        mutation.remove(patch)
        with open_world(folder, f"sqlite:///{folder / 'test.db'}", models) as world:
            rounds = Campaign(world, SEED).iterate_rounds(
                MAX_ROUNDS, mutation.kinds, mutation.within
            )
            return next((one.faults for one in rounds if one.faults), ())


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in MUTATIONS],
)
@pytest.mark.timeout(1800)
def test_the_campaign_misses_the_mechanism(name: str, tmp_path: Path, model_dir: Path) -> None:
    tmp_path.joinpath("home").mkdir()
    assert find_first_fault(name, tmp_path / "home", model_dir)


def test_there_are_at_least_ten() -> None:
    assert len(MUTATIONS) >= 10

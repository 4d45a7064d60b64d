"""A fake service, and a real one with a job that has ended."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.fake_service import Server
from tests.cli.stack import TINY, RunningStack, reviews


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture(scope="package")
def rows(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(reviews(tmp_path_factory.mktemp("data") / "reviews.csv"))


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[RunningStack]:
    stack = RunningStack(tmp_path_factory.mktemp("stack") / "a home, with blanks", model_dir)
    yield stack
    stack.stop()


@pytest.fixture(scope="package")
def trained(stack: RunningStack, rows: str) -> str:
    """The id of an ended job; its creation is also the test of ``evenkeel train``."""
    done = stack.evenkeel(
        "train", rows, *TINY, "--seeds", "2", "--max-steps", "12", "--suffix", "t"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for expected in (
        r"seed 0: succeeded, step 12/12",
        r"seed 1: succeeded, step 12/12",
        r"2 of 2 succeeded",
        r"mean ± std",
    ):
        assert re.search(expected, done.stdout), done.stdout
    assert re.search(r"^Model: ft:tiny-bert:local:t:\w+$", done.stdout, re.MULTILINE), done.stdout
    return str(re.findall(r"ftjob-\w+", done.stdout)[0])

"""The real client of three major versions, each in an environment of its own, makes every call before a whole service."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.client.conftest import run_script
from tests.client.driver.calls import CALLS
from tests.client.driver.checks import CHECKS
from tests.client.environments import PINS
from tests.stack import Stack

ROOT = Path(__file__).parents[2]
Told = dict[str, Any]


@pytest.fixture(scope="module")
def told(pythons: Mapping[str, Path], major: str, shared_stack: Stack) -> Told:
    """What the driver says under this major's interpreter."""
    done = run_script(pythons[major], "-m", "tests.client.driver", stack=shared_stack, folder=ROOT)
    assert done.returncode == 0, f"{done.stderr}\n{shared_stack.logs()}"
    told: Told = json.loads(done.stdout)
    return told


def test_the_pinned_version_was_driven(told: Told, major: str) -> None:
    assert f"openai=={told['version']}\n" in (PINS / f"openai-{major}.txt").read_text()
    assert told["version"].startswith(f"{major}.")


@pytest.mark.parametrize("check", CHECKS)
def test_the_client(told: Told, check: str) -> None:
    assert check not in told["failures"], told["failures"][check]


def test_every_call_is_there_and_was_made(told: Told) -> None:
    assert told["lacking"] == []
    sent = {f"{method} {path}" for method, path in told["sent"]}
    for name, request in CALLS.items():
        pattern = re.escape(request).replace(r"\*", "[^/]+")
        assert any(re.fullmatch(pattern, one) for one in sent), f"{name} was not called"

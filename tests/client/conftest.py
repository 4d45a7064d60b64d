"""An environment of each major version of the official client, and a service for them."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from openai import OpenAI

from tests.client.environments import MAJORS, EnvironmentNotMade, interpreters
from tests.stack import Stack


@pytest.fixture(scope="session")
def pythons() -> Mapping[str, Path]:
    """The interpreter of each major's environment."""
    try:
        return interpreters()
    except EnvironmentNotMade as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="module", params=MAJORS, ids=[f"openai-{major}.x" for major in MAJORS])
def major(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(shared_stack: Stack) -> Iterator[OpenAI]:
    """This environment's own client."""
    base_url = f"http://127.0.0.1:{shared_stack.port}/v1"
    with OpenAI(base_url=base_url, api_key="none", max_retries=0, _strict_response_validation=True) as client:
        yield client


def run_script(python: Path, *arguments: str, stack: Stack, folder: Path) -> subprocess.CompletedProcess[str]:
    """A script as a user runs it: nothing but the service's address and a key in the environment, below ``folder``."""
    address = f"http://127.0.0.1:{stack.port}/v1"
    environment = {"PATH": os.environ["PATH"], "OPENAI_BASE_URL": address, "OPENAI_API_KEY": "none"}
    return subprocess.run(
        [python, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=280
    )

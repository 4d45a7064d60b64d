"""Fixtures: an environment per major version of the official client, and a service."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.client.environments import MAJORS, EnvironmentFailed, create_environments
from tests.client.hosted_script import MODEL as HOSTED_MODEL
from tests.encoders import build_bert_folder
from tests.stack import Stack


@pytest.fixture(scope="session")
def pythons() -> Mapping[str, Path]:
    """Interpreter by major version."""
    try:
        return create_environments()
    except EnvironmentFailed as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="module", params=MAJORS, ids=[f"openai-{major}.x" for major in MAJORS])
def major(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Base models, one of them under the name of the hosted API's model."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("tiny-bert", HOSTED_MODEL):
        build_bert_folder(folder / name)
    return folder


def run_script(
    python: Path, *arguments: str, stack: Stack, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run a script as a user does: with the service's address and a key, in ``folder``."""
    address = f"http://127.0.0.1:{stack.port}/v1"
    environment = {"PATH": os.environ["PATH"], "OPENAI_BASE_URL": address, "OPENAI_API_KEY": "none"}
    return subprocess.run(
        [python, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )

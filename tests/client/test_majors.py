"""The real client of three major versions, each in an environment of its own, before a whole
service: every call of the core, and a script that was written for the hosted API.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.client import hosted_script
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


def test_no_answer_asks_to_be_sent_for_again(told: Told) -> None:
    """Neither 408, 409, 429 nor 5xx: the client repeats a call that is answered so."""
    assert told["statuses"] == [200, 400, 404, 422]


@pytest.mark.parametrize("check", CHECKS)
def test_the_client(told: Told, check: str) -> None:
    assert check not in told["failures"], told["failures"][check]


def test_every_call_is_there_and_was_made(told: Told) -> None:
    assert told["lacking"] == []
    sent = {f"{method} {path}" for method, path in told["sent"]}
    for name, request in CALLS.items():
        pattern = re.escape(request).replace(r"\*", "[^/]+")
        assert any(re.fullmatch(pattern, one) for one in sent), f"{name} was not called"


def test_a_script_for_the_hosted_api(
    pythons: Mapping[str, Path], major: str, shared_stack: Stack, tmp_path: Path
) -> None:
    done = run_script(
        pythons[major], str(Path(hosted_script.__file__)), stack=shared_stack, folder=tmp_path
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{shared_stack.logs()}"
    said: dict[str, list[str]] = defaultdict(list)
    for line in done.stdout.splitlines():
        word, _, rest = line.partition(" ")
        said[word].append(rest)
    model, owner = said["model"][0].split()
    job_id = said["created"][0].split()[0]
    job = shared_stack.job(job_id)
    assert said["created"] == [f"{job_id} 3"]
    assert said["ended"] == [f"succeeded {job['trained_tokens']}"]
    assert (model, owner) == (job["fine_tuned_model"], "local")
    assert model.startswith(f"ft:{hosted_script.MODEL}:local:sentiment:")
    events = shared_stack.get(f"/v1/fine_tuning/jobs/{job_id}/events", limit=1000)["data"]
    assert said["event"] == [f"{event['level']} {event['message']}" for event in events]
    (step, loss, checkpoint), *_ = [line.split() for line in said["checkpoint"]]
    assert checkpoint.endswith(f":ckpt-step-{step}")
    assert float(loss) > 0
    assert job["resolved_recipe"]["num_train_epochs"] == 3
    trained, accuracy = _trained_steps(shared_stack, job_id), job["stability"]["max"]
    assert said["result"] == [f"metrics.csv {trained} {accuracy}"]
    assert (said["other"], said["listed"], said["deleted"]) == (
        ["cancelled None"],
        ["True"],
        ["True", "True"],
    )


def _trained_steps(stack: Stack, job_id: str) -> int:
    return sum(run["step"] for run in stack.runs(job_id) if run["purpose"] == "main")

"""The official client in three major versions, against a whole service."""

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
Outcome = dict[str, Any]


@pytest.fixture(scope="module")
def outcome(pythons: Mapping[str, Path], major: str, shared_stack: Stack) -> Outcome:
    """Outcome of the driver with this major's interpreter."""
    completed = run_script(
        pythons[major], "-m", "tests.client.driver", stack=shared_stack, folder=ROOT
    )
    assert completed.returncode == 0, f"{completed.stderr}\n{shared_stack.logs()}"
    outcome: Outcome = json.loads(completed.stdout)
    return outcome


def test_the_pinned_version_was_used(outcome: Outcome, major: str) -> None:
    assert f"openai=={outcome['version']}\n" in (PINS / f"openai-{major}.txt").read_text()
    assert outcome["version"].startswith(f"{major}.")


def test_no_status_makes_the_client_retry(outcome: Outcome) -> None:
    """The client retries on 408, 409, 429 and 5xx."""
    assert outcome["statuses"] == [200, 400, 404, 422]


@pytest.mark.parametrize("check", CHECKS)
def test_check(outcome: Outcome, check: str) -> None:
    assert check not in outcome["failures"], outcome["failures"][check]


def test_every_supported_call_exists_and_was_made(outcome: Outcome) -> None:
    assert outcome["missing_calls"] == []
    sent = {f"{method} {path}" for method, path in outcome["sent"]}
    for name, expected in CALLS.items():
        pattern = re.escape(expected).replace(r"\*", "[^/]+")
        assert any(re.fullmatch(pattern, request) for request in sent), f"{name} was not called"


def test_a_script_for_the_hosted_api(
    pythons: Mapping[str, Path], major: str, shared_stack: Stack, tmp_path: Path
) -> None:
    completed = run_script(
        pythons[major], str(Path(hosted_script.__file__)), stack=shared_stack, folder=tmp_path
    )
    assert completed.returncode == 0, (
        f"{completed.stdout}\n{completed.stderr}\n{shared_stack.logs()}"
    )
    output: dict[str, list[str]] = defaultdict(list)
    for line in completed.stdout.splitlines():
        name, _, rest = line.partition(" ")
        output[name].append(rest)
    model, owner = output["model"][0].split()
    job_id = output["created"][0].split()[0]
    job = shared_stack.job(job_id)
    assert output["created"] == [f"{job_id} 3"]
    assert output["ended"] == [f"succeeded {job['trained_tokens']}"]
    assert (model, owner) == (job["fine_tuned_model"], "local")
    assert model.startswith(f"ft:{hosted_script.MODEL}:local:sentiment:")
    events = shared_stack.get(f"/v1/fine_tuning/jobs/{job_id}/events", limit=1000)["data"]
    assert output["event"] == [f"{event['level']} {event['message']}" for event in events]
    (step, loss, checkpoint), *_ = [line.split() for line in output["checkpoint"]]
    assert checkpoint.endswith(f":ckpt-step-{step}")
    assert float(loss) > 0
    assert job["resolved_recipe"]["num_train_epochs"] == 3
    trained, accuracy = _count_trained_steps(shared_stack, job_id), job["stability"]["max"]
    assert output["result"] == [f"metrics.csv {trained} {accuracy}"]
    assert (output["other"], output["listed"], output["deleted"]) == (
        ["cancelled None"],
        ["True"],
        ["True", "True"],
    )


def _count_trained_steps(stack: Stack, job_id: str) -> int:
    return sum(run["step"] for run in stack.runs(job_id) if run["purpose"] == "main")

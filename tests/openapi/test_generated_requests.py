"""Generated requests cause no server error and no undocumented response.

The short test has a fixed seed and a service without workers; the long one starts from trained
models.
"""

import random
import sys

import pytest

from tests.openapi.campaign import Outcome, build_settings, run_campaign
from tests.openapi.conftest import Service

LONG_CASES = 10_000


def summarize_checked(outcome: Outcome) -> str:
    """Fail for faults of the service; return the campaign in one line."""
    summary = (
        f"{outcome.cases.total()} cases {dict(outcome.cases)}, statuses {dict(outcome.statuses)}"
    )
    assert not outcome.faults, "\n\n".join(
        [summary, *(f"{title}\n{details}" for title, details in outcome.faults.items())]
    )
    assert not {status for status in outcome.statuses if status >= 500}, summary
    return summary


def test_every_operation_responds_as_documented(untrained: Service) -> None:
    outcome = run_campaign(
        untrained.app,
        build_settings(untrained.known, examples=5, steps=6, seed=1, coverage="positive"),
    )
    summarize_checked(outcome)
    assert outcome.operations == {
        f"{method.upper()} {path}"
        for path, operations in untrained.app.openapi()["paths"].items()
        for method in operations
    }
    assert all(
        outcome.cases[phase] for phase in ("examples", "coverage", "fuzzing", "stateful_testing")
    )


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_ten_thousand_generated_requests_have_no_fault(
    trained: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = random.SystemRandom().getrandbits(32)
    with capsys.disabled():
        sys.stdout.write(f"\nseed {seed}\n")
        outcome = run_campaign(
            trained.app, build_settings(trained.known, examples=240, steps=10, seed=seed, workers=4)
        )
        sys.stdout.write(f"{summarize_checked(outcome)}\n")
    assert outcome.cases.total() >= LONG_CASES, dict(outcome.cases)
    assert outcome.successes["POST /v1/classifications"] > 0

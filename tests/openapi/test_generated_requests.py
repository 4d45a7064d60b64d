"""Generated requests cause no server error and no undocumented response.

The short test has a fixed seed and a service without workers; the long one starts from trained
models, and sends keys of several owners and scopes.
"""

import random
import sys

import pytest

from tests.openapi.campaign import Outcome, build_settings, run_campaign
from tests.openapi.conftest import Service

LONG_CASES = 10_000
EXAMPLES_BY_KEY = {"owner": 160, "reader": 40, "other": 60, "administrator": 20}
"""Requests per operation and strategy, by the key that sends them."""


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
@pytest.mark.timeout(7200)
def test_ten_thousand_generated_requests_have_no_fault(
    trained: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = random.SystemRandom().getrandbits(32)
    total = 0
    with capsys.disabled():
        sys.stdout.write(f"\nseed {seed}\n")
        for name, examples in EXAMPLES_BY_KEY.items():
            settings = build_settings(
                trained.known,
                examples=examples,
                steps=10,
                seed=seed,
                workers=4,
                key=trained.keys[name],
            )
            outcome = run_campaign(trained.app, settings)
            sys.stdout.write(f"{name}: {summarize_checked(outcome)}\n")
            expect_access(name, outcome)
            total += outcome.cases.total()
    assert total >= LONG_CASES


def expect_access(name: str, outcome: Outcome) -> None:
    """See that the campaign of a key got as far as the key allows."""
    assert not outcome.statuses[401]
    assert not outcome.statuses[429]
    classified = outcome.successes["POST /v1/classifications"]
    created = outcome.successes["POST /v1/files"]
    assert (classified > 0) == (name in ("owner", "reader"))
    assert (created > 0) == (name != "reader")
    assert (outcome.statuses[403] > 0) == (name == "reader")

"""Requests that schemathesis draws from the document, to the real application: no fault of the
server, nothing undocumented.

The short form has a fixed seed and nothing but what a service without workers holds; the long
one goes on from trained models.
"""

import random
import sys

import pytest

from tests.openapi.campaign import Outcome, run, settings_of
from tests.openapi.conftest import Service

LONG_CASES = 10_000


def check(outcome: Outcome) -> str:
    """The campaign in a line."""
    told = f"{outcome.cases.total()} cases {dict(outcome.cases)}, answers {dict(outcome.statuses)}"
    assert not outcome.faults, "\n\n".join(
        [told, *(f"{title}\n{shown}" for title, shown in outcome.faults.items())]
    )
    assert not {status for status in outcome.statuses if status >= 500}, told
    return told


def test_every_operation_answers_as_documented(untrained: Service) -> None:
    outcome = run(
        untrained.app,
        settings_of(untrained.known, examples=5, steps=6, seed=1, coverage="positive"),
    )
    check(outcome)
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
def test_ten_thousand_requests_from_the_document(
    trained: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = random.SystemRandom().getrandbits(32)
    with capsys.disabled():
        sys.stdout.write(f"\nseed {seed}\n")
        outcome = run(
            trained.app, settings_of(trained.known, examples=240, steps=10, seed=seed, workers=4)
        )
        sys.stdout.write(f"{check(outcome)}\n")
    assert outcome.cases.total() >= LONG_CASES, dict(outcome.cases)
    assert outcome.done["POST /v1/classifications"] > 0

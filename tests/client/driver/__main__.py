"""Run all checks and write one JSON object with their outcome.

Keys: ``version``, ``missing_calls``, ``failures`` by check, ``sent``, ``statuses``.
"""

import json
import sys
from functools import partial
from unittest import FunctionTestCase, TestResult

import openai

from tests.client.driver.calls import list_missing_calls
from tests.client.driver.checks import CHECKS
from tests.client.driver.service import Service


def main() -> None:
    service, result = Service(), TestResult()
    for name, check in CHECKS.items():
        FunctionTestCase(partial(check, service), description=name).run(result)
    service.close()
    failures = {test.shortDescription(): text for test, text in [*result.failures, *result.errors]}
    outcome = {
        "version": openai.__version__,
        "missing_calls": list_missing_calls(service.strict),
        "failures": failures,
        "sent": sorted(set(service.sent)),
        "statuses": sorted(service.statuses),
    }
    json.dump(outcome, sys.stdout)


if __name__ == "__main__":
    main()

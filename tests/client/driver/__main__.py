"""Runs every check and writes what became of it as one JSON object: ``version``, ``lacking``,
``failures`` by check, ``sent``, ``statuses``.
"""

import json
import sys
from functools import partial
from unittest import FunctionTestCase, TestResult

import openai

from tests.client.driver.calls import lacking
from tests.client.driver.checks import CHECKS
from tests.client.driver.service import Service


def main() -> None:
    service, result = Service(), TestResult()
    for name, check in CHECKS.items():
        FunctionTestCase(partial(check, service), description=name).run(result)
    service.close()
    failures = {test.shortDescription(): told for test, told in [*result.failures, *result.errors]}
    told = {"version": openai.__version__, "lacking": lacking(service.strict), "failures": failures}
    json.dump(
        {**told, "sent": sorted(set(service.sent)), "statuses": sorted(service.statuses)},
        sys.stdout,
    )


if __name__ == "__main__":
    main()

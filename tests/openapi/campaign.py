"""Generated requests against the real application, checked against its own document: schemathesis' engine, and what came of it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.openapi import from_asgi
from starlette.types import ASGIApp


@dataclass
class Outcome:
    """What a campaign sent, and what was wrong with the answers."""

    cases: Counter[str] = field(default_factory=Counter)
    """By phase."""
    statuses: Counter[int] = field(default_factory=Counter)
    """By status of the answer."""
    operations: set[str] = field(default_factory=set)
    """Those that were reached, by method and path."""
    faults: dict[str, str] = field(default_factory=dict)
    """By operation and kind of fault, with the request that shows it."""

    def add(self, event: events.ScenarioFinished) -> None:
        recorder = event.recorder
        self.cases[event.phase.name.lower()] += len(recorder.interactions)
        self.statuses.update(
            interaction.response.status_code for interaction in recorder.interactions.values() if interaction.response
        )
        self.operations.update(node.value.operation.label for node in recorder.cases.values())
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.status is Status.FAILURE and check.failure_info is not None:
                    failure = check.failure_info.failure
                    key = f"{recorder.cases[case_id].value.operation.label}: {failure.title}"
                    self.faults.setdefault(key, f"{failure.message}\n{check.failure_info.code_sample}")


def run(app: ASGIApp, settings: dict[str, Any]) -> Outcome:
    """Every phase over every operation of ``app``'s document, with schemathesis configured by ``settings``."""
    schema = from_asgi("/openapi.json", app, config=SchemathesisConfig.from_dict(settings))
    outcome = Outcome()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            outcome.add(event)
        elif isinstance(event, events.NonFatalError):
            outcome.faults[f"{event.label}: {event.info.title}"] = str(event.value)
        elif isinstance(event, events.FatalError):
            raise event.exception
    return outcome

"""Generated requests against the real application, checked against its own document:
schemathesis' engine, and what came of it.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemathesis import Case, HookContext
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.transport import Response
from schemathesis.engine import Status, events, from_schema
from schemathesis.openapi import from_asgi
from schemathesis.openapi.checks import RejectedPositiveData
from starlette.types import ASGIApp

TAKES = {
    "file": (
        "path.file_id",
        "body.training_file",
        "body.validation_file",
        "body.test_file",
        "body.input_file",
    ),
    "job": ("path.job_id", "body.job_ids[*]"),
    "run": ("path.run_id",),
    "model": ("path.model", "body.model", "query.model"),
    "comparison": ("path.comparison_id",),
    "upload": ("path.upload_id",),
    "recipe": ("path.name",),
    "table": ("body.file", "body.data"),
}
"""Which parameters and fields take a thing of which kind; half of the time they are given one
that is there.
"""

UNWRITTEN = (
    # between fields
    "Required: expires_after[",
    "give num_seeds or seeds",
    "give num_train_epochs or max_steps, not both",
    "give num_seeds or init_seeds, not both",
    "give num_seeds or seeds, not both",
    "give seeds or init_seeds, not both",
    "init_seeds need data_seeds to form a grid",
    "keep must be smaller than start",
    "early_discard.start is the number of runs",
    "after does not apply to a stream",
    # of one field, and of no JSON Schema
    # 6.0 is one to JSON Schema, and to nobody who writes a request
    "Input should be a valid integer",
    "names a job twice",  # the document says so; the known jobs that are put in here do not heed it
    "an http or https address of visible ASCII characters",
    "leave user and password out of the address",
    "must be base64",
    "a key of at least 16 bytes",
    "printable characters",
    # a header of 0 is drawn at times, against its pattern
    "last-event-id: String should match pattern",
)
"""What the document says in words alone; part of the message that refuses it."""


@dataclass
class Outcome:
    """What a campaign sent, and what was wrong with the answers."""

    cases: Counter[str] = field(default_factory=Counter)
    """By phase."""
    statuses: Counter[int] = field(default_factory=Counter)
    """By status of the answer."""
    done: Counter[str] = field(default_factory=Counter)
    """Answers of 2xx by operation."""
    operations: set[str] = field(default_factory=set)
    """Those that were asked, by method and path."""
    faults: dict[str, str] = field(default_factory=dict)
    """By operation and kind of fault, with the request that shows it."""

    def add(self, event: events.ScenarioFinished) -> None:
        recorder = event.recorder
        self.cases[event.phase.name.lower()] += len(recorder.interactions)
        for case_id, interaction in recorder.interactions.items():
            label = recorder.cases[case_id].value.operation.label
            self.operations.add(label)
            if interaction.response is not None:
                self.statuses[interaction.response.status_code] += 1
                self.done[label] += interaction.response.status_code < 300
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.status is Status.FAILURE and check.failure_info is not None:
                    failure = check.failure_info.failure
                    key = f"{recorder.cases[case_id].value.operation.label}: {failure.title}"
                    self.faults.setdefault(
                        key, f"{failure.message}\n{check.failure_info.code_sample}"
                    )


def settings_of(
    known: Mapping[str, Sequence[str]],
    *,
    examples: int,
    steps: int,
    seed: int,
    coverage: str = "all",
    workers: int = 1,
) -> dict[str, Any]:
    """Schemathesis' configuration: ``examples`` a strategy of an operation, ``steps`` a chain
    of calls.

    ``coverage``: which of the cases that come systematically from the document, ``all`` or the
    ``positive`` ones. ``workers``: threads that ask at the same time; more than one, and the
    order of requests is another each time.
    """
    return {
        "seed": seed,
        "workers": workers,
        "max-stream-events": 1,
        "generation": {
            "max-examples": examples,
            "database": "none",
            "allow-x00": False,
        },
        "phases": {
            "coverage": {
                "generation": {"mode": coverage},
                "unexpected-methods": ["PUT", "OPTIONS"],
            },
            "stateful": {"max-steps": steps},
        },
        "checks": {
            "negative_data_rejection": {
                "expected-statuses": [400, 401, 403, 404, 413, 415, 422, 429]
            }
        },
        "dictionaries": {kind: {"values": list(values)} for kind, values in known.items()},
        "parameters": {
            place: {"dictionary": kind, "probability": 0.5}
            for kind, places in TAKES.items()
            for place in places
        },
        # what ends a thing is given things that nothing else needs
        "operations": [
            {
                "include-operation-id": [
                    "delete_file",
                    "delete_job",
                    "delete_model",
                    "cancel_upload",
                    "complete_upload",
                ],
                "parameters": {
                    f"path.{name}": {"dictionary": f"spare {kind}", "probability": 0.5}
                    for name, kind in (
                        ("file_id", "file"),
                        ("job_id", "job"),
                        ("upload_id", "upload"),
                        ("model", "model"),
                    )
                },
            }
        ],
    }


def is_ours(_context: HookContext, failure: Failure, case: "Case[Any]", response: Response) -> bool:
    """Whether a failure counts.

    What fits the document may be refused for what is there, and as not understood by the rules
    of ``UNWRITTEN`` alone. What does not fit must be refused, but for headers that nobody asked
    for, for numbers in a form, which are text there, and for metadata to filter by: a key may
    hold brackets, so that what is nested reads as one.
    """
    if isinstance(failure, AcceptedNegativeData):
        unasked = any(
            name.lower() == "x-schemathesis-unknown-property" for name in case.headers or ()
        )
        by_metadata = "metadata" in (case.query or {})
        return not unasked and not by_metadata and case.media_type != "multipart/form-data"
    if isinstance(failure, RejectedPositiveData):
        error = json.loads(response.content)["error"]
        return error["code"] == "invalid_request" and not any(
            rule in error["message"] for rule in UNWRITTEN
        )
    return True


def run(app: ASGIApp, settings: dict[str, Any]) -> Outcome:
    """Every phase over every operation of ``app``'s document, with schemathesis configured by
    ``settings``.
    """
    schema = from_asgi("/openapi.json", app, config=SchemathesisConfig.from_dict(settings))
    schema.hooks.register_hook_with_name(is_ours, "filter_failure")
    outcome = Outcome()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            outcome.add(event)
        elif isinstance(event, events.NonFatalError):
            outcome.faults[f"{event.label}: {event.info.title}"] = str(event.value)
        elif isinstance(event, events.FatalError):
            raise event.exception
    return outcome

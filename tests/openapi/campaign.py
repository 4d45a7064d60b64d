"""Campaigns of generated requests against the application, driven by schemathesis."""

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

PLACES_BY_KIND = {
    "file": (
        "path.file_id",
        "body.training_file",
        "body.validation_file",
        "body.test_file",
        "body.unlabelled_file",
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
"""Parameters and fields that name an object, by its kind; half of their values exist."""

RULES_IN_WORDS = (
    # rules between fields
    "expires_after needs both",
    "give either num_seeds or seeds",
    "set num_train_epochs or max_steps, not both",
    "give num_seeds or init_seeds, not both",
    "give num_seeds or seeds, not both",
    "give seeds or init_seeds, not both",
    "init_seeds needs data_seeds to form a grid",
    "keep must be smaller than start",
    'keep "none" publishes no model',
    'keep "best_run" excludes publish',
    "early_discard.start sets the number of runs",
    "after does not apply to a stream",
    "after is not the ID of an item of this list",
    # rules of one field that JSON Schema cannot express
    # JSON Schema counts 6.0 as an integer
    "must be a whole number",
    "or a whole number",
    # in the document, but the known jobs are inserted without regard to it
    "a job is named twice",
    "an http or https URL of visible ASCII characters",
    "leave user and password out of the URL",
    "must be base64",
    "a key of at least 16 bytes",
    "printable characters",
    # the header 0 is generated at times, against its pattern
    "last-event-id must match the pattern",
)
"""Parts of the messages about rules that the document states in words only."""


@dataclass
class Outcome:
    """Requests that a campaign sent, and the faults of their responses."""

    cases: Counter[str] = field(default_factory=Counter)
    """Number of requests by phase."""
    statuses: Counter[int] = field(default_factory=Counter)
    """Number of responses by status."""
    successes: Counter[str] = field(default_factory=Counter)
    """Number of successful responses by operation."""
    operations: set[str] = field(default_factory=set)
    """Requested operations, as method and path."""
    faults: dict[str, str] = field(default_factory=dict)
    """Message and request of the first fault, by operation and kind."""

    def add(self, event: events.ScenarioFinished) -> None:
        recorder = event.recorder
        self.cases[event.phase.name.lower()] += len(recorder.interactions)
        for case_id, interaction in recorder.interactions.items():
            label = recorder.cases[case_id].value.operation.label
            self.operations.add(label)
            if interaction.response is not None:
                self.statuses[interaction.response.status_code] += 1
                self.successes[label] += interaction.response.status_code < 300
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.status is Status.FAILURE and check.failure_info is not None:
                    failure = check.failure_info.failure
                    key = f"{recorder.cases[case_id].value.operation.label}: {failure.title}"
                    self.faults.setdefault(
                        key, f"{failure.message}\n{check.failure_info.code_sample}"
                    )


def build_settings(
    known: Mapping[str, Sequence[str]],
    *,
    examples: int,
    steps: int,
    seed: int,
    coverage: str = "all",
    workers: int = 1,
    key: str | None = None,
) -> dict[str, Any]:
    """Return a configuration of schemathesis.

    ``examples``: requests per operation and strategy. ``steps``: requests per chain. ``coverage``:
    systematic cases, ``all`` or only the ``positive`` ones. ``workers``: threads; with more than
    one, the order of the requests varies. ``key``: sent with every request.
    """
    return {
        "seed": seed,
        "headers": {} if key is None else {"Authorization": f"Bearer {key}"},
        "workers": workers,
        "max-stream-events": 1,
        "request-timeout": 120.0,  # a drawing on a busy machine
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
            # it guesses keys, after which its address has to wait; tests/security has a matrix
            "ignored_auth": {"enabled": False},
            "negative_data_rejection": {
                "expected-statuses": [400, 401, 403, 404, 413, 415, 422, 429]
            },
        },
        "dictionaries": {kind: {"values": list(values)} for kind, values in known.items()},
        "parameters": {
            place: {"dictionary": kind, "probability": 0.5}
            for kind, places in PLACES_BY_KIND.items()
            for place in places
        },
        # operations that end an object get objects that no other operation needs
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


def is_fault(
    _context: HookContext, failure: Failure, case: "Case[Any]", response: Response
) -> bool:
    """Whether a failure that schemathesis reports is a fault of the service.

    A valid request may be refused because of stored objects, or as invalid by one of
    ``RULES_IN_WORDS``. An invalid request must be refused, except for unknown headers, for numbers
    in a form (which are text), and for metadata filters (a key may contain brackets, so nested
    values are keys).
    """
    if isinstance(failure, AcceptedNegativeData):
        has_unknown_header = any(
            name.lower() == "x-schemathesis-unknown-property" for name in case.headers or ()
        )
        by_metadata = "metadata" in (case.query or {})
        return (
            not has_unknown_header and not by_metadata and case.media_type != "multipart/form-data"
        )
    if isinstance(failure, RejectedPositiveData):
        error = json.loads(response.content)["error"]
        return error["code"] == "invalid_request" and not any(
            rule in error["message"] for rule in RULES_IN_WORDS
        )
    return True


def run_campaign(app: ASGIApp, settings: dict[str, Any]) -> Outcome:
    """Run every phase of schemathesis over every operation of the app's document."""
    schema = from_asgi("/openapi.json", app, config=SchemathesisConfig.from_dict(settings))
    schema.hooks.register_hook_with_name(is_fault, "filter_failure")
    outcome = Outcome()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            outcome.add(event)
        elif isinstance(event, events.NonFatalError):
            outcome.faults[f"{event.label}: {event.info.title}"] = str(event.value)
        elif isinstance(event, events.FatalError):
            raise event.exception
    return outcome

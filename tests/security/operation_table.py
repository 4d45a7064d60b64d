"""One row per operation of the OpenAPI document: the scope it needs, and requests for it that name
things of an owner.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from shared.domain import ids
from shared.domain.api_keys import Scope


@dataclass(frozen=True)
class Things:
    """IDs of things that one owner has, or that nobody has."""

    file_id: str
    job_id: str
    other_job_id: str
    run_id: str
    upload_id: str
    comparison_id: str
    model: str
    name: str = "stabilized"
    """A preset, which is the installation's."""

    def replace_in(self, text: str) -> str:
        """Replace the ids in a text by their kinds, so that two answers can be compared."""
        for kind, value in vars(self).items():
            text = text.replace(value, f"<{kind}>")
        return text


def make_missing_things() -> Things:
    return Things(
        ids.make_file_id(),
        ids.make_job_id(),
        ids.make_job_id(),
        ids.make_run_id(),
        ids.make_upload_id(),
        ids.make_comparison_id(),
        "ft:tiny-bert:local::00000000",
    )


class Call(NamedTuple):
    """Arguments of a request besides method and path."""

    json: object = None
    params: dict[str, str] = {}  # noqa: RUF012 (never changed)
    files: dict[str, tuple[str, bytes]] | None = None


Build = Callable[[Things], Call]


class Row(NamedTuple):
    scope: Scope | None
    """Scope that the operation needs; None if it needs no key."""
    calls: tuple[Build, ...] = (lambda _: Call(),)
    """Requests, each of which names at least one thing of an owner unless ``is_shared``."""
    is_shared: bool = False
    """Whether the requests name nothing of an owner."""


READ, SUBMIT = Scope.READ, Scope.SUBMIT
NOTHING = Call()
TABLE = {"file": ("a.csv", b"text,label\na,x\nb,y\n")}


def _body(**fields: Any) -> Call:
    return Call(json=fields)


ROWS: dict[str, Row] = {
    "create_file": Row(SUBMIT, (lambda _: Call(files=TABLE),), is_shared=True),
    "list_files": Row(READ, (lambda t: Call(params={"after": t.file_id}),)),
    "retrieve_file": Row(READ),
    "delete_file": Row(SUBMIT),
    "file_content": Row(READ),
    "file_validation": Row(READ),
    "preview_file": Row(
        READ, (lambda _: NOTHING, lambda t: Call(params={"model": t.model, "n": "1"}))
    ),
    "validate_file": Row(READ, (lambda _: _body(),)),
    "create_upload": Row(
        SUBMIT,
        (lambda _: _body(filename="a.csv", purpose="fine-tune", bytes=5, mime_type="text/csv"),),
        is_shared=True,
    ),
    "add_upload_part": Row(SUBMIT, (lambda _: Call(files={"data": ("part", b"text,")}),)),
    "complete_upload": Row(SUBMIT, (lambda _: _body(part_ids=["part_1"]),)),
    "cancel_upload": Row(SUBMIT),
    "create_job": Row(
        SUBMIT,
        (
            lambda t: _body(model="tiny-bert", training_file=t.file_id),
            lambda t: _body(model=t.model, training_file=t.file_id),
            lambda t: _body(model=t.file_id, training_file=t.file_id),
            lambda t: _body(model="tiny-bert", training_file=t.file_id, dry_run=True),
        ),
    ),
    "list_jobs": Row(READ, (lambda t: Call(params={"after": t.job_id}),)),
    "retrieve_job": Row(READ),
    "delete_job": Row(SUBMIT),
    "list_events": Row(READ, (lambda _: NOTHING, lambda _: Call(params={"stream": "true"}))),
    "list_checkpoints": Row(READ),
    "list_webhook_deliveries": Row(READ),
    "cancel_job": Row(SUBMIT),
    "pause_job": Row(SUBMIT),
    "resume_job": Row(SUBMIT),
    "extend_job": Row(SUBMIT, (lambda _: _body(num_seeds=1),)),
    "clone_job": Row(SUBMIT, (lambda _: _body(), lambda t: _body(training_file=t.file_id))),
    "list_runs": Row(READ),
    "retrieve_run": Row(READ),
    "run_logs": Row(READ),
    "cancel_run": Row(SUBMIT),
    "retry_run": Row(SUBMIT),
    "run_metrics": Row(READ),
    "stability": Row(READ),
    "stability_csv": Row(READ),
    "stability_html": Row(READ),
    "stability_png": Row(READ),
    "create_comparison": Row(SUBMIT, (lambda t: _body(job_ids=[t.job_id, t.other_job_id]),)),
    "list_comparisons": Row(READ, (lambda t: Call(params={"after": t.comparison_id}),)),
    "retrieve_comparison": Row(READ),
    "comparison_html": Row(READ),
    "comparison_png": Row(READ),
    "list_recipes": Row(READ, (lambda t: Call(params={"model": t.model}),)),
    "retrieve_recipe": Row(READ, (lambda t: Call(params={"model": t.model}),)),
    "list_models": Row(READ, is_shared=True),
    "retrieve_model": Row(READ),
    "delete_model": Row(SUBMIT),
    "create_classification": Row(READ, (lambda t: _body(model=t.model, input="a"),)),
    "create_classification_batch": Row(
        SUBMIT, (lambda t: _body(model=t.model, input_file=t.file_id),)
    ),
    "queue": Row(READ, is_shared=True),
    "usage": Row(READ, is_shared=True),
    "storage_usage": Row(READ, is_shared=True),
    "health": Row(None, is_shared=True),
    "ready": Row(None, is_shared=True),
}

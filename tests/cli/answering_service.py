"""A fake service that answers every request of the command line, with ids and names at their
longest.
"""

import io
import json
import zipfile
from typing import Any

from shared.report.comparison import ComparisonInput, build_comparison
from tests.cli.fake_service import FILE, JOB, Server, make_id
from tests.shared.reports import make_report

JOB_ID, OTHER_JOB_ID = make_id("ftjob", 0xA1), make_id("ftjob", 0xB2)
RUN_ID, FILE_ID = make_id("ftrun", 0xC3), make_id("file", 0xD4)
COMPARISON_ID = make_id("ftcmp", 0xE5)
BASE_MODEL = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"
MODEL = f"ft:{BASE_MODEL}:local:{'fire-and-' * 7}x:000000a1"
"""Wider than a terminal; with ``:local:``, as emoji codes are written."""
WORKER = f"{'a-long-host-name.' * 3}example:7"
EVENT = {
    "id": "ftevent-1",
    "created_at": 1_790_000_000,
    "level": "warn",
    "message": f"Run 0 of {JOB_ID} published {MODEL} after a few words that fill a line.",
    "run_id": RUN_ID,
}
RECIPE = {
    "preset": "pretrained_weight_decay",
    "max_steps": 3,
    "train_batch_size": 8,
    "learning_rate": 1e-4,
    "reinit_layers": 0,
}
RUN: dict[str, Any] = {
    "id": RUN_ID,
    "index": 0,
    "seed": 0,
    "status": "failed",
    "degenerate": None,
    "attempt": 1,
    "step": 1,
    "total_steps": 3,
    "validation_score": None,
    "score": None,
    "error": None,
}
STREAM = f"id: ftevent-1\nevent: message\ndata: {json.dumps(EVENT)}\n\nevent: done\ndata: {{}}\n\n"


class AnsweringService(Server):
    """Answers by path, however often it is asked."""

    def choose_answer(self, method: str, path: str) -> tuple[int, dict[str, str], Any]:
        if method == "DELETE":
            return 200, {}, {"id": FILE_ID, "deleted": True}
        route, _, query = path.partition("?")
        if route.endswith("/logs"):
            return 200, {"content-type": "text/plain; charset=utf-8"}, b"trainer: started\n"
        if route.endswith("/content"):
            return 200, {"content-type": "application/octet-stream"}, _build_archive()
        if "stream=true" in query:
            return 200, {"content-type": "text/event-stream"}, STREAM.encode()
        if "dry_run" in query:
            return 200, {}, _PLAN
        for end, answer in _ANSWERS_BY_END.items():
            if f"{method} {route}".endswith(end):
                return 200, {}, answer
        if (found := _find_object(route)) is not None:
            return 200, {}, found
        return 404, {}, {"error": {"message": f"No answer to {path}.", "param": None}}


def _find_object(route: str) -> Any:
    *_, kind, name = route.split("/")
    if kind == "jobs":
        return {**_JOB, "id": name}
    if kind == "files":
        return _FILE
    return _MODELS[0] if route.startswith("/v1/models/") else None


def _build_archive() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("config.json", "{}")
    return archive.getvalue()


_REPORT = make_report([0.6, 0.7, 0.8], job_id=JOB_ID).model_dump(mode="json") | {
    "fine_tuned_model": MODEL
}
_JOB = {
    **JOB,
    "id": JOB_ID,
    "created_at": 1_790_000_000,
    "finished_at": 1_790_000_060,
    "model": BASE_MODEL,
    "status": "succeeded",
    "fine_tuned_model": MODEL,
    "resolved_recipe": RECIPE,
    "result_files": [FILE_ID],
}
_FILE = {
    **FILE,
    "id": FILE_ID,
    "filename": "model.zip",
    "bytes": 1_234_567,
    "created_at": 1_790_000_000,
    "status_details": "CSV: 40 rows.",
}
_MODELS = [
    {
        "id": MODEL,
        "kind": "fine-tuned",
        "created": 1_790_000_000,
        "base_model": BASE_MODEL,
        "job_id": JOB_ID,
        "labels": ["neg", "pos"],
    },
    {"id": BASE_MODEL, "kind": "base", "created": 0},
]
_COMPARISON = build_comparison(
    [
        ComparisonInput(make_report([0.6, 0.7, 0.8], job_id=JOB_ID), "stabilized"),
        ComparisonInput(make_report([0.5, 0.6, 0.7], job_id=OTHER_JOB_ID), "conventional"),
    ]
).model_dump(mode="json") | {"id": COMPARISON_ID}
_QUEUE = {
    "depth": 1,
    "paused": 0,
    "running": [
        {
            "run_id": RUN_ID,
            "job_id": JOB_ID,
            "worker": WORKER,
            "device": "cpu",
            "step": 2,
            "total_steps": 3,
        }
    ],
    "workers": [
        {"name": WORKER, "slots": 2, "busy": 1, "devices": ["cpu"], "last_beat": 1_790_000_000}
    ],
}
_STORAGE_USAGE = {
    "bytes": 91_300_000,
    "items": 3,
    "data": [
        {"kind": "model", "id": MODEL, "job_id": JOB_ID, "name": None, "bytes": 91_000_000},
        {"kind": "file", "id": FILE_ID, "job_id": None, "name": "reviews.csv", "bytes": 200_000},
    ],
}
_RECIPES = [
    {
        "id": "pretrained_weight_decay",
        "description": "The control with weight decay toward the pre-trained weights.",
        "resolved_recipe": RECIPE,
        "recipe_notes": {"learning_rate": f"1e-4: as {BASE_MODEL} is small."},
        "automatic": ["reinit_layers", "max_steps"],
    }
]
_TARGET = {
    "scores": {"good": 0.875, "bad": 0.125},
    "predicted": "good",
    "truncated": False,
    "disagreement": None,
}
_PLAN = {
    "model": BASE_MODEL,
    "task": {"type": "regression", "text_column": "text", "label_column": "label"},
    "recipe": {},
    "resolved_recipe": RECIPE,
    "recipe_notes": {},
    "pilots": None,
    "metric": "accuracy",
    "dataset": {"rows": {"train": 8}},
    "warnings": [],
    "runs": [{"purpose": "main", "seed": 0, "total_steps": 30}],
    "estimate": {"seconds": 90.0, "reason": "As measured.", "slots": 2, "steps": 50},
}
_UPLOAD = {"id": "upload_1", "file": _FILE}
_ANSWERS_BY_END: dict[str, Any] = {
    "POST /v1/files": _FILE,
    "GET /v1/files": {"data": [_FILE], "has_more": False},
    "/preview": {"model": BASE_MODEL, "max_seq_length": 8, "truncated": 0, "data": []},
    "GET /v1/fine_tuning/jobs": {"data": [_JOB], "has_more": False},
    "POST /v1/fine_tuning/jobs": _JOB,
    "POST /v1/uploads": _UPLOAD,
    "/parts": {"id": "part_1"},
    "/complete": _UPLOAD,
    "/cancel": _JOB,
    "/pause": _JOB,
    "/resume": _JOB,
    "/extend": _JOB,
    "/clone": _JOB,
    "/retry": RUN,
    "/runs": {"data": [RUN]},
    "/events": {"data": [EVENT]},
    "/stability": _REPORT,
    "/comparisons": _COMPARISON,
    "/queue": _QUEUE,
    "/usage/storage": _STORAGE_USAGE,
    "/recipes": {"data": _RECIPES},
    "GET /v1/models": {"data": _MODELS},
    "/classifications": {
        "model": MODEL,
        "members": [MODEL],
        "results": [{"label": _TARGET}],
    },
    "/batches": {
        "members": [MODEL],
        "output_file_id": FILE_ID,
        "request_counts": {"total": 1},
        "truncated": 0,
    },
}

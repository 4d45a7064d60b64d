"""Record the examples of the OpenAPI document: ``python -m tests.openapi.record``.

A service trains a job of five seeds on the offline encoder and another to compare it with; every
operation is requested once.
"""

import json
import socket
import tempfile
from pathlib import Path
from typing import Any

import httpx

from api.openapi.examples import EXAMPLES_PATH
from tests.make import review_csv
from tests.servers import redis_server
from tests.stack import Stack, running_stack

JOBS = "/v1/fine_tuning/jobs"
MAX_ITEMS = 2  # of a list
LONG_LEASES = {"EVENKEEL_LEASE_SECONDS": "60", "EVENKEEL_REQUEUE_SECONDS": "30"}
"""As by default, so that no example shows a requeued run."""
RECIPE = {"max_steps": 24, "train_batch_size": 16, "eval_points": 3, "precision": "float32"}


class Recorder:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.examples: dict[str, dict[str, dict[str, Any]]] = {}

    def record(
        self, operation: str, method: str, path: str, name: str = "default", **request: Any
    ) -> Any:
        """Send a request, record it with its response as an example, and return the response."""
        response = self.stack.http.request(method, path, **request)
        assert response.is_success, (operation, response.text)
        content = _read_content(response)
        example = {"answer": _shorten(content)}
        if "json" in request:
            example["request"] = request["json"]
        if "files" in request:
            [(field, (_, uploaded))] = request["files"].items()
            example["request"] = {
                field: "\n".join(uploaded.decode().splitlines()[:3]) + "\n…",
                **request.get("data", {}),
            }
        self.examples.setdefault(operation, {})[name] = example
        return content


def _read_content(response: httpx.Response) -> Any:
    kind = response.headers["content-type"]
    if kind.startswith("image/"):
        return f"(the bytes of the {kind.removeprefix('image/').upper()})"
    return response.json() if kind == "application/json" else response.text


def _shorten(content: Any) -> Any:
    """Shorten a list to its first items, a text to its first and last lines, a page to its head."""
    if isinstance(content, str) and "<style>" in content:
        return content[: content.index("<style>")] + "…\n"
    if isinstance(content, str):
        blocks = content.split("\n\n") if "\n\n" in content else content.splitlines()
        joint = "\n\n" if "\n\n" in content else "\n"
        return (
            joint.join([*blocks[: MAX_ITEMS + 1], *blocks[-2:]])
            if len(blocks) > MAX_ITEMS + 3
            else content
        )
    if content.get("object") == "list" and len(content["data"]) > MAX_ITEMS:
        content = {**content, "data": content["data"][:MAX_ITEMS]}
        if "last_id" in content:
            content |= {"has_more": True, "last_id": content["data"][-1]["id"]}
    return content


def record_files(recorder: Recorder) -> str:
    record, content = recorder.record, {"file": ("reviews.csv", review_csv(120))}
    file_id = str(
        record("create_file", "POST", "/v1/files", files=content, data={"purpose": "fine-tune"})[
            "id"
        ]
    )
    upload = {
        "bytes": 1200,
        "filename": "more.csv",
        "mime_type": "text/csv",
        "purpose": "fine-tune",
    }
    table = review_csv(40, seed=1)
    upload["bytes"] = len(table)
    path = f"/v1/uploads/{record('create_upload', 'POST', '/v1/uploads', json=upload)['id']}"
    part = record("add_upload_part", "POST", f"{path}/parts", files={"data": ("part", table)})
    spare = record("complete_upload", "POST", f"{path}/complete", json={"part_ids": [part["id"]]})[
        "file"
    ]
    unwanted = recorder.stack.http.post("/v1/uploads", json=upload).json()["id"]
    record("cancel_upload", "POST", f"/v1/uploads/{unwanted}/cancel")
    record("list_files", "GET", "/v1/files")
    path = f"/v1/files/{file_id}"
    record("retrieve_file", "GET", path)
    record("file_validation", "GET", f"{path}/validation")
    record("preview_file", "GET", f"{path}/preview", params={"n": 2})
    columns = {"text_column": "text", "label_column": "label", "positive_label": "good"}
    record("validate_file", "POST", f"{path}/validate", json={"task": columns})
    record("delete_file", "DELETE", f"/v1/files/{spare['id']}")
    return file_id


def record_jobs(recorder: Recorder, file_id: str) -> tuple[str, str]:
    """Create a stabilized and a conventional job, and wait until both have ended."""
    record, stack = recorder.record, recorder.stack
    request = {
        "training_file": file_id,
        "suffix": "reviews",
        "metadata": {"team": "search"},
        "recipe": RECIPE,
        "artifacts": {"keep": "all_runs"},
    }
    record("create_job", "POST", JOBS, "dry_run", json={**request, "dry_run": True})
    first = record("create_job", "POST", JOBS, "default", json=request)["id"]
    hosted = {"n_epochs": 3, "batch_size": 16}
    old_script = {
        "training_file": file_id,
        "method": {"type": "supervised", "supervised": {"hyperparameters": hosted}},
        "recipe": {"preset": "conventional", "eval_points": 3, "precision": "float32"},
    }
    second = record("create_job", "POST", JOBS, "hosted_api", json=old_script)["id"]
    stack.wait_for_step(first, 1, 600)
    record("queue", "GET", "/v1/queue")
    for job in (first, second):
        assert stack.wait(job, 600)["status"] == "succeeded"
    record("list_jobs", "GET", JOBS, params={"limit": 1, "metadata[team]": "search"})
    path = f"{JOBS}/{first}"
    record("retrieve_job", "GET", path)
    record("list_events", "GET", f"{path}/events", params={"limit": 2})
    record("list_events", "GET", f"{path}/events", "stream", params={"stream": "true"})
    record("list_checkpoints", "GET", f"{path}/checkpoints", params={"limit": 2})
    record("stability", "GET", f"{path}/stability")
    record("stability_csv", "GET", f"{path}/stability.csv")
    record("stability_html", "GET", f"{path}/stability.html")
    record("stability_png", "GET", f"{path}/stability.png")
    runs = record("list_runs", "GET", f"{path}/runs")["data"]
    record("retrieve_run", "GET", f"{path}/runs/{runs[0]['id']}")
    names = {"names": "train_loss,valid_loss", "resolution": 4}
    record("run_logs", "GET", f"{path}/runs/{runs[0]['id']}/logs")
    record("run_metrics", "GET", f"{path}/runs/{runs[0]['id']}/metrics", params=names)
    return first, second


def record_actions(recorder: Recorder, job_id: str) -> None:
    """Record the actions on an open job, with a clone."""
    record, stack = recorder.record, recorder.stack
    clone = record("clone_job", "POST", f"{JOBS}/{job_id}/clone", json={"suffix": "again"})
    path = f"{JOBS}/{clone['id']}"
    record("pause_job", "POST", f"{path}/pause")
    run = stack.http.get(f"{path}/runs").json()["data"][-1]["id"]
    record("cancel_run", "POST", f"{path}/runs/{run}/cancel")
    record("retry_run", "POST", f"{path}/runs/{run}/retry")
    record("extend_job", "POST", f"{path}/extend", json={"num_seeds": 2})
    record("resume_job", "POST", f"{path}/resume")
    record("cancel_job", "POST", f"{path}/cancel")
    stack.wait(path.removeprefix(f"{JOBS}/"))
    record("delete_job", "DELETE", path)
    hook = {
        "url": "https://hooks.example.org/evenkeel",
        "secret": "whsec_c2l4dGVlbiBieXRlcyBvciBtb3Jl",
    }
    notified = stack.http.post(f"{JOBS}/{job_id}/clone", json={"webhook": hook}).json()["id"]
    stack.http.post(f"{JOBS}/{notified}/cancel")
    stack.wait(notified)
    record("list_webhook_deliveries", "GET", f"{JOBS}/{notified}/webhook_deliveries")


def record_models(recorder: Recorder, first: str, second: str, file_id: str) -> None:
    """Record models, classifications and comparisons."""
    record, stack = recorder.record, recorder.stack
    model, other = (stack.job(job)["fine_tuned_model"] for job in (first, second))
    texts = ["a lovely film, told with care", "dull and long"]
    record(
        "create_classification",
        "POST",
        "/v1/classifications",
        json={"model": model, "input": texts},
    )
    ensemble = {"model": model, "input": texts[0], "ensemble": True}
    record("create_classification", "POST", "/v1/classifications", "ensemble", json=ensemble)
    batch = {"model": model, "input_file": file_id}
    result = record(
        "create_classification_batch", "POST", "/v1/classifications/batches", json=batch
    )
    record("file_content", "GET", f"/v1/files/{result['output_file_id']}/content")
    record("list_models", "GET", "/v1/models")
    record("retrieve_model", "GET", f"/v1/models/{model}")
    record("retrieve_model", "GET", "/v1/models/all-MiniLM-L6-v2", name="base")
    comparisons = "/v1/fine_tuning/comparisons"
    comparison_id = record(
        "create_comparison", "POST", comparisons, json={"job_ids": [second, first]}
    )["id"]
    record("list_comparisons", "GET", comparisons)
    record("retrieve_comparison", "GET", f"{comparisons}/{comparison_id}")
    record("comparison_html", "GET", f"{comparisons}/{comparison_id}/report.html")
    record("comparison_png", "GET", f"{comparisons}/{comparison_id}/report.png")
    record("delete_model", "DELETE", f"/v1/models/{other}")


def record_service(recorder: Recorder) -> None:
    record = recorder.record
    record("list_recipes", "GET", "/v1/fine_tuning/recipes")
    record("retrieve_recipe", "GET", "/v1/fine_tuning/recipes/conventional")
    record("usage", "GET", "/v1/usage")
    record("storage_usage", "GET", "/v1/usage/storage")
    record("health", "GET", "/health")
    record("ready", "GET", "/ready")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, redis_server() as redis:
        home = Path(folder)
        with running_stack(
            home, f"sqlite:///{home / 'examples.db'}", redis, home, 2, **LONG_LEASES
        ) as stack:
            recorder = Recorder(stack)
            file_id = record_files(recorder)
            first, second = record_jobs(recorder, file_id)
            record_models(recorder, first, second, file_id)
            record_actions(recorder, first)
            record_service(recorder)
    text = json.dumps(recorder.examples, indent=1, ensure_ascii=False, sort_keys=True)
    EXAMPLES_PATH.write_text(
        text.replace(socket.gethostname(), "worker-1") + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()

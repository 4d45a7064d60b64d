"""The examples of the OpenAPI document, from a service at work; ``python -m
tests.openapi.record`` makes them anew.

A job of five seeds on the offline encoder, another to compare it with, and every operation
once: what was sent, and what came back.
"""

import json
import socket
import tempfile
from pathlib import Path
from typing import Any

from api.openapi.examples import EXAMPLES_PATH
from tests.make import review_csv
from tests.openapi.conftest import running_redis
from tests.stack import Stack, running_stack

JOBS = "/v1/fine_tuning/jobs"
SHOWN = 2
"""Items of a list."""
PATIENT = {"EVENKEEL_LEASE_SECONDS": "60", "EVENKEEL_REQUEUE_SECONDS": "30"}
"""As a service is by default: the examples show no run that was taken back."""
RECIPE = {"max_steps": 24, "train_batch_size": 16, "eval_points": 3, "precision": "float32"}


class Recorder:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.examples: dict[str, dict[str, dict[str, Any]]] = {}

    def ask(
        self, operation: str, method: str, path: str, name: str = "default", **request: Any
    ) -> Any:
        """Send a request, keep it and its answer as the operation's example of this name, and
        return the answer.
        """
        answer = self.stack.http.request(method, path, **request)
        assert answer.is_success, (operation, answer.text)
        is_json = answer.headers["content-type"] == "application/json"
        told = answer.json() if is_json else answer.text
        example = {"answer": _shortened(told)}
        if "json" in request:
            example["request"] = request["json"]
        if "files" in request:
            [(field, (_, content))] = request["files"].items()
            example["request"] = {
                field: "\n".join(content.decode().splitlines()[:3]) + "\n…",
                **request.get("data", {}),
            }
        self.examples.setdefault(operation, {})[name] = example
        return told


def _shortened(told: Any) -> Any:
    """A page cut to its first items; a text to its first lines and its last; a document for
    people to its beginning.
    """
    if isinstance(told, str) and "<style>" in told:
        return told[: told.index("<style>")] + "…\n"
    if isinstance(told, str):
        blocks = told.split("\n\n") if "\n\n" in told else told.splitlines()
        joint = "\n\n" if "\n\n" in told else "\n"
        return joint.join([*blocks[: SHOWN + 1], *blocks[-2:]]) if len(blocks) > SHOWN + 3 else told
    if told.get("object") == "list" and len(told["data"]) > SHOWN:
        told = {**told, "data": told["data"][:SHOWN]}
        if "last_id" in told:
            told |= {"has_more": True, "last_id": told["data"][-1]["id"]}
    return told


def files(recorder: Recorder) -> str:
    ask, content = recorder.ask, {"file": ("reviews.csv", review_csv(120))}
    file_id = str(
        ask("create_file", "POST", "/v1/files", files=content, data={"purpose": "fine-tune"})["id"]
    )
    upload = {
        "bytes": 1200,
        "filename": "more.csv",
        "mime_type": "text/csv",
        "purpose": "fine-tune",
    }
    table = review_csv(40, seed=1)
    upload["bytes"] = len(table)
    path = f"/v1/uploads/{ask('create_upload', 'POST', '/v1/uploads', json=upload)['id']}"
    part = ask("add_upload_part", "POST", f"{path}/parts", files={"data": ("part", table)})
    spare = ask("complete_upload", "POST", f"{path}/complete", json={"part_ids": [part["id"]]})[
        "file"
    ]
    unwanted = recorder.stack.http.post("/v1/uploads", json=upload).json()["id"]
    ask("cancel_upload", "POST", f"/v1/uploads/{unwanted}/cancel")
    ask("list_files", "GET", "/v1/files")
    path = f"/v1/files/{file_id}"
    ask("retrieve_file", "GET", path)
    ask("file_validation", "GET", f"{path}/validation")
    ask("preview_file", "GET", f"{path}/preview", params={"n": 2})
    columns = {"text_column": "text", "label_column": "label", "positive_label": "good"}
    ask("validate_file", "POST", f"{path}/validate", json={"task": columns})
    ask("delete_file", "DELETE", f"/v1/files/{spare['id']}")
    return file_id


def jobs(recorder: Recorder, file_id: str) -> tuple[str, str]:
    """A stabilized and a conventional job, both at their end."""
    ask, stack = recorder.ask, recorder.stack
    request = {
        "training_file": file_id,
        "suffix": "reviews",
        "metadata": {"team": "search"},
        "recipe": RECIPE,
        "artifacts": {"keep": "all_runs"},
    }
    ask("create_job", "POST", JOBS, "dry_run", json={**request, "dry_run": True})
    first = ask("create_job", "POST", JOBS, "default", json=request)["id"]
    hosted = {"n_epochs": 3, "batch_size": 16}
    old_script = {
        "training_file": file_id,
        "method": {"type": "supervised", "supervised": {"hyperparameters": hosted}},
        "recipe": {"preset": "conventional", "eval_points": 3, "precision": "float32"},
    }
    second = ask("create_job", "POST", JOBS, "hosted_api", json=old_script)["id"]
    stack.wait_for_step(first, 1, 600)
    ask("queue", "GET", "/v1/queue")
    for job in (first, second):
        assert stack.wait(job, 600)["status"] == "succeeded"
    ask("list_jobs", "GET", JOBS, params={"limit": 1, "metadata[team]": "search"})
    path = f"{JOBS}/{first}"
    ask("retrieve_job", "GET", path)
    ask("list_events", "GET", f"{path}/events", params={"limit": 2})
    ask("list_events", "GET", f"{path}/events", "stream", params={"stream": "true"})
    ask("list_checkpoints", "GET", f"{path}/checkpoints", params={"limit": 2})
    ask("stability", "GET", f"{path}/stability")
    ask("stability_csv", "GET", f"{path}/stability.csv")
    ask("stability_html", "GET", f"{path}/stability.html")
    runs = ask("list_runs", "GET", f"{path}/runs")["data"]
    ask("retrieve_run", "GET", f"{path}/runs/{runs[0]['id']}")
    names = {"names": "train_loss,valid_loss", "resolution": 4}
    ask("run_logs", "GET", f"{path}/runs/{runs[0]['id']}/logs")
    ask("run_metrics", "GET", f"{path}/runs/{runs[0]['id']}/metrics", params=names)
    return first, second


def moves(recorder: Recorder, job_id: str) -> None:
    """What can be done with a job that has not ended, on a copy."""
    ask, stack = recorder.ask, recorder.stack
    path = f"{JOBS}/{ask('clone_job', 'POST', f'{JOBS}/{job_id}/clone', json={'suffix': 'again'})['id']}"
    ask("pause_job", "POST", f"{path}/pause")
    run = stack.http.get(f"{path}/runs").json()["data"][-1]["id"]
    ask("cancel_run", "POST", f"{path}/runs/{run}/cancel")
    ask("retry_run", "POST", f"{path}/runs/{run}/retry")
    ask("extend_job", "POST", f"{path}/extend", json={"num_seeds": 2})
    ask("resume_job", "POST", f"{path}/resume")
    ask("cancel_job", "POST", f"{path}/cancel")
    stack.wait(path.removeprefix(f"{JOBS}/"))
    ask("delete_job", "DELETE", path)
    hook = {
        "url": "https://hooks.example.org/evenkeel",
        "secret": "whsec_c2l4dGVlbiBieXRlcyBvciBtb3Jl",
    }
    told = stack.http.post(f"{JOBS}/{job_id}/clone", json={"webhook": hook}).json()["id"]
    stack.http.post(f"{JOBS}/{told}/cancel")
    stack.wait(told)
    ask("list_webhook_deliveries", "GET", f"{JOBS}/{told}/webhook_deliveries")


def models(recorder: Recorder, first: str, second: str, file_id: str) -> None:
    """What comes of jobs."""
    ask, stack = recorder.ask, recorder.stack
    model, other = (stack.job(job)["fine_tuned_model"] for job in (first, second))
    texts = ["a lovely film, told with care", "dull and long"]
    ask(
        "create_classification",
        "POST",
        "/v1/classifications",
        json={"model": model, "input": texts},
    )
    ensemble = {"model": model, "input": texts[0], "ensemble": True}
    ask("create_classification", "POST", "/v1/classifications", "ensemble", json=ensemble)
    batch = {"model": model, "input_file": file_id}
    result = ask("create_classification_batch", "POST", "/v1/classifications/batches", json=batch)
    ask("file_content", "GET", f"/v1/files/{result['output_file_id']}/content")
    ask("list_models", "GET", "/v1/models")
    ask("retrieve_model", "GET", f"/v1/models/{model}")
    comparisons = "/v1/fine_tuning/comparisons"
    made = ask("create_comparison", "POST", comparisons, json={"job_ids": [second, first]})["id"]
    ask("list_comparisons", "GET", comparisons)
    ask("retrieve_comparison", "GET", f"{comparisons}/{made}")
    ask("delete_model", "DELETE", f"/v1/models/{other}")


def service(recorder: Recorder) -> None:
    ask = recorder.ask
    ask("list_recipes", "GET", "/v1/fine_tuning/recipes")
    ask("retrieve_recipe", "GET", "/v1/fine_tuning/recipes/conventional")
    ask("usage", "GET", "/v1/usage")
    ask("health", "GET", "/health")
    ask("ready", "GET", "/ready")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running_redis() as redis:
        home = Path(folder)
        with running_stack(
            home, f"sqlite:///{home / 'examples.db'}", redis, home, 2, **PATIENT
        ) as stack:
            recorder = Recorder(stack)
            file_id = files(recorder)
            first, second = jobs(recorder, file_id)
            models(recorder, first, second, file_id)
            moves(recorder, first)
            service(recorder)
    text = json.dumps(recorder.examples, indent=1, ensure_ascii=False, sort_keys=True)
    EXAMPLES_PATH.write_text(
        text.replace(socket.gethostname(), "worker-1") + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()

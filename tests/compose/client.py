"""What ``smoke.sh`` asks of a running service over HTTP, a command a step; run inside the API's
container, on its standard input.

Progress goes to standard error, the answer (an id, a host name) to standard output. Exit code 1
and one sentence where the service does not do what it should.
"""

import argparse
import os
import sys
import time
from typing import Any

import httpx

JOBS = "/v1/fine_tuning/jobs"
PATIENCE_S = 600.0
ENDED = ("succeeded", "failed", "cancelled")
TEXTS = {
    "praise": (
        "a warm and funny {}",
        "I loved every minute of this {}",
        "the best {} in years",
        "this {} is a delight",
    ),
    "complaint": (
        "a dull and lifeless {}",
        "I regret the hour this {} took",
        "the worst {} yet",
        "this {} is a bore",
    ),
}
THINGS = (
    "film",
    "novel",
    "concert",
    "play",
    "series",
    "exhibition",
    "album",
    "lecture",
    "walk",
    "dinner",
    "game",
    "trip",
)


class Wrong(Exception):
    """The service did something else than it should; the message says what."""


def client() -> httpx.Client:
    headers = {"Authorization": f"Bearer {os.environ['EVENKEEL_API_KEY']}"}
    return httpx.Client(base_url="http://127.0.0.1:8000", headers=headers, timeout=30)


def get(http: httpx.Client, path: str) -> dict[str, Any]:
    answer = http.get(path)
    if answer.status_code != 200:
        raise Wrong(f"GET {path}: {answer.status_code} {answer.text}")
    return dict(answer.json())


def check_key(http: httpx.Client, _arguments: argparse.Namespace) -> str:
    """The key opens /v1, and nothing else does."""
    without = httpx.get(f"{http.base_url}/v1/models", timeout=30)
    if without.status_code != 401:
        raise Wrong(f"GET /v1/models without the key: {without.status_code}, not 401")
    models = [model["id"] for model in get(http, "/v1/models")["data"]]
    return f"401 without the key; models with it: {', '.join(models)}"


def train(http: httpx.Client, arguments: argparse.Namespace) -> str:
    """Upload a small data set and create a job on it; the same request every time. Answers the
    job's id.
    """
    rows = [
        f"{text.format(thing)},{label}"
        for label, texts in TEXTS.items()
        for text in texts
        for thing in THINGS
    ]
    content = "\n".join(["text,label", *rows]).encode()
    uploaded = http.post(
        "/v1/files", files={"file": ("opinions.csv", content)}, data={"purpose": "fine-tune"}
    )
    if uploaded.status_code != 200:
        raise Wrong(f"the upload: {uploaded.status_code} {uploaded.text}")
    request = {
        "training_file": uploaded.json()["id"],
        "runs": {"num_seeds": arguments.seeds},
        "recipe": {
            "max_steps": arguments.steps,
            "train_batch_size": 16,
            "reinit_layers": 1,
            "learning_rate": 5e-5,
        },
    }
    created = http.post(JOBS, json=request)
    if created.status_code != 200:
        raise Wrong(f"the job: {created.status_code} {created.text}")
    job = created.json()
    say(f"{uploaded.json()['profile']['rows']} rows uploaded, job {job['id']} on {job['model']}")
    return str(job["id"])


def trainer_of(http: httpx.Client, arguments: argparse.Namespace) -> str:
    """Waits until a run of the job is in mid-training; answers the host name of its worker (a
    container's short id).
    """
    watch = _ProgressWatch()
    while watch.is_patient():
        runs = get(http, f"{JOBS}/{arguments.job}/runs")["data"]
        watch.note([(run["status"], run["step"]) for run in runs])
        for run in runs:
            if run["status"] == "running" and run["step"] >= arguments.step:
                say(
                    f"run {run['index']} (seed {run['seed']}) is at step {run['step']} of "
                    f"{run['total_steps']} on {run['worker']}"
                )
                return str(run["worker"]).partition(":")[0]
        time.sleep(0.2)
    raise Wrong(f"no run of {arguments.job} came to step {arguments.step}; {watch.describe()}")


def follow(http: httpx.Client, arguments: argparse.Namespace) -> str:
    """Follows the job to its end, and checks runs, metrics, report and model. Answers the
    digests of the runs' weights.
    """
    job = _ended(http, arguments.job)
    if job["status"] != "succeeded":
        raise Wrong(f"the job {job['status']}: {job['error']}")
    runs = get(http, f"{JOBS}/{arguments.job}/runs")["data"]
    for run in runs:
        _check_points(http, run)
    attempts = [run["attempt"] for run in runs]
    if (max(attempts) > 1) is not arguments.restarted:
        raise Wrong(f"the runs' attempts are {attempts}")
    _check_report(http, arguments.job, len(runs))
    get(http, f"/v1/models/{job['fine_tuned_model']}")
    say(f"model {job['fine_tuned_model']}, attempts {attempts}")
    return " ".join(run["weights_sha256"] for run in runs)


def _ended(http: httpx.Client, job_id: str) -> dict[str, Any]:
    watch, last = _ProgressWatch(), ""
    while watch.is_patient():
        job = get(http, f"{JOBS}/{job_id}")
        watch.note((job["status"], job["runs_summary"], job["progress"]["steps_done"]))
        counts = ", ".join(
            f"{n} {state}" for state, n in job["runs_summary"].items() if n and state != "total"
        )
        now = f"job {job['status']}; runs: {counts}"
        if now != last:
            say(now)
        if job["status"] in ENDED:
            return job
        last = now
        time.sleep(0.5)
    raise Wrong(f"{job_id} did not end; {watch.describe()}")


class _ProgressWatch:
    """Patience that ends when nothing has moved for ``PATIENCE_S``: a busy machine may be slow."""

    def __init__(self) -> None:
        self._moved_at = time.monotonic()
        self._latest: object = None

    def note(self, state: object) -> None:
        if state != self._latest:
            self._latest, self._moved_at = state, time.monotonic()

    def is_patient(self) -> bool:
        return time.monotonic() < self._moved_at + PATIENCE_S

    def describe(self) -> str:
        return f"nothing has moved for {PATIENCE_S:.0f} s: {self._latest}"


def _check_points(http: httpx.Client, run: dict[str, Any]) -> None:
    """Every step's loss is there, once, whatever happened on the way."""
    metrics = get(http, f"{JOBS}/{run['job_id']}/runs/{run['id']}/metrics")
    points = {series["name"]: series["points"] for series in metrics["series"]}
    steps = [step for step, _ in points["train_loss"]]
    if steps != list(range(1, run["total_steps"] + 1)):
        raise Wrong(
            f"run {run['index']} has {len(steps)} training losses, not one for each of "
            f"{run['total_steps']} steps"
        )


def _check_report(http: httpx.Client, job_id: str, planned: int) -> None:
    report = get(http, f"{JOBS}/{job_id}/stability")
    if (report["n"], report["planned"], report["failed"], report["provisional"]) != (
        planned,
        planned,
        0,
        False,
    ):
        raise Wrong(f"the report describes something else than {planned} finished runs: {report}")
    scores = [run["score"] for run in report["runs"]]
    if report["mean"] is None or abs(report["mean"] - sum(scores) / len(scores)) > 1e-9:
        raise Wrong(f"the report's mean is {report['mean']}, the scores are {scores}")
    say(
        f"report: {report['metric']} on {report['split']}, n {report['n']}, mean "
        f"{report['mean']:.4f}, std {report['std']:.4f}, "
        f"min {report['min']:.4f}, max {report['max']:.4f}, degenerate {report['degenerate']}"
    )


def say(line: str) -> None:
    sys.stderr.write(f"    {line}\n")
    sys.stderr.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("check-key").set_defaults(command=check_key)
    training = commands.add_parser("train")
    training.add_argument("--seeds", type=int, default=2)
    training.add_argument("--steps", type=int, default=60)
    training.set_defaults(command=train)
    finding = commands.add_parser("trainer-of")
    finding.add_argument("job")
    finding.add_argument("--step", type=int, default=10)
    finding.set_defaults(command=trainer_of)
    following = commands.add_parser("follow")
    following.add_argument("job")
    following.add_argument(
        "--restarted", action="store_true", help="a run must have been started more than once"
    )
    following.set_defaults(command=follow)
    arguments = parser.parse_args()
    with client() as http:
        try:
            sys.stdout.write(f"{arguments.command(http, arguments)}\n")
        except (Wrong, httpx.HTTPError) as problem:
            sys.stderr.write(f"    WRONG: {problem}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The kinds of requests that ``benchmarks.queries`` measures."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.database_jobs import STUDY_JOBS, TEAMS
from benchmarks.fill_database import DatabaseContents
from shared.domain.states import JobState, RunState

JOBS_PATH = "/v1/fine_tuning/jobs"
PAGE_GOAL_MS, SERIES_GOAL_MS = 50, 100
"""Goals for the median of a request."""
RESOLUTION = 200
"""Points per series that are requested of the long run."""
SAMPLE_SIZE = 20


class RequestKind(NamedTuple):
    """Requests of one kind."""

    name: str
    paths: Sequence[str]
    goal_ms: float | None = None


@dataclass(frozen=True)
class RequestTargets:
    """Jobs and runs that the requests name; several of each, so that the answers differ."""

    job_ids: Sequence[str]
    """All of them, oldest first."""
    succeeded: Sequence[str]
    running: Sequence[str]
    queued: Sequence[str]
    run_paths: Sequence[str]
    """Paths of succeeded runs."""
    long_run_path: str


def build_request_kinds(contents: DatabaseContents) -> list[RequestKind]:
    """Build every kind of request, in the order of the result's table."""
    targets = _choose_targets(contents)
    return [
        *_iterate_list_kinds(targets.job_ids),
        *_iterate_job_kinds(targets),
        *_iterate_run_kinds(targets),
        RequestKind("20 events", _build_paths(targets.succeeded, "/events"), PAGE_GOAL_MS),
        RequestKind("checkpoints", _build_paths(targets.succeeded, "/checkpoints"), PAGE_GOAL_MS),
        RequestKind("1,000 files", ["/v1/files?limit=1000"]),
        RequestKind(
            "20 files of a purpose", ["/v1/files?limit=20&purpose=fine-tune"], PAGE_GOAL_MS
        ),
        RequestKind("models", ["/v1/models"]),
        RequestKind("queue", ["/v1/queue"], PAGE_GOAL_MS),
        RequestKind("usage of thirty days", ["/v1/usage"], PAGE_GOAL_MS),
        *_iterate_screen_kinds(targets),
    ]


def _choose_targets(contents: DatabaseContents) -> RequestTargets:
    rng = random.Random(0)
    succeeded, running, queued = (
        _sample(rng, contents.list_job_ids(state))
        for state in (JobState.SUCCEEDED, JobState.RUNNING, JobState.QUEUED)
    )
    runs = [(job, run) for job, run, state in contents.runs if state == RunState.SUCCEEDED]
    return RequestTargets(
        job_ids=[job for job, _ in contents.jobs],
        succeeded=succeeded,
        running=running,
        queued=queued,
        run_paths=_sample(rng, list(map(_build_run_path, runs))),
        long_run_path=_build_run_path(contents.long_run),
    )


def _sample(rng: random.Random, values: Sequence[str]) -> list[str]:
    return rng.sample(values, min(SAMPLE_SIZE, len(values)))


def _build_run_path(ids: tuple[str, str]) -> str:
    job_id, run_id = ids
    return f"{JOBS_PATH}/{job_id}/runs/{run_id}"


def _build_paths(job_ids: Sequence[str], rest: str) -> list[str]:
    return [f"{JOBS_PATH}/{job_id}{rest}" for job_id in job_ids]


def _iterate_list_kinds(job_ids: Sequence[str]) -> Iterator[RequestKind]:
    after = job_ids[len(job_ids) // 10]
    spacing = max(1, len(job_ids) // SAMPLE_SIZE)
    studies = sorted({place // STUDY_JOBS for place in range(0, len(job_ids), spacing)})
    by_team = [f"{JOBS_PATH}?metadata[team]={team}" for team in TEAMS]
    by_study = [f"{JOBS_PATH}?metadata[study]=study-{study}" for study in studies]
    yield RequestKind("20 jobs", [JOBS_PATH], PAGE_GOAL_MS)
    yield RequestKind("100 jobs", [f"{JOBS_PATH}?limit=100"])
    yield RequestKind("20 jobs, the last tenth", [f"{JOBS_PATH}?after={after}"], PAGE_GOAL_MS)
    yield RequestKind("20 jobs of a team", by_team, PAGE_GOAL_MS)
    yield RequestKind("the few jobs of a study", by_study, PAGE_GOAL_MS)


def _iterate_job_kinds(targets: RequestTargets) -> Iterator[RequestKind]:
    for name, job_ids, rest in (
        ("an ended job", targets.succeeded, ""),
        ("a running job", targets.running, ""),
        ("a queued job", targets.queued, ""),
        ("stability of an ended job", targets.succeeded, "/stability"),
        ("stability of a running job", targets.running, "/stability"),
        ("runs of a job", targets.succeeded, "/runs"),
    ):
        yield RequestKind(name, _build_paths(job_ids, rest), PAGE_GOAL_MS)


def _iterate_run_kinds(targets: RequestTargets) -> Iterator[RequestKind]:
    series = [f"{path}/metrics" for path in targets.run_paths]
    downsampled = [f"{path}?resolution=20" for path in series]
    long_series = f"{targets.long_run_path}/metrics?resolution={RESOLUTION}"
    yield RequestKind("a run", targets.run_paths, PAGE_GOAL_MS)
    yield RequestKind("series of a run", series, SERIES_GOAL_MS)
    yield RequestKind("series, down-sampled", downsampled, SERIES_GOAL_MS)
    yield RequestKind("series of the long run, down-sampled", [long_series], SERIES_GOAL_MS)
    yield RequestKind("one of them", [f"{long_series}&names=train_loss"], SERIES_GOAL_MS)


def _iterate_screen_kinds(targets: RequestTargets) -> Iterator[RequestKind]:
    """Yield the screens of the web page; 95% of their responses should take at most 100 ms."""
    for path in ("/jobs", "/jobs?q=study", "/new", "/models", "/files", "/queue", "/usage"):
        yield RequestKind(f"screen {path}", [path])
    tabs = ("", "/curves", "/runs", "/data", "/recipe", "/events")
    for job, job_ids in (("an ended job", targets.succeeded), ("a running job", targets.running)):
        for tab in tabs:
            paths = [f"/jobs/{job_id}{tab}" for job_id in job_ids]
            yield RequestKind(f"screen of {job}{tab.replace('/', ', ')}", paths)
    pairs = zip(targets.succeeded, targets.succeeded[1:], strict=False)
    compared = [f"/compare?job={first}&job={second}" for first, second in pairs]
    yield RequestKind("screen /compare", compared)

"""Contenders that are jobs of the service, created and read over HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.contenders.records import PublishedModel, Record, SeedScore
from benchmarks.contenders.stopwatch import Stopwatch
from benchmarks.data_sets.rows import PreparedData
from benchmarks.results import describe_machine
from cli.api_models import Job, Run
from cli.client import Client
from cli.follow import follow_jobs
from cli.progress import FollowedJob
from cli.tables import format_job
from shared.domain.states import JobState, Purpose, RunState
from shared.report import StabilityReport

SHOWN_SETTINGS = (
    "learning_rate",
    "max_steps",
    "reinit_layers",
    "pooling",
    "pair_encoding",
    "head_first",
    "precision",
)
"""Settings of a resolved recipe that a record shows, as far as the service has them."""


@dataclass(frozen=True)
class JobPlan:
    """A job of the benchmark. Its metadata identify it in the service of a kept home."""

    contender: str
    data: PreparedData
    model: str
    seeds: int
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Settings that are given; none for the default."""
    first_seed: int = 0
    part: str = "main"
    """Tells the jobs of one contender apart."""
    keeps_models: bool = True

    def build_metadata(self) -> dict[str, str]:
        """Build the metadata of the job, the same for any number of seeds."""
        return {
            "benchmark": "defaults",
            "data": self.data.key,
            "model": self.model,
            "contender": self.contender,
            "part": self.part,
        }

    def build_request(self, training_file: str, test_file: str) -> dict[str, Any]:
        """Build the request; what is not given here is the service's default."""
        request: dict[str, Any] = {
            "training_file": training_file,
            "test_file": test_file,
            "model": self.model,
            "runs": {"num_seeds": self.seeds},
            "metadata": self.build_metadata(),
        }
        if self.recipe:
            request["recipe"] = dict(self.recipe)
        if self.first_seed:
            request["seed"] = self.first_seed
        if not self.keeps_models:
            request["artifacts"] = {"keep": "none"}
        return request


@dataclass(frozen=True)
class EndedJob:
    """A job that has succeeded, with its report and all runs."""

    job: Job
    report: StabilityReport
    runs: Sequence[Run]
    pilots: Sequence[Run]

    @property
    def main_steps(self) -> int:
        return sum(run.step for run in self.runs)

    @property
    def pilot_steps(self) -> int:
        return sum(run.step for run in self.pilots)


class JobRunner:
    """Runs the jobs of the benchmark one at a time on the service of its home."""

    def __init__(self, client: Client, home: Path, console: Console) -> None:
        self._client, self._home, self._console = client, home, console

    @property
    def client(self) -> Client:
        return self._client

    def get_stopwatch(self, plan: JobPlan) -> Stopwatch:
        """Return the stopwatch of the plan's contender in its cell."""
        return Stopwatch(
            self._home / "seconds" / plan.model / plan.data.key / f"{plan.contender}.txt"
        )

    def run_job(self, plan: JobPlan) -> EndedJob:
        """Create, extend or continue the job, wait until it has ended, and read its results.

        Raises SystemExit if it has not succeeded or is scored by another metric than planned.
        """
        with self.get_stopwatch(plan).run():
            title = f"{plan.data.key} {plan.contender} {plan.part}".removesuffix(" main")
            [job] = follow_jobs(
                self._client, [FollowedJob(self._provide_job(plan), title)], self._console
            )
        if job.status is not JobState.SUCCEEDED:
            self._console.print(format_job(job))
            raise SystemExit(f"Job {job.id} ({title}) is {job.status}.")
        report = self._client.get_stability_report(job.id)
        expected = ("test", plan.data.data_set.metric)
        if (report.split, report.metric) != expected:
            raise SystemExit(
                f"Job {job.id} ({title}) is scored by {report.metric} on {report.split}; the "
                f"benchmark compares {expected[1]} on test."
            )
        pilots = self._client.list_runs(job.id, Purpose.PILOT)
        return EndedJob(job, report, self._client.list_runs(job.id), pilots)

    def delete_jobs(self, plan: JobPlan) -> None:
        """Delete all parts of the plan's contender in its cell, with their files."""
        metadata = plan.build_metadata()
        del metadata["part"]
        for job in self._client.list_jobs(100, metadata=metadata):
            if not job.has_ended:
                self._client.cancel_job(job.id)
                follow_jobs(self._client, [FollowedJob(job)], self._console)
            self._client.delete_job(job.id)
        self.get_stopwatch(plan).reset()

    def _provide_job(self, plan: JobPlan) -> Job:
        jobs = self._client.list_jobs(10, metadata=plan.build_metadata())
        job = next((job for job in jobs if job.status is not JobState.CANCELLED), None)
        if job is None:
            files = [
                self._client.upload_file(path).id for path in (plan.data.train, plan.data.test)
            ]
            return self._client.create_job(plan.build_request(*files))
        missing = plan.seeds - job.runs_summary.total
        return self._client.extend_job(job.id, missing) if missing > 0 else job


def run_recipe(runner: JobRunner, plan: JobPlan) -> Record:
    """Run one job with the plan's recipe and describe its result."""
    return describe_job(plan, runner.run_job(plan), runner.get_stopwatch(plan).seconds)


def describe_job(plan: JobPlan, ended: EndedJob, seconds: float) -> Record:
    """Describe a job's result as the record of its contender."""
    report, resolved = ended.report, ended.job.resolved_recipe or {}
    return Record(
        contender=plan.contender,
        model=plan.model,
        data_set=plan.data.data_set.name,
        rows=plan.data.rows,
        metric=report.metric,
        test_rows=report.evaluation_rows or 0,
        planned_seeds=plan.seeds,
        seeds=[_describe_run(run) for run in ended.runs],
        seconds=seconds,
        main_steps=ended.main_steps,
        search_steps=ended.pilot_steps,
        published=_describe_published(report),
        chosen={name: resolved[name] for name in SHOWN_SETTINGS if name in resolved},
        baselines={one.name: one.score for one in report.baselines},
        note=ended.job.pilot_reason,
        machine=describe_machine(),
    )


def _describe_run(run: Run) -> SeedScore:
    has_succeeded = run.status is RunState.SUCCEEDED
    return SeedScore(
        seed=run.seed,
        score=run.score if has_succeeded else None,
        validation_score=run.validation_score,
        degenerate=run.degenerate,
        steps=run.step,
    )


def _describe_published(report: StabilityReport) -> PublishedModel | None:
    if report.published is None:
        return None
    return PublishedModel(kind=report.published.kind, score=report.published.score)

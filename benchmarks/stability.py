"""Run the paper's protocol through the service:
``python -m benchmarks.stability --home DIR --task CoLA --seeds 10``.

A GLUE task is cut to 1,000 training rows, and its dev rows are halved within each class into
validation and test. Each recipe is one job on the same data. The service works in ``--home``,
which is kept: the same command continues an interrupted measurement, and more ``--seeds``
extend the existing jobs. The benchmark writes ``stability/<task>.json`` and ``.png`` in
``docs/results``, and ``stability.md`` from all tasks measured so far.
"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.glue import TASKS, GlueTask, get_glue_folder, write_subset
from benchmarks.results import RESULTS_FOLDER, describe_machine
from benchmarks.stability_page import RECIPES, JsonObject, RecipeResult, TaskResult, write_page
from cli.api_models import Job
from cli.client import Client
from cli.demo import run_child_service
from cli.follow import follow_jobs
from cli.progress import FollowedJob
from cli.tables import format_job
from shared.domain.states import JobState
from shared.encoders.catalogue import OFFLINE_ENCODER
from shared.report import StabilityReport
from shared.report.figures import build_scores_figure


@dataclass(frozen=True)
class StabilityPlan:
    """The size and the recipes of the measurement."""

    task: GlueTask
    rows: int
    seeds: int
    recipes: tuple[str, ...]
    model: str

    def build_metadata(self, recipe: str) -> dict[str, str]:
        """Build the metadata that identify the job of this measurement, for any number of seeds."""
        return {
            "benchmark": "stability",
            "task": self.task.name,
            "rows": str(self.rows),
            "recipe": recipe,
            "model": self.model,
        }

    def format_command(self) -> str:
        """Return the command that repeats this measurement."""
        return (
            "EVENKEEL_GLUE_DIR=… python -m benchmarks.stability --home DIR --task "
            f"{self.task.name} --seeds {self.seeds}"
        )


def main() -> None:
    """Run one job per recipe and write the results."""
    plan, home = _parse_arguments()
    # SystemExit stops the service in order
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = Console()
    data = (
        write_subset(get_glue_folder(), plan.task, plan.rows, home / "data"),
        get_glue_folder() / plan.task.name / "dev.tsv",
    )
    with run_child_service(home) as url, Client(url) as client:
        jobs = follow_jobs(client, _start_jobs(client, plan, data), console)
        for job in jobs:
            _require_success(job, console)
        _write_results(client, plan, jobs)
    write_page(RESULTS_FOLDER)
    console.print(f"Wrote {RESULTS_FOLDER / 'stability.md'}")


def _require_success(job: Job, console: Console) -> None:
    if job.status is not JobState.SUCCEEDED:
        console.print(format_job(job))
        raise SystemExit(f"Job {job.id} is {job.status}, but the page needs every recipe.")


def _start_jobs(client: Client, plan: StabilityPlan, data: tuple[Path, Path]) -> list[FollowedJob]:
    """Extend the jobs of this measurement that have too few seeds, and create missing jobs."""
    files: list[str] = []
    jobs = []
    for recipe in plan.recipes:
        job = _find_job(client, plan, recipe)
        if job is None:
            files = files or [client.upload_file(path).id for path in data]
            job = client.create_job(_build_request(plan, recipe, files))
        elif (missing := plan.seeds - job.runs_summary.total) > 0:
            job = client.extend_job(job.id, missing)
        jobs.append(FollowedJob(job, f"{recipe:>12}"))
    return jobs


def _find_job(client: Client, plan: StabilityPlan, recipe: str) -> Job | None:
    jobs = client.list_jobs(10, metadata=plan.build_metadata(recipe))
    return next((job for job in jobs if job.status is not JobState.CANCELLED), None)


def _build_request(plan: StabilityPlan, recipe: str, files: Sequence[str]) -> dict[str, object]:
    training, validation = files
    return {
        "training_file": training,
        "validation_file": validation,
        "model": plan.model,
        "task": plan.task.task,
        "split": {"halve_validation": True},
        "recipe": {"preset": recipe},
        "runs": {"num_seeds": plan.seeds},
        "evaluation": {"metric": plan.task.metric},
        "metadata": plan.build_metadata(recipe),
    }


def _write_results(client: Client, plan: StabilityPlan, jobs: Sequence[Job]) -> None:
    reports = [client.get_stability_report(job.id) for job in jobs]
    folder = RESULTS_FOLDER / "stability"
    folder.mkdir(parents=True, exist_ok=True)
    figure = build_scores_figure(list(zip(plan.recipes, reports, strict=True)))
    (folder / f"{plan.task.name}.png").write_bytes(figure.to_png())
    result: TaskResult = {
        "task": plan.task.name,
        "rows": plan.rows,
        "model": plan.model,
        "command": plan.format_command(),
        "machine": describe_machine(),
        "recipes": list(map(_describe_recipe, plan.recipes, jobs, reports)),
        "pairs": _compare_jobs(client, plan, jobs),
    }
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    (folder / f"{plan.task.name}.json").write_text(text, encoding="utf-8")


def _compare_jobs(client: Client, plan: StabilityPlan, jobs: Sequence[Job]) -> list[JsonObject]:
    """Compare all pairs of jobs; in the pairs, names of recipes replace the ids of the jobs."""
    recipes = {job.id: recipe for recipe, job in zip(plan.recipes, jobs, strict=True)}
    return [
        pair.model_dump(mode="json") | {"a": recipes[pair.a], "b": recipes[pair.b]}
        for pair in client.compare_jobs([job.id for job in jobs]).pairs
    ]


def _describe_recipe(name: str, job: Job, report: StabilityReport) -> RecipeResult:
    return {
        "name": name,
        "resolved": job.resolved_recipe,
        "notes": job.recipe_notes,
        "pilots": report.pilots,
        "report": report.model_dump(
            mode="json", exclude={"job_id", "best_run_id", "fine_tuned_model", "diagnosis"}
        ),
    }


def _parse_arguments() -> tuple[StabilityPlan, Path]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True, help="the service's folder; kept")
    parser.add_argument("--task", choices=sorted(TASKS), required=True)
    parser.add_argument("--seeds", type=int, default=10, help="runs per recipe (default 10)")
    parser.add_argument("--rows", type=int, default=1000, help="training rows (default 1000)")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=RECIPES)
    parser.add_argument("--model", default=OFFLINE_ENCODER)
    given = parser.parse_args()
    plan = StabilityPlan(
        TASKS[given.task], given.rows, given.seeds, tuple(given.recipes), given.model
    )
    return plan, given.home


if __name__ == "__main__":
    main()

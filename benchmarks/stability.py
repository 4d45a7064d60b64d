"""The paper's protocol through the service: ``python -m benchmarks.stability --home DIR --task
CoLA --seeds 10``.

A GLUE task is cut to 1,000 training rows, its dev rows are halved within each class into
validation and test, and the same data are given to one job a recipe. A stack of its own works
in ``--home``, which is kept: stopped at any moment and started again with the same words, the
measurement goes on where it was, and with more ``--seeds`` it extends the jobs that are there.
Writes ``docs/results``: ``stability/<task>.json`` and ``.png`` for the task, and
``stability.md`` from all tasks measured so far.
"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.glue import TASKS, GlueTask, get_glue_folder, write_subset
from benchmarks.results import RESULTS_FOLDER, describe_machine
from benchmarks.stability_page import RECIPES, write_page
from cli.api_models import Job
from cli.client import Client
from cli.demo import run_child_service
from cli.follow import FollowedJob, follow_jobs
from cli.tables import format_job
from shared.domain.states import JobState
from shared.encoders.catalogue import OFFLINE_ENCODER
from shared.report import StabilityReport
from shared.report.figures import build_scores_figure


@dataclass(frozen=True)
class StabilityPlan:
    task: GlueTask
    rows: int
    seeds: int
    recipes: tuple[str, ...]
    model: str

    def build_metadata(self, recipe: str) -> dict[str, str]:
        """The metadata by which a job of this measurement is found again, whatever number of
        seeds it has by now.
        """
        return {
            "benchmark": "stability",
            "task": self.task.name,
            "rows": str(self.rows),
            "recipe": recipe,
            "model": self.model,
        }


def main() -> None:
    plan, home = _parse_arguments()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)
    )  # so that the stack is stopped in order
    console = Console()
    data = (
        write_subset(get_glue_folder(), plan.task, plan.rows, home / "data"),
        get_glue_folder() / plan.task.name / "dev.tsv",
    )
    with run_child_service(home) as url, Client(url) as client:
        jobs = follow_jobs(client, _start_jobs(client, plan, data), console)
        for job in jobs:
            if job.status is not JobState.SUCCEEDED:
                console.print(format_job(job))
                raise SystemExit(f"Job {job.id} is {job.status}; the table needs every recipe.")
        _write_results(client, plan, jobs)
    write_page(RESULTS_FOLDER)
    console.print(f"Wrote {RESULTS_FOLDER / 'stability.md'}")


def _start_jobs(client: Client, plan: StabilityPlan, data: tuple[Path, Path]) -> list[FollowedJob]:
    """The jobs of this measurement: those in the home, with more seeds where there are too few;
    new ones for the rest.
    """
    files: list[str] = []
    followed = []
    for recipe in plan.recipes:
        known = [
            job
            for job in client.list_jobs(10, metadata=plan.build_metadata(recipe))
            if job.status is not JobState.CANCELLED
        ]
        if known:
            job = known[0]
            missing = plan.seeds - job.runs_summary.total
            if missing > 0:
                job = client.extend_job(job.id, missing)
        else:
            files = files or [client.upload_file(path).id for path in data]
            job = client.create_job(_build_request(plan, recipe, files))
        followed.append(FollowedJob(job, f"{recipe:>12}"))
    return followed


def _build_request(plan: StabilityPlan, recipe: str, files: Sequence[str]) -> dict[str, Any]:
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
    reports = [
        (recipe, client.get_stability_report(job.id))
        for recipe, job in zip(plan.recipes, jobs, strict=True)
    ]
    comparison = client.compare_jobs([job.id for job in jobs])
    into = RESULTS_FOLDER / "stability"
    into.mkdir(parents=True, exist_ok=True)
    (into / f"{plan.task.name}.png").write_bytes(build_scores_figure(reports).to_png())
    result = {
        "task": plan.task.name,
        "rows": plan.rows,
        "model": plan.model,
        "command": (
            "EVENKEEL_GLUE_DIR=… python -m benchmarks.stability --home DIR --task "
            f"{plan.task.name} --seeds {plan.seeds}"
        ),
        "machine": describe_machine(),
        "recipes": [
            _describe_recipe(recipe, job, report)
            for (recipe, report), job in zip(reports, jobs, strict=True)
        ],
        "pairs": [
            pair.model_dump(mode="json")
            | {
                "a": _find_recipe_name(pair.a, jobs, plan),
                "b": _find_recipe_name(pair.b, jobs, plan),
            }
            for pair in comparison.pairs
        ],
    }
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    (into / f"{plan.task.name}.json").write_text(text, encoding="utf-8")


def _describe_recipe(name: str, job: Job, report: StabilityReport) -> dict[str, Any]:
    return {
        "name": name,
        "resolved": job.resolved_recipe,
        "notes": job.recipe_notes,
        "pilots": job.pilots,
        "report": report.model_dump(
            mode="json", exclude={"job_id", "best_run_id", "fine_tuned_model", "diagnosis"}
        ),
    }


def _find_recipe_name(job_id: str, jobs: Sequence[Job], plan: StabilityPlan) -> str:
    return next(recipe for recipe, job in zip(plan.recipes, jobs, strict=True) if job.id == job_id)


def _parse_arguments() -> tuple[StabilityPlan, Path]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True, help="folder of the stack; kept")
    parser.add_argument("--task", choices=sorted(TASKS), required=True)
    parser.add_argument("--seeds", type=int, default=10, help="runs a recipe (default 10)")
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

"""Measure how much whole default jobs differ: ``python -m benchmarks.job_spread --home DIR``.

A user trains one job and uses the model it publishes. The benchmark repeats the default job on the
same rows with disjoint seeds, and compares the published models with the single runs: the standard
deviation of their test scores, and the share of the test rows on which two of them disagree. The
goal is half of what single runs have, in both. The home is that of ``benchmarks.defaults``, whose
page shows the result; an interrupted measurement continues. A job is deleted once its predictions
are read, because an ensemble takes much disk space.
"""

import argparse
import csv
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.contenders.jobs import EndedJob, JobPlan, JobRunner
from benchmarks.contenders.service import run_job_service
from benchmarks.contenders.spread_records import (
    RepeatedJob,
    SpreadRecord,
    SpreadStore,
    SpreadSummary,
    summarize_spread,
)
from benchmarks.data_sets.catalogue import DATA_SETS
from benchmarks.data_sets.rows import PreparedData, prepare_data
from benchmarks.results import describe_machine
from cli.client import Client
from shared.encoders.catalogue import OFFLINE_ENCODER

REPEATS, SEEDS = 5, 5
SHOWN_FIGURES = ("jobs", "job_std", "run_std", "job_disagreement", "run_disagreement")
PREDICTIONS_FILE = "predictions.csv"


def main(argv: Sequence[str] | None = None) -> None:
    """Repeat the default job on each data set that is asked for."""
    given = _parse_arguments(argv)
    # SystemExit stops the service in order
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console, home = Console(soft_wrap=True, highlight=False), given.home.resolve()
    with run_job_service(home, given.model_dirs, console) as jobs:
        for name in given.data:
            data = prepare_data(DATA_SETS[name], given.rows, home / "data")
            record = measure_spread(jobs, SpreadStore(home), data, given)
            console.print(f"{data.key}: {format_summary(summarize_spread(record))}")
    console.print(f"Write the page: python -m benchmarks.defaults_page --home {given.home}")


def measure_spread(
    runner: JobRunner, store: SpreadStore, data: PreparedData, given: argparse.Namespace
) -> SpreadRecord:
    """Run the missing repetitions, storing the record after each of them."""
    record = store.get(given.model, data) or SpreadRecord(
        model=given.model,
        data_set=data.data_set.name,
        rows=data.rows,
        metric=data.data_set.metric,
        is_regression=data.data_set.is_regression,
        seeds=given.seeds,
        machine=describe_machine(),
    )
    for number in range(len(record.jobs), given.repeats):
        plan = JobPlan(
            "spread",
            data,
            given.model,
            record.seeds,
            first_seed=number * record.seeds,
            part=f"job-{number}",
        )
        repeated = read_repeated_job(runner.client, runner.run_job(plan), data)
        record = record.model_copy(update={"jobs": [*record.jobs, repeated]})
        store.put(record)
        runner.delete_jobs(plan)
    return record


def read_repeated_job(client: Client, ended: EndedJob, data: PreparedData) -> RepeatedJob:
    """Read what the job's published model and its runs answer on the test rows."""
    published = ended.report.published
    if published is None or published.score is None or ended.job.fine_tuned_model is None:
        raise SystemExit(f"Job {ended.job.id} has published no model with a score.")
    return RepeatedJob(
        first_seed=ended.runs[0].seed,
        kind=published.kind,
        score=published.score,
        run_scores=[run.score for run in ended.runs if run.score is not None],
        predictions=_classify_rows(client, ended.job.fine_tuned_model, data),
        run_predictions=_read_run_predictions(client, ended.job.result_files),
    )


def format_summary(summary: SpreadSummary) -> str:
    """Format the figures as a line; None is a figure that is undefined."""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in summary.model_dump(include=set(SHOWN_FIGURES)).items()
    )


def _classify_rows(client: Client, model: str, data: PreparedData) -> list[str]:
    """Let the service classify the test file with what it has published."""
    file = client.upload_file(data.test)
    batch = client.classify_file({"model": model, "input_file": file.id})
    return [row["predicted"] for row in _read_csv(client, batch.output_file_id)]


def _read_run_predictions(client: Client, result_files: Sequence[str]) -> list[list[str]]:
    """Read each run's predictions of the test rows, in the order of the rows."""
    names = {client.get_file(file_id).filename: file_id for file_id in result_files}
    by_run: dict[str, list[tuple[int, str]]] = {}
    for row in _read_csv(client, names[PREDICTIONS_FILE]):
        if row["split"] == "test":
            by_run.setdefault(row["run_id"], []).append((int(row["row"]), row["predicted"]))
    return [[predicted for _, predicted in sorted(found)] for found in by_run.values()]


def _read_csv(client: Client, file_id: str) -> list[dict[str, str]]:
    with client.stream_file_content(file_id) as chunks:
        text = b"".join(chunks).decode("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True, help="folder of everything; kept")
    parser.add_argument("--data", nargs="+", choices=DATA_SETS, default=["docstrings"])
    parser.add_argument("--rows", type=int, default=300, help="training rows (default 300)")
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"jobs (default {REPEATS})")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"per job (default {SEEDS})")
    parser.add_argument("--model", default=OFFLINE_ENCODER)
    parser.add_argument("--model-dirs", nargs="+", type=Path, default=(), help="further encoders")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

"""Contenders that are jobs, on a whole service with a tiny encoder."""

import argparse
import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import job_spread
from benchmarks.contenders import grid
from benchmarks.contenders.jobs import EndedJob, JobPlan, JobRunner, run_recipe
from benchmarks.contenders.spread_records import SpreadStore, summarize_spread
from benchmarks.data_sets.rows import PreparedData, read_rows
from cli.client import Client
from shared.domain.states import JobState
from tests.benchmarks.contest import TEST_ROWS, TRAIN_ROWS, prepare_reviews
from tests.stack import Stack

pytestmark = pytest.mark.server
MODEL = "tiny-bert"
QUICK = {
    "preset": "longer",
    "max_steps": 20,
    "learning_rate": 2e-3,
    "precision": "float32",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def data(home: Path) -> PreparedData:
    return prepare_reviews(home / "data")


@pytest.fixture
def runner(shared_stack: Stack, home: Path) -> Iterator[JobRunner]:
    with Client(f"http://127.0.0.1:{shared_stack.port}") as client:
        yield JobRunner(client, home, Console(file=io.StringIO()))


def test_a_job_is_described_continued_and_extended(runner: JobRunner, data: PreparedData) -> None:
    plan = JobPlan("conventional", data, MODEL, 2, QUICK)
    record = run_recipe(runner, plan)
    assert (record.metric, record.test_rows, record.rows) == ("accuracy", TEST_ROWS, TRAIN_ROWS)
    assert [seed.seed for seed in record.seeds] == [0, 1]
    assert len(record.scores) == 2
    assert (record.main_steps, record.search_steps) == (40, 0)
    assert record.chosen["max_steps"] == 20
    assert record.chosen["learning_rate"] == 2e-3
    assert record.baselines["majority"] == pytest.approx(0.5, abs=0.2)
    assert record.published is not None
    assert record.published.score is not None
    # the same plan trains nothing anew; more seeds extend the job
    again = run_recipe(runner, plan)
    assert again.seeds == record.seeds
    more = run_recipe(runner, JobPlan("conventional", data, MODEL, 3, QUICK))
    assert more.seeds[:2] == record.seeds
    assert more.main_steps == 60
    metadata = plan.build_metadata()
    assert len(runner.client.list_jobs(10, metadata=metadata)) == 1
    assert more.seconds is not None
    assert record.seconds is not None
    assert more.seconds > record.seconds
    runner.delete_jobs(plan)
    assert runner.client.list_jobs(10, metadata=metadata) == []
    assert runner.get_stopwatch(plan).seconds == 0


def test_the_default_sets_nothing_but_the_files(data: PreparedData) -> None:
    request = JobPlan("default", data, MODEL, 5).build_request("file-a", "file-b")
    del request["metadata"]
    assert request == {
        "training_file": "file-a",
        "test_file": "file-b",
        "model": MODEL,
        "runs": {"num_seeds": 5},
    }


def test_a_cancelled_job_is_replaced(runner: JobRunner, data: PreparedData) -> None:
    plan = JobPlan("default", data, MODEL, 1, {**QUICK, "max_steps": 5000})
    train, test = map(runner.client.upload_file, (data.train, data.test))
    job = runner.client.create_job(plan.build_request(train.id, test.id))
    runner.client.cancel_job(job.id)
    ended = runner.run_job(JobPlan("default", data, MODEL, 1, QUICK))
    assert ended.job.id != job.id
    assert ended.job.status is JobState.SUCCEEDED


def test_the_grid_trains_the_candidate_with_the_best_validation_score(
    runner: JobRunner, data: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    # one rate at which nothing can be learned, and one at which these reviews are learned
    monkeypatch.setattr(grid, "RATE_FACTORS", (1e-5, 10))
    monkeypatch.setattr(grid, "HEADS", grid.HEADS[1:])
    monkeypatch.setattr(grid, "SEARCH_SEEDS", 1)
    rate, steps = grid.read_rules(runner, data, MODEL)
    assert steps >= 320
    steps = 40
    monkeypatch.setattr(grid, "read_rules", lambda *_: (rate, steps))
    record = grid.run_grid(runner, data, MODEL, 2, None)
    assert record.grid is not None
    assert record.grid["learning_rate"] == pytest.approx(10 * rate)
    assert record.chosen["pooling"] == "mean"
    assert record.search_steps == 2 * steps
    assert [seed.seed for seed in record.seeds] == [0, 1]
    assert record.note == "Best of 2 candidates by validation."
    # a known choice is not searched for again
    monkeypatch.setattr(grid, "RATE_FACTORS", (1e-6,))
    assert grid.run_grid(runner, data, MODEL, 2, record).grid == record.grid


class QuickRunner(JobRunner):
    """Gives every job a quick recipe, because the default's pilots take minutes."""

    def run_job(self, plan: JobPlan) -> EndedJob:
        return super().run_job(dataclasses.replace(plan, recipe=QUICK))


def compute_accuracy(predictions: list[str], labels: list[str]) -> float:
    return sum(a == b for a, b in zip(predictions, labels, strict=True)) / len(labels)


def test_jobs_are_repeated_with_disjoint_seeds_and_answer_as_they_were_scored(
    shared_stack: Stack, runner: JobRunner, data: PreparedData, home: Path
) -> None:
    quick = QuickRunner(runner.client, home, Console(file=io.StringIO()))
    given = argparse.Namespace(model=MODEL, seeds=3, repeats=1)
    store = SpreadStore(home)
    first = job_spread.measure_spread(quick, store, data, given)
    [job] = first.jobs
    labels = [row.label for row in read_rows(data.test)]
    assert compute_accuracy(job.predictions, labels) == pytest.approx(job.score)
    accuracies = [compute_accuracy(one, labels) for one in job.run_predictions]
    assert accuracies == pytest.approx(job.run_scores)
    given.repeats = 2
    more = job_spread.measure_spread(quick, store, data, given)
    assert more.jobs[0] == job
    assert [one.first_seed for one in more.jobs] == [0, 3]
    assert list(store.iterate_all()) == [more]
    metadata = {"benchmark": "defaults", "contender": "spread"}
    assert runner.client.list_jobs(10, metadata=metadata) == []
    assert "jobs 2, job_std" in job_spread.format_summary(summarize_spread(more))

"""Rows of jobs whose runs have ended with given scores."""

from collections.abc import Sequence
from typing import Any

from shared.db.session import Database
from shared.db.tables import Job, Run
from shared.domain import ids
from shared.domain.job_facts import DatasetFacts, RowCounts
from shared.metrics.run_result import SplitResult, TrainedResult
from tests.rows import RECIPE, job_values

LOW, HIGH = [0.60, 0.61, 0.59, 0.62, 0.60, 0.61], [0.70, 0.71, 0.69, 0.72, 0.70, 0.71]
DATASET = DatasetFacts(
    rows=RowCounts(train=64, validation=16, test=0), training_sha256="a", validation_sha256=None
)


def make_result(
    metrics: dict[str, float | None], confusion: list[list[int]] | None = None
) -> TrainedResult:
    split = SplitResult(loss=0.5, metrics=metrics, score=None, confusion=confusion)
    return TrainedResult(validation=split)


def add_job(
    database: Database, scores: Sequence[float | None], preset: str = "stabilized", **values: Any
) -> str:
    """Add a job with ended runs; F1 is half of the score. None stands for a queued run."""
    job = Job(
        **{
            **job_values(),
            "dataset": DATASET,
            "resolved_recipe": RECIPE.model_copy(update={"preset": preset}),
            "status": "succeeded",
            **values,
        }
    )
    runs = [
        Run(
            id=ids.make_run_id(),
            job_id=job.id,
            owner_id="local",
            index=seed,
            purpose="main",
            seed=seed,
            init_seed=seed,
            data_seed=seed,
            status="queued" if score is None else "succeeded",
            degenerate=None if score is None else False,
            total_steps=10,
            validation_score=score,
            result=None if score is None else make_result({"accuracy": score, "f1": score / 2}),
            diagnosis=[],
        )
        for seed, score in enumerate(scores)
    ]
    with database.write() as session:
        session.add(job)
        session.flush()
        session.add_all(runs)
    return job.id

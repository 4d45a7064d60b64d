"""Minimal rows of jobs and runs for database tests."""

from shared.db.jobs import Jobs
from shared.db.session import Database
from shared.db.tables import Job, Run
from shared.domain import ids
from shared.domain.job_facts import DatasetFacts, RowCounts
from shared.domain.job_request import StoredRequest
from shared.domain.states import RunState
from shared.domain.task import SplitRequest, Task, TaskType
from shared.recipe import Recipe

RECIPE = Recipe(
    preset="stabilized",
    learning_rate=2e-5,
    bias_correction=True,
    num_train_epochs=None,
    max_steps=10,
    reinit_pooler=True,
    reinit_layers=1,
)
TASK = Task(
    type=TaskType.SINGLE_LABEL,
    text_column="text",
    text_pair_column=None,
    label_column="label",
    header=True,
    label_names=["a", "b"],
    positive_label="b",
    max_seq_length=128,
)
DATASET = DatasetFacts(rows=RowCounts(train=40, validation=10, test=0), labels=[], leakage={})


def job_values() -> dict[str, object]:
    typed: dict[str, object] = {
        "request": StoredRequest(),
        "task": TASK,
        "split": SplitRequest(),
        "resolved_recipe": RECIPE,
        "recipe_notes": {},
        "dataset": DATASET,
        "baselines": {},
    }
    plain = {
        "id": ids.make_job_id(),
        "owner_id": "local",
        "model": "m",
        "training_file": "f",
        "seed": 0,
        "metric": "accuracy",
    }
    return {**typed, **plain, "threads": 1, "warnings": [], "result_files": [], "status": "queued"}


def add_job(database: Database, runs: int = 2, owner_id: str = "local") -> Job:
    job = Job(**{**job_values(), "owner_id": owner_id})
    rows = [
        Run(
            id=ids.make_run_id(),
            job_id=job.id,
            owner_id=owner_id,
            index=index,
            purpose="main",
            seed=index,
            init_seed=index,
            data_seed=index,
            status=RunState.QUEUED,
            total_steps=10,
            diagnosis=[],
        )
        for index in range(runs)
    ]
    with database.write() as session:
        Jobs(session).add(job, rows)
    return job

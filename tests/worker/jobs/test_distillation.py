"""When a distillation starts, and what is published if there is none."""

import pytest

from shared.db.tables import Job, Run
from shared.domain.errors import Reason
from shared.domain.job_request import RequestedArtifacts, StoredRequest
from shared.domain.publication import Publication
from shared.metrics.run_result import SplitResult, TrainedResult
from tests.rows import RECIPE, job_values
from worker.context import WorkerContext
from worker.jobs.distillation import find_due_distillation
from worker.jobs.publication import decide_publication

SCORED = TrainedResult(
    validation=SplitResult(loss=0.1, metrics={"accuracy": 0.9}, score=0.9, confusion=None),
    test=SplitResult(loss=0.1, metrics={"accuracy": 0.8}, score=0.8, confusion=None),
)


def make_job() -> Job:
    request = StoredRequest(artifacts=RequestedArtifacts(publish="distilled"))
    return Job(**{**job_values(), "request": request, "resolved_recipe": RECIPE})


def make_run(name: str, status: str = "succeeded", **values: object) -> Run:
    fields = {"degenerate": False, "artifacts": f"runs/{name}/1", "held": False} | values
    return Run(id=name, index=0, status=status, **fields)


TWO = [make_run("a"), make_run("b")]
HELD = make_run("d", "queued", held=True, artifacts=None)


@pytest.mark.parametrize(
    ("runs", "distillations", "is_due"),
    [
        (TWO, [HELD], True),
        ([*TWO, make_run("c", "failed", artifacts=None)], [HELD], True),
        (TWO, [], False),
        (TWO, [make_run("d")], False),  # it has ended
        (TWO, [make_run("d", "cancelled", held=True)], False),
        ([TWO[0]], [HELD], False),
        ([TWO[0], make_run("b", degenerate=True)], [HELD], False),
        ([TWO[0], make_run("b", artifacts=None)], [HELD], False),  # its model is gone
    ],
)
def test_a_distillation_starts_with_the_models_of_all_sound_runs(
    runs: list[Run], distillations: list[Run], is_due: bool
) -> None:
    due = find_due_distillation(make_job(), runs, distillations)
    assert due is (HELD if is_due else None)


def decide(context: WorkerContext, runs: list[Run], distillations: list[Run]) -> Publication:
    for run in runs:
        context.storage.put_bytes(f"runs/{run.id}/1/predictions.json", b'{"rows": []}')
    return decide_publication(context, make_job(), runs, distillations, 1)


def test_the_latest_distilled_model_is_published(context: WorkerContext) -> None:
    earlier, latest = (
        make_run(name, teachers=["a", "b"], result=SCORED, purpose="distillation")
        for name in ("d0", "d1")
    )
    publication = decide(context, TWO, [earlier, latest])
    assert publication.kind == "distilled"
    assert publication.distilled is not None
    assert publication.distilled.model_dump() == {
        "run_id": "d1",
        "teachers": ["a", "b"],
        "validation": {"accuracy": 0.9},
        "test": {"accuracy": 0.8},
    }


@pytest.mark.parametrize(
    ("runs", "distillation", "reason"),
    [
        ([TWO[0]], HELD, "the job has 1 such run"),
        (TWO, make_run("d", "failed", error=Reason(code="x", message="Out.", param=None)), "Out."),
        (TWO, make_run("d", "cancelled"), "was cancelled"),
        (TWO, make_run("d", degenerate=True), "no better than a constant"),
        (TWO, make_run("d", "cancelled", held=True), "were not kept"),
    ],
)
def test_without_a_distilled_model_the_best_run_is_published_and_the_reason_given(
    runs: list[Run], distillation: Run, reason: str, context: WorkerContext
) -> None:
    publication = decide(context, runs, [distillation])
    assert (publication.kind, publication.denied) == ("best_run", True)
    assert publication.wanted == "distilled"
    assert reason in (publication.reason or "")

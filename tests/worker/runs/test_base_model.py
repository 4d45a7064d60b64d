"""A claimed run whose machine lacks the hub model downloads it, unless nobody waits for it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.db.jobs import Jobs
from shared.db.run_requests import RunRequests
from shared.db.tables import Job
from shared.encoders.hub import download
from shared.encoders.hub.resolution import HubModels
from shared.infra.settings import Settings
from tests.hub import PlayedHub
from tests.hub_models import Fault
from tests.rows import add_job
from tests.servers import wait_until
from tests.worker.contexts import HUB_MODEL, open_context
from tests.worker.job_rows import load_event_messages
from worker.context import WorkerContext
from worker.runs.assignment import Assignment
from worker.runs.base_model import find_base_model_folder
from worker.runs.claim import claim_runs
from worker.runs.outcomes import MachineUnfit, Stopped, StopReason
from worker.runs.preparation import Preparation, prepare_runs

WEIGHTS = "model.safetensors"


@pytest.fixture
def context(
    hub: PlayedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WorkerContext]:
    monkeypatch.setattr(download, "RETRY_DELAY_S", 0.01)
    settings = Settings(home=tmp_path, hub_models="acme", hub_endpoint=hub.url)
    with open_context(settings, []) as opened:
        yield opened


@pytest.fixture
def assignments(context: WorkerContext) -> list[Assignment]:
    """Two claimed runs of a queued job: another machine has downloaded the model."""
    job = add_job(context.database, runs=2)
    with context.database.write() as session:
        row = session.get_one(Job, job.id)
        row.model, row.hub_model = HUB_MODEL, HubModels(context.settings).resolve(HUB_MODEL, None)
    return [*claim_runs(context, None), *claim_runs(context, None)]


def test_the_model_is_downloaded_for_the_run(
    context: WorkerContext, hub: PlayedHub, assignments: list[Assignment]
) -> None:
    folder = find_base_model_folder(context, assignments)
    assert (folder / WEIGHTS).is_file()
    assert any(text.startswith("Downloading ") for text in load_event_messages(context))
    hub.asked.clear()
    assert find_base_model_folder(context, assignments) == folder
    assert hub.asked == []


def test_a_hub_that_does_not_answer_leaves_the_run_to_others(
    context: WorkerContext, hub: PlayedHub, assignments: list[Assignment]
) -> None:
    hub.models.faults[WEIGHTS] = [Fault.BROKEN] * 10
    with pytest.raises(MachineUnfit, match="The hub cannot be read"):
        find_base_model_folder(context, assignments)


def prepare_while_downloading(
    context: WorkerContext, hub: PlayedHub, assignments: list[Assignment]
) -> tuple[threading.Thread, list[Preparation]]:
    hub.models.drip_s = 0.05
    preparations: list[Preparation] = []
    thread = threading.Thread(
        target=lambda: preparations.append(prepare_runs(context, assignments))
    )
    thread.start()
    wait_until(lambda: bool(hub.models.stored), description="the download")
    return thread, preparations


def test_cancelled_and_paused_runs_end_the_download(
    context: WorkerContext, hub: PlayedHub, assignments: list[Assignment]
) -> None:
    thread, preparations = prepare_while_downloading(context, hub, assignments)
    job = assignments[0].job
    with context.database.write() as session:
        RunRequests(session).cancel_runs(job.id, assignments[0].run.id)
        Jobs(session).pause_job(job.id)
        RunRequests(session).pause_runs(job.id)
    thread.join(timeout=10)
    (preparation,) = preparations
    assert [outcome for _, outcome in preparation.outcomes] == [
        Stopped(StopReason.CANCELLED),
        Stopped(StopReason.PAUSED),
    ]


def test_a_run_that_still_waits_keeps_the_download(
    context: WorkerContext, hub: PlayedHub, assignments: list[Assignment]
) -> None:
    thread, preparations = prepare_while_downloading(context, hub, assignments)
    with context.database.write() as session:
        RunRequests(session).cancel_runs(assignments[0].job.id, assignments[0].run.id)
    thread.join(timeout=0.8)
    assert thread.is_alive()  # it has looked at the flags at least once
    hub.models.drip_s = 0
    thread.join(timeout=20)
    (preparation,) = preparations
    # the download went on; the rows of this test name no data file
    assert all(not isinstance(outcome, Stopped) for _, outcome in preparation.outcomes)

"""Jobs that wait for their model: downloaded once, tried again, given up in words, and left alone
when they are cancelled or paused.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from shared.db.job_advances import JobAdvances
from shared.db.jobs import Jobs
from shared.db.model_fetches import ModelFetches
from shared.db.run_requests import RunRequests
from shared.db.session import Message
from shared.db.stages import build_distillation_run
from shared.db.tables import Job, Run
from shared.domain.errors import Reason
from shared.domain.states import JobState
from shared.encoders.hub import download, resolution
from shared.encoders.hub.cache import HubCache
from shared.encoders.hub.resolution import HubModels
from shared.encoders.hub.retries import compute_delay
from shared.infra.settings import Settings
from tests.hub import PlayedHub
from tests.hub_models import Fault
from tests.rows import add_job
from tests.servers import wait_until
from tests.worker.contexts import HUB_MODEL, open_context
from tests.worker.job_rows import claim_next_run, load_event_messages, load_job, load_runs
from worker.context import WorkerContext
from worker.maintenance import model_fetcher
from worker.maintenance.model_fetcher import ModelFetcher

WEIGHTS = "model.safetensors"


@pytest.fixture
def context(
    hub: PlayedHub,
    database_url: str,
    tmp_path: Path,
    notifications: list[Message],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[WorkerContext]:
    monkeypatch.setattr(download, "RETRY_DELAY_S", 0.01)
    settings = Settings(
        home=tmp_path,
        database_url=database_url,
        hub_models="acme",
        hub_endpoint=hub.url,
        tick_seconds=0.05,
        hub_retry_seconds=compute_delay(1) + compute_delay(2),
    )
    with open_context(settings, notifications) as opened:
        yield opened


@pytest.fixture
def job(context: WorkerContext, notifications: list[Message]) -> Job:
    return add_waiting_job(context, notifications)


def add_waiting_job(context: WorkerContext, notifications: list[Message]) -> Job:
    """Add a job as its creation leaves it while its model is not on this disk."""
    job = add_job(context.database)
    with context.database.write() as session:
        row = session.get_one(Job, job.id)
        row.model, row.status, row.awaits_model = HUB_MODEL, JobState.VALIDATING_FILES, True
        row.hub_model = HubModels(context.settings).resolve(HUB_MODEL, None)
        session.execute(update(Run).where(Run.job_id == job.id).values(held=True))
    notifications.clear()
    return job


def fetch_next(context: WorkerContext) -> bool:
    return ModelFetcher(context.settings, context.database).fetch_next(threading.Event())


def make_due(context: WorkerContext, job: Job) -> None:
    with context.database.write() as session:
        session.execute(update(Job).where(Job.id == job.id).values(lease_until=1.0))


def test_the_model_is_downloaded_and_the_runs_are_released(
    context: WorkerContext, job: Job, notifications: list[Message]
) -> None:
    assert claim_next_run(context) is None
    assert fetch_next(context)
    row = load_job(context, job.id)
    assert (row.status, row.awaits_model, row.lease_until) == ("queued", False, None)
    assert sorted(notifications) == sorted(
        ("run.wake", run.id) for run in load_runs(context, job.id)
    )
    assert claim_next_run(context) is not None
    assert row.hub_model is not None
    assert HubCache(context.settings.resolved_hub_cache).find_folder(row.hub_model) is not None
    title = row.hub_model.title
    messages = load_event_messages(context)
    assert messages[0].startswith(f"Downloading {title} from the hub (")
    assert messages[-1].startswith(f"Downloaded and verified {title} (")
    assert not fetch_next(context)


def test_main_runs_stay_held_for_their_pilots(
    context: WorkerContext, job: Job, notifications: list[Message]
) -> None:
    with context.database.write() as session:
        session.get_one(Job, job.id).resolved_recipe = None
        pilot = load_runs(context, job.id)[0].id
        session.execute(update(Run).where(Run.id == pilot).values(purpose="pilot"))
    fetch_next(context)
    assert notifications == [("run.wake", pilot)]
    assert [run.held for run in load_runs(context, job.id)] == [True]


def test_a_distillation_stays_held_for_the_main_runs(
    context: WorkerContext, job: Job, notifications: list[Message]
) -> None:
    with context.database.write() as session:
        distillation = build_distillation_run(session.get_one(Job, job.id), 10)
        session.add(distillation)
    assert fetch_next(context)
    with context.database.read() as session:
        assert session.get_one(Run, distillation.id).held
    assert ("run.wake", distillation.id) not in notifications
    assert notifications


def test_jobs_of_one_model_make_one_download(
    context: WorkerContext, hub: PlayedHub, job: Job, notifications: list[Message]
) -> None:
    second = add_waiting_job(context, notifications)
    assert fetch_next(context)
    assert fetch_next(context)
    assert hub.models.stored == [WEIGHTS]
    assert {load_job(context, one.id).status for one in (job, second)} == {"queued"}


def test_a_hub_that_does_not_answer_is_tried_again_and_then_given_up(
    context: WorkerContext, hub: PlayedHub, job: Job
) -> None:
    hub.models.faults[WEIGHTS] = [Fault.BROKEN] * 100
    for attempt in (1, 2):
        assert fetch_next(context)
        row = load_job(context, job.id)
        assert (row.status, row.publish_attempts) == ("validating_files", attempt)
        assert not fetch_next(context)  # not before the delay is over
        delay = f"Next attempt in {compute_delay(attempt):.0f} seconds."
        assert load_event_messages(context)[-1].endswith(delay)
        make_due(context, job)
    assert fetch_next(context)
    row = load_job(context, job.id)
    assert row.status == "failed"
    assert row.error is not None
    assert row.error.code == "hub_not_reachable"
    assert "could not be downloaded in 3 attempts" in row.error.message
    assert {run.status for run in load_runs(context, job.id)} == {"cancelled"}
    assert load_event_messages(context)[-1] == f"The job failed: {row.error.message}"


def test_a_job_continues_after_the_hub_has_come_back(
    context: WorkerContext, hub: PlayedHub, job: Job
) -> None:
    hub.models.faults[WEIGHTS] = [Fault.CUT, *[Fault.BROKEN] * 4]
    fetch_next(context)
    make_due(context, job)
    fetch_next(context)
    row = load_job(context, job.id)
    assert (row.status, row.publish_attempts) == ("queued", 0)
    assert any(asked != "bytes=0-" for asked in hub.models.ranges)


def test_the_hub_is_left_alone_as_long_as_it_asks(
    context: WorkerContext, hub: PlayedHub, job: Job
) -> None:
    hub.models.faults[WEIGHTS], hub.models.retry_after = [Fault.BUSY], "12"
    fetch_next(context)
    assert load_event_messages(context)[-1].endswith("Next attempt in 12 seconds.")


def test_a_model_that_cannot_be_trained_fails_the_job(
    context: WorkerContext, hub: PlayedHub, notifications: list[Message]
) -> None:
    repository = hub.models.repositories[HUB_MODEL]
    repository.files = {**repository.files, WEIGHTS: repository.files[WEIGHTS][:-100]}
    job = add_waiting_job(context, notifications)
    fetch_next(context)
    row = load_job(context, job.id)
    assert row.status == "failed"
    assert row.error is not None
    assert (row.error.code, row.error.param) == ("model_not_allowed", "model")
    assert "cut short" in row.error.message


def test_a_fault_of_the_service_fails_the_job_and_leaves_the_fetcher_alive(
    context: WorkerContext, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(model_fetcher, "fetch_model", break_down)
    assert fetch_next(context)
    row = load_job(context, job.id)
    assert row.error is not None
    assert (row.status, row.error.code) == ("failed", "internal_error")
    assert not fetch_next(context)


def test_a_failed_job_can_be_retried(context: WorkerContext, hub: PlayedHub, job: Job) -> None:
    """Its runs are not held for ever; they download the model themselves."""
    with context.database.write() as session:
        fetch = ModelFetches(session).claim_next(60.0)
        assert fetch is not None
        assert job.id == fetch.job_id
        ModelFetches(session).fail(fetch, Reason(code="c", message="m", param=None))
    with context.database.write() as session:
        run = load_runs(context, job.id)[0]
        Jobs(session).reopen_job(session.get_one(Job, job.id))
        RunRequests(session).retry_run(run)
    assert claim_next_run(context) is not None


@pytest.mark.parametrize("action", ["cancel", "pause"])
def test_a_download_ends_with_its_job(
    context: WorkerContext, hub: PlayedHub, job: Job, action: str
) -> None:
    hub.models.drip_s = 0.05
    thread = threading.Thread(target=fetch_next, args=(context,))
    thread.start()
    wait_until(lambda: bool(hub.models.stored), description="the download")
    with context.database.write() as session:
        if action == "cancel":
            Jobs(session).request_cancel(session.get_one(Job, job.id))
            RunRequests(session).cancel_runs(job.id)
            assert Jobs(session).finish_cancelled_job(job.id)
        else:
            assert Jobs(session).pause_job(job.id)
            RunRequests(session).pause_runs(job.id)
    thread.join(timeout=10)
    assert not thread.is_alive()
    row = load_job(context, job.id)
    assert row.status == {"cancel": "cancelled", "pause": "paused"}[action]
    assert not fetch_next(context)
    assert row.hub_model is not None
    assert HubCache(context.settings.resolved_hub_cache).find_folder(row.hub_model) is None


def test_a_resumed_job_waits_for_its_model_again(
    context: WorkerContext, job: Job, notifications: list[Message]
) -> None:
    with context.database.write() as session:
        Jobs(session).pause_job(job.id)
        RunRequests(session).pause_runs(job.id)
    assert not fetch_next(context)
    with context.database.write() as session:
        assert Jobs(session).resume_job(job.id)
        RunRequests(session).resume_runs(job.id)
    assert load_job(context, job.id).status == "validating_files"
    with context.database.write() as session:
        assert (
            JobAdvances(session).claim_to_advance(job.id, 60.0) is None
        )  # not to be ended without runs
    fetch_next(context)
    assert load_job(context, job.id).status == "queued"


def test_the_lease_of_a_killed_worker_expires(context: WorkerContext, job: Job) -> None:
    with context.database.write() as session:
        assert ModelFetches(session).claim_next(60.0) is not None
    assert not fetch_next(context)
    make_due(context, job)
    assert fetch_next(context)
    assert load_job(context, job.id).status == "queued"


def test_a_worker_that_ends_leaves_the_job_to_others(
    context: WorkerContext, hub: PlayedHub, job: Job
) -> None:
    hub.models.drip_s = 0.05
    stop = threading.Event()
    thread = threading.Thread(
        target=ModelFetcher(context.settings, context.database).run, args=(stop,)
    )
    thread.start()
    wait_until(lambda: bool(hub.models.stored), description="the download")
    stop.set()
    thread.join(timeout=10)
    row = load_job(context, job.id)
    assert (row.status, row.lease_until, row.publish_attempts) == ("validating_files", None, 0)
    hub.models.drip_s = 0
    assert fetch_next(context)
    assert load_job(context, job.id).status == "queued"


def test_delays_double_up_to_a_limit() -> None:
    delays = [compute_delay(attempt) for attempt in range(1, 10)]
    assert delays == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_disk_that_is_full_for_now_delays_the_job(
    context: WorkerContext, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolution, "SPARE_BYTES", 2**60)
    fetch_next(context)
    assert load_job(context, job.id).status == "validating_files"
    assert "free disk space" in load_event_messages(context)[-1]

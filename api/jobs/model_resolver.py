"""Asks the hub again for the models of jobs that were created while it did not answer.

A thread of each API process, because a plan needs the files' rows, which the API reads in bounded
processes. A lease lets one process at a time plan a job; another one takes it over if that ends.
"""

import logging
import threading
from dataclasses import replace

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from api.dependencies import AppServices
from api.jobs.creation_events import describe_resolution, describe_wait
from api.jobs.planning.unresolved_plan import plan_again
from shared.db.events import Events
from shared.db.model_resolutions import ClaimedResolution, ModelResolutions
from shared.db.runs import FenceLost
from shared.domain.api_keys import Caller, Scope
from shared.domain.error_base import ServiceError
from shared.domain.errors import HubNotReachable, Reason
from shared.domain.wording import format_count
from shared.encoders.hub.ids import OFF
from shared.encoders.hub.resolution import HubModels
from shared.encoders.hub.retries import plan_retry
from shared.infra.storage_errors import StorageUnavailable, is_disk_full

log = logging.getLogger(__name__)
POLL_INTERVAL_S = 1.0
HUB_LEASE_FACTOR = 2
"""Times a run's lease while the hub is asked, which is bounded to seconds a request."""
PLAN_LEASE_FACTOR = 10
"""The same while large files are read, which renews nothing."""
STOP_TIMEOUT_S = 5.0
_ONCE_REACHED = "once the hub can be reached"
_LATER = "later"
_TEMPORARY_STATUSES = frozenset({429, 503, 507})


class ModelResolver:
    """The thread of a process. Without models of the hub it ends once no job waits."""

    def __init__(self, services: AppServices) -> None:
        self._services = services
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.run, name="model-resolver", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def request_stop(self) -> None:
        self._stop.set()

    def join(self) -> None:
        """Wait briefly; what is still claimed then is left to its lease."""
        self._thread.join(STOP_TIMEOUT_S)

    def run(self) -> None:
        """Resolve the models of waiting jobs until the process stops."""
        settings = self._services.settings
        interval = min(POLL_INTERVAL_S, settings.tick_seconds)
        while not self._stop.is_set():
            try:
                while not self._stop.is_set() and self.resolve_next():
                    pass
                if settings.hub_models == OFF and not self._has_waiting():
                    return
            except SQLAlchemyError as error:  # the next round tries again
                log.warning("model_resolver_failed error=%s", error)
            self._stop.wait(interval)

    def _has_waiting(self) -> bool:
        with self._services.database.read() as session:
            return ModelResolutions(session).jobs.has_waiting()

    def resolve_next(self) -> bool:
        """Resolve the model of the oldest due job; False if none is due. Raises SQLAlchemyError."""
        with self._services.database.read() as session:
            if not ModelResolutions(session).jobs.has_due():
                return False
        lease = HUB_LEASE_FACTOR * self._services.settings.lease_seconds
        with self._services.database.write() as session:
            claimed = ModelResolutions(session).claim_next(lease)
        if claimed is None:
            return False
        try:
            self._resolve(claimed)
        except FenceLost:
            log.info("model_resolution_lost job=%s", claimed.lease.job_id)
        return True

    def _resolve(self, claimed: ClaimedResolution) -> None:
        """Plan the job for its model, and record what came of it. Raises FenceLost."""
        try:
            self._plan(claimed)
        except HubNotReachable as error:
            self._postpone_or_fail(claimed, error)
        except ServiceError as error:
            if self._stop.is_set():  # the readers are closed
                self._release(claimed)
            elif error.status in _TEMPORARY_STATUSES:
                self._postpone_or_fail(
                    claimed, HubNotReachable(error.message, param=error.param), _LATER
                )
            else:
                self._fail(claimed, error.to_reason())
        except ValidationError:
            message = (
                "This version of the service does not accept the job's request any more. Create "
                "the job again."
            )
            self._fail(claimed, Reason(code="invalid_request", message=message, param=None))
        except (FenceLost, SQLAlchemyError):
            raise
        except OSError as error:
            self._wait_for_storage_or_fail(claimed, error)
        except Exception:  # a thread that ends would resolve no other job's model either
            log.exception("model_resolution_failed job=%s", claimed.lease.job_id)
            self._fail_unforeseen(claimed)

    def _wait_for_storage_or_fail(self, claimed: ClaimedResolution, error: OSError) -> None:
        """Try again later what an outage of the storage or a full disk has kept from being read."""
        if isinstance(error, StorageUnavailable) or is_disk_full(error):
            cause = str(error) if isinstance(error, StorageUnavailable) else "The disk is full."
            self._postpone_or_fail(claimed, HubNotReachable(cause, param=None), _LATER)
            return
        log.exception("model_resolution_failed job=%s", claimed.lease.job_id)
        self._fail_unforeseen(claimed)

    def _fail_unforeseen(self, claimed: ClaimedResolution) -> None:
        message = "The job could not be planned. See the log of the API."
        self._fail(claimed, Reason(code="internal_error", message=message, param="model"))

    def _plan(self, claimed: ClaimedResolution) -> None:
        lease, job = claimed
        caller = Caller(job.owner_id, Scope.SUBMIT, "resolver")
        services = replace(self._services, caller=caller)
        hub_model = HubModels(services.settings).resolve(job.model, job.request.model_revision)
        with services.database.write() as session:
            plan_lease = PLAN_LEASE_FACTOR * services.settings.lease_seconds
            ModelResolutions(session).jobs.renew_lease(lease, plan_lease)
        plan, runs = plan_again(services, job, hub_model)
        with services.database.write() as session:
            resolved = ModelResolutions(session).complete(lease, plan, runs)
            events = Events(session)
            events.add(resolved, describe_resolution(resolved, runs))
            for warning in plan.warnings:
                if warning not in job.warnings:
                    events.add(resolved, warning.message, level="warn")
        log.info("model_resolved job=%s model=%s", lease.job_id, hub_model.title)

    def _postpone_or_fail(
        self, claimed: ClaimedResolution, error: HubNotReachable, cure: str = _ONCE_REACHED
    ) -> None:
        lease = claimed.lease
        delay = plan_retry(lease.attempt, error, self._services.settings.hub_retry_seconds)
        if delay is None:
            message = (
                f"{error.message} The model could not be resolved in "
                f"{format_count(lease.attempt, 'attempt')}; "
                f"create the job again {cure}."
            )
            self._fail(claimed, Reason(code=error.code, message=message, param=error.param))
            return
        with self._services.database.write() as session:
            jobs = ModelResolutions(session).jobs
            jobs.postpone(lease, delay)
            jobs.add_event(lease, describe_wait(error, delay), level="warn")
        log.warning("model_resolution_postponed job=%s delay=%.0f", lease.job_id, delay)

    def _release(self, claimed: ClaimedResolution) -> None:
        with self._services.database.write() as session:
            ModelResolutions(session).jobs.release(claimed.lease)

    def _fail(self, claimed: ClaimedResolution, reason: Reason) -> None:
        with self._services.database.write() as session:
            ModelResolutions(session).fail(claimed.lease, reason)
        log.warning("model_resolution_failed job=%s code=%s", claimed.lease.job_id, reason.code)

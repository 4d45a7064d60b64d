"""The relations between the timings of different parts of the service."""

from shared import timings
from shared.infra.settings import Settings


def test_a_cancelled_run_is_stopped_while_the_request_waits() -> None:
    slowest = timings.FLUSH_INTERVAL_S + timings.STOP_TIMEOUT_S + timings.TERMINATE_TIMEOUT_S
    polling = timings.FLUSH_INTERVAL_S / 2  # the worker looks at the deadline between messages
    assert slowest + polling < timings.CANCEL_TIMEOUT_S


def test_a_pause_is_given_more_time_than_a_stop() -> None:
    assert timings.PAUSE_TIMEOUT_S > timings.STOP_TIMEOUT_S


def test_everything_ends_in_time_whatever_it_waits_for() -> None:
    assert timings.REQUESTS_STOP_S < timings.PROCESS_EXIT_S < timings.PROCESS_STOP_S
    # a run in training is given back before the worker's process has to end
    stopped = timings.FLUSH_INTERVAL_S * 1.5 + timings.STOP_TIMEOUT_S + timings.TERMINATE_TIMEOUT_S
    assert stopped < timings.PROCESS_EXIT_S / 2
    one_after_the_other = (timings.PROCESS_STOP_S, timings.BROKER_STOP_S)
    drained = len(one_after_the_other) * timings.OUTPUT_DRAIN_S
    assert sum(one_after_the_other) + drained < timings.STOP_LIMIT_S


def test_signs_of_life_come_several_times_before_a_process_counts_as_gone() -> None:
    settings = Settings()
    assert settings.stall_seconds >= 3 * timings.ALIVE_INTERVAL_S
    assert 3 * timings.REGISTRATION_INTERVAL_S <= timings.WORKER_TIMEOUT_S
    assert 3 * settings.heartbeat_seconds <= settings.lease_seconds
    # the sweeper, which renews the registration, may be delayed by a tick
    assert timings.REGISTRATION_INTERVAL_S + settings.tick_seconds < timings.WORKER_TIMEOUT_S


def test_a_request_waits_for_other_writers_and_still_answers_its_client() -> None:
    assert 2 * timings.SQLITE_WAIT_S < timings.CLIENT_TIMEOUT_S


def test_a_delivery_stays_claimed_for_the_whole_attempt() -> None:
    longest = timings.WEBHOOK_TIMEOUT_S + timings.WEBHOOK_DEADLINE_S  # resolve, then send
    assert 1.5 * longest < timings.WEBHOOK_LEASE_S


def test_an_upload_expires_before_its_parts_count_as_garbage() -> None:
    assert timings.UPLOAD_LIFETIME_S < timings.GARBAGE_GRACE_S


def test_a_batch_that_the_client_would_not_wait_for_is_refused() -> None:
    waiting = timings.LONG_CLASSIFICATION_WAIT_S
    assert waiting + timings.CLASSIFICATION_LIMIT_S < timings.CLIENT_TIMEOUT_S

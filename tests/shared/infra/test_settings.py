"""Invalid settings: the message names the variable and what it may be."""

import pytest
from pydantic import ValidationError

from shared.infra.settings import Settings, describe_invalid_settings

TEXTS = {
    "home",  # any text is a path, a host or a token
    "cache_dir",
    "hub_cache",
    "model_dirs",
    "host",
    "published_host",
    "hub_hosts",
    "hub_token",
}
INVALID: dict[str, tuple[str, ...]] = {
    "database_url": ("nonsense", "postgresql://a/b", "mysql://a/b", "postgresql+psycopg://h:x/b"),
    "redis_url": ("nonsense", "http://a", "redis://h:x/0", "redis://h:99999/0"),
    "storage_url": ("nonsense", "/folder", "file://relative", "ftp://a/b"),
    "hub_models": ("a b", "-x", "a/b/c", ",", "../a"),
    "hub_endpoint": ("nonsense", "ftp://a", "https://user:key@a"),
    "log_level": ("LOUD", "10"),
    "api_key": (" ", "k", "short", " " * 40, "sixteen blanks in it", "ä" * 40, "a\tb" * 20),
    "precision": ("float64",),
    "secret_key": ("short", "a" * 31, f"{'a' * 32},b"),
    **dict.fromkeys(
        ("api_docs", "hub_datasets", "hub_offline", "webhook_private_addresses"), ("maybe", "2")
    ),
    **dict.fromkeys(("stack", "threads"), ("many", "0", "257", "1.5")),
    **dict.fromkeys(("port",), ("http", "-1", "65536", "1.5")),
    **dict.fromkeys(
        (
            "max_upload_bytes",
            "max_model_bytes",
            "max_request_bytes",
            "max_rows",
            "classifier_bytes",
            "trainer_memory_bytes",
            "hub_model_bytes",
            "owner_stored_bytes",
            "owner_files",
            "owner_open_jobs",
            "owner_job_runs",
            "owner_queued_runs",
        ),
        ("64MB", "0"),
    ),
    **dict.fromkeys(
        ("event_streams", "owner_event_streams", "worker_slots", "cores"), ("few", "0", "10001")
    ),
    "gpus": ("all", "-1", "65"),
    "trainer_idle_seconds": ("never", "-1", "inf", "nan"),
    "allowed_hosts": ("http://example.com", "a/b", "a b"),
    "connections": ("many", "15", "60001"),
    "connections_per_address": ("many", "7", "60001"),
    **dict.fromkeys(
        (
            *("lease_seconds", "heartbeat_seconds", "requeue_seconds", "tick_seconds"),
            *("stall_seconds", "time_limit_seconds", "hub_seconds"),
            "hub_retry_seconds",
            "owner_requests_per_second",
        ),
        ("soon", "0", "-1", "inf", "nan"),
    ),
}
CASES = [(name, value) for name, values in INVALID.items() for value in values]


def test_every_setting_is_known() -> None:
    assert TEXTS | set(INVALID) == set(Settings.model_fields)


@pytest.mark.parametrize(("name", "value"), CASES)
def test_an_invalid_value_is_described(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    variable = f"EVENKEEL_{name.upper()}"
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError) as raised:
        Settings()
    message = describe_invalid_settings(raised.value)
    assert message.startswith((f"{variable} must ", f"{variable} is not a "))
    assert message.endswith(".")
    assert "\n" not in message
    for foreign in ("Input", "should", "valid ", "pattern", "constrained", "is invalid"):
        assert foreign not in message


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("stack", "many", 'EVENKEEL_STACK must be a whole number or "auto".'),
        ("stack", "0", "EVENKEEL_STACK must be at least 1."),
        ("hub_datasets", "maybe", "EVENKEEL_HUB_DATASETS must be true or false."),
        ("lease_seconds", "soon", "EVENKEEL_LEASE_SECONDS must be a number."),
        (
            "redis_url",
            "http://a",
            "EVENKEEL_REDIS_URL must begin with redis://, rediss:// or redis+socket:///.",
        ),
    ],
)
def test_the_accepted_values_are_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(f"EVENKEEL_{name.upper()}", value)
    with pytest.raises(ValidationError) as raised:
        Settings()
    assert describe_invalid_settings(raised.value) == message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_url", "sqlite:////folder/a.db"),
        ("database_url", "postgresql+psycopg://user:a/b[c?@host:5432/name"),
        ("redis_url", "redis+socket:///folder/redis.sock"),
        ("redis_url", "redis://:pass@redis:6379/0"),
        ("storage_url", "s3://bucket/prefix"),
        ("storage_url", "file:///folder"),
        ("log_level", "debug"),
        ("hub_endpoint", "https://hf.example.org:8443/mirror"),
    ],
)
def test_a_valid_value_is_accepted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"EVENKEEL_{name.upper()}", value)
    found = getattr(Settings(), name)
    assert found == (value.upper() if name == "log_level" else value)

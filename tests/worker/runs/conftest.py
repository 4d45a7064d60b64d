"""Fixtures for tests that monitor scripted runs."""

from pathlib import Path

import pytest

from shared.db.migrate import apply_migrations
from worker.runs import monitor


@pytest.fixture
def url(tmp_path: Path) -> str:
    """URL of a database of the test's own."""
    url = f"sqlite:///{tmp_path / 'test.db'}"
    apply_migrations(url)
    return url


@pytest.fixture
def flush_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flush and read the flags after every message."""
    monkeypatch.setattr(monitor, "FLUSH_INTERVAL_S", 0.0)
    monkeypatch.setattr("worker.db_retry.RETRY_INTERVAL_S", 0.0)

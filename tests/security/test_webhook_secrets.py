"""Webhooks in the database: nothing but the host can be read, and keys can be replaced."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.db.tables import Job
from shared.db.webhook_secrets import reseal_webhooks, seal_webhook, unseal_webhook
from shared.domain.job_facts import SealedWebhook, WebhookTarget
from shared.infra.secret_box import KEY_FILE_NAME, SecretBox, SecretUnreadable
from shared.infra.settings import Settings
from tests.rows import add_job

TARGET = WebhookTarget(url="https://hooks.example.org/t0ken?k=1", secret="a signing key of mine")
OLD_KEY, NEW_KEY = "o" * 32, "n" * 40


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    apply_migrations(database_url)
    opened = Database(database_url)
    yield opened
    opened.dispose()


def _make_box(home: Path, *keys: str) -> SecretBox:
    return SecretBox(Settings(home=home, secret_key=SecretStr(",".join(keys)) if keys else None))


def _store(database: Database, webhook: SealedWebhook | WebhookTarget) -> str:
    made = add_job(database, runs=0)
    with database.write() as session:
        session.get_one(Job, made.id).webhook = webhook
    return made.id


def _load(database: Database, job_id: str) -> SealedWebhook | WebhookTarget:
    with database.read() as session:
        webhook = session.get_one(Job, job_id).webhook
    assert webhook is not None
    return webhook


def _read_column(database: Database) -> str:
    with database.read() as session:
        return str(session.execute(text("SELECT CAST(webhook AS TEXT) FROM jobs")).all())


def test_only_the_host_can_be_read_in_the_row(database: Database, tmp_path: Path) -> None:
    box = _make_box(tmp_path)
    job_id = _store(database, seal_webhook(box, TARGET))
    column = _read_column(database)
    assert "hooks.example.org" in column
    assert "t0ken" not in column
    assert TARGET.secret not in column
    assert unseal_webhook(box, _load(database, job_id)) == TARGET


def test_the_key_file_is_private_and_made_once(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        first, second = _make_box(tmp_path / "home"), _make_box(tmp_path / "home")
        assert second.unseal(first.seal("x")) == "x"
    finally:
        os.umask(before)
    path = tmp_path / "home" / KEY_FILE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [KEY_FILE_NAME]


@pytest.mark.parametrize("content", [b"", b"\n,\n", b"\xff" * 40])
def test_a_key_file_without_a_key_is_told_and_stays(content: bytes, tmp_path: Path) -> None:
    (tmp_path / KEY_FILE_NAME).write_bytes(content)
    with pytest.raises(OSError, match="The file has no key"):
        _make_box(tmp_path).seal("x")
    assert (tmp_path / KEY_FILE_NAME).read_bytes() == content


def test_older_rows_and_rows_of_an_older_key_are_encrypted_again(
    database: Database, tmp_path: Path
) -> None:
    plain = _store(database, TARGET)
    old = _store(database, seal_webhook(_make_box(tmp_path, OLD_KEY), TARGET))
    new = _store(database, seal_webhook(_make_box(tmp_path, NEW_KEY), TARGET))
    lost = _store(database, seal_webhook(_make_box(tmp_path, "l" * 32), TARGET))
    box = _make_box(tmp_path, NEW_KEY, OLD_KEY)
    with database.write() as session:
        assert reseal_webhooks(session, box) == 2
    with database.write() as session:
        assert reseal_webhooks(session, box) == 0
    assert TARGET.secret not in _read_column(database)
    only_new = _make_box(tmp_path, NEW_KEY)
    for job_id in (plain, old, new):
        assert unseal_webhook(only_new, _load(database, job_id)) == TARGET
    with pytest.raises(SecretUnreadable, match="EVENKEEL_SECRET_KEY"):
        unseal_webhook(box, _load(database, lost))


def test_the_key_cannot_be_read_from_its_name(tmp_path: Path) -> None:
    first, second = _make_box(tmp_path, OLD_KEY), _make_box(tmp_path, NEW_KEY)
    assert first.key_id != second.key_id
    assert OLD_KEY not in first.key_id
    assert OLD_KEY not in repr(Settings(home=tmp_path, secret_key=SecretStr(OLD_KEY)))

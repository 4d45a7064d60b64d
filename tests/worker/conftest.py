from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.db.migrate import apply_migrations
from shared.db.session import Database, Message
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from tests.encoders import build_bert_folder, build_roberta_folder
from worker.context import WorkerContext
from worker.trainer.process import Trainer


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_bert_folder(tmp_path_factory.mktemp("tiny-bert"))


@pytest.fixture(scope="session")
def tiny_roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_roberta_folder(tmp_path_factory.mktemp("tiny-roberta"))


@pytest.fixture
def notifications() -> list[Message]:
    return []


@pytest.fixture
def context(
    database_url: str, tmp_path: Path, notifications: list[Message]
) -> Iterator[WorkerContext]:
    """Context without a trainer, on both databases; ``notifications`` collects its messages."""
    settings = Settings(home=tmp_path, database_url=database_url)
    apply_migrations(database_url)

    def notify(message: Message) -> bool:
        notifications.append(message)
        return True

    database = Database(database_url, notify=notify)
    yield WorkerContext(
        settings, database, Storage(settings.resolved_storage_url), Trainer(settings)
    )
    database.dispose()

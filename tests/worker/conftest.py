from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.db.session import Message
from shared.infra.settings import Settings
from tests.encoders import build_bert_folder, build_roberta_folder
from tests.hub import PlayedHub, played_hub
from tests.worker.contexts import HUB_MODEL, open_context
from worker.context import WorkerContext


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
    with open_context(Settings(home=tmp_path, database_url=database_url), notifications) as opened:
        yield opened


@pytest.fixture
def hub(model_dir: Path) -> Iterator[PlayedHub]:
    """A hub with one model, ``HUB_MODEL``."""
    with played_hub() as played:
        played.models.add(HUB_MODEL, model_dir / "tiny-bert")
        yield played

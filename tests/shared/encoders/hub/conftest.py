"""A simulated hub with one model, and the settings of an installation that may download it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.encoders.hub import download
from shared.infra.settings import Settings
from tests.hub import PlayedHub, played_hub
from tests.hub_models import ModelRepository

MODEL = "acme/tiny-bert"


@pytest.fixture
def hub() -> Iterator[PlayedHub]:
    with played_hub() as played:
        yield played


@pytest.fixture
def repository(hub: PlayedHub, model_dir: Path) -> ModelRepository:
    return hub.models.add(MODEL, model_dir / "tiny-bert")


@pytest.fixture
def settings(hub: PlayedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for variable in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(download, "RETRY_DELAY_S", 0.01)
    return Settings(home=tmp_path, hub_models="acme", hub_endpoint=hub.url)

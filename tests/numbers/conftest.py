"""Fixtures of the numerical tests: tiny encoders, and one encoder per family."""

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import PreTrainedModel

from tests.encoders import ENCODERS, build_bert_folder, build_roberta_folder
from tests.worker.training.runs import make_task
from worker.training.model.encoder import load_encoder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_bert_folder(tmp_path_factory.mktemp("tiny-bert"))


@pytest.fixture(scope="session")
def tiny_roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_roberta_folder(tmp_path_factory.mktemp("tiny-roberta"))


@pytest.fixture(scope="module", params=sorted(ENCODERS))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model of the family with high dropout, so that dropout left on is noticed."""
    return ENCODERS[family](tmp_path_factory.mktemp(family), dropout=0.5)


@pytest.fixture
def load_network(folder: Path) -> Callable[[], PreTrainedModel]:
    """Loads the family's base model under a new head."""
    return lambda: load_encoder(folder, make_task(), 0)

"""Fixtures of the tests of stacks."""

from pathlib import Path

import pytest

from tests.encoders import build_bert_folder


@pytest.fixture(scope="session")
def smooth_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT without dropout, so that two ways of training can be compared number by number."""
    return build_bert_folder(tmp_path_factory.mktemp("smooth-bert"), dropout=0.0)

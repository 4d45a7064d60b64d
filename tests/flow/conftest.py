"""Fixtures of the tests against a whole service."""

from typing import Any

import pytest

from tests.flow.classifications import train_job_with_kept_models
from tests.stack import Stack


@pytest.fixture(scope="module")
def job(shared_stack: Stack) -> dict[str, Any]:
    """A job of three seeds that keeps all of its models."""
    return train_job_with_kept_models(shared_stack)

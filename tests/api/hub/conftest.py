"""Fixtures: the real application beside a simulated hub on this machine."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from shared.infra.settings import Settings
from tests.api.hub.requests import NAME
from tests.hub import DatasetRepository, PlayedHub, played_hub
from tests.make import review_csv

Service = Callable[..., AbstractContextManager[TestClient]]


@pytest.fixture
def hub() -> Iterator[PlayedHub]:
    with played_hub() as played:
        yield played


@pytest.fixture
def service(settings: Settings, hub: PlayedHub) -> Service:
    """Return a context manager that starts the application with hub settings."""

    @contextmanager
    def start_service(**changes: Any) -> Iterator[TestClient]:
        hub_settings = {"hub_datasets": True, "hub_endpoint": hub.url}
        with TestClient(
            create_app(settings.model_copy(update=hub_settings | changes)),
            raise_server_exceptions=False,
        ) as client:
            yield client

    return start_service


@pytest.fixture
def http(service: Service) -> Iterator[TestClient]:
    with service() as client:
        yield client


@pytest.fixture
def plain(hub: PlayedHub, request: pytest.FixtureRequest) -> DatasetRepository:
    """A repository with a new commit, because the application keeps downloaded files."""
    repository = DatasetRepository({"train.csv": review_csv(40)}, message=request.node.name)
    hub.repositories[NAME] = repository
    return repository

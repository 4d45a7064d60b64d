"""The real application beside a hub that is played on this machine."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from shared.infra.settings import Settings
from tests.hub import PlayedHub, played_hub

Service = Callable[..., AbstractContextManager[TestClient]]


@pytest.fixture
def hub() -> Iterator[PlayedHub]:
    with played_hub() as played:
        yield played


@pytest.fixture
def service(settings: Settings, hub: PlayedHub) -> Service:
    """Makes the application with settings of the hub's beside those of the module."""

    @contextmanager
    def made(**changes: Any) -> Iterator[TestClient]:
        allowed = {"hub_datasets": True, "hub_endpoint": hub.url}
        with TestClient(
            create_app(settings.model_copy(update=allowed | changes)), raise_server_exceptions=False
        ) as client:
            yield client

    return made


@pytest.fixture
def http(service: Service) -> Iterator[TestClient]:
    with service() as client:
        yield client

"""Limits of classification; ``tests.flow.test_classifications`` tests the predictions."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from api.classifications.batches import check_throughput
from api.classifications.loaded_models import MAX_CONCURRENT_REQUESTS, ModelServer
from shared.domain.errors import InvalidValue, ServiceBusy
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.timings import CLASSIFICATION_LIMIT_S


def test_requests_beyond_the_limit_get_429(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    server = ModelServer(settings, Storage(settings.resolved_storage_url))
    with ExitStack() as admitted:
        for _ in range(MAX_CONCURRENT_REQUESTS):
            admitted.enter_context(server.admit_request())
        with pytest.raises(ServiceBusy) as refused, server.admit_request():
            pass
    assert refused.value.status == 429
    assert refused.value.headers == {"retry-after": "1"}
    with server.admit_request():  # the others have ended
        pass


def test_a_file_that_takes_longer_than_the_timeout_is_refused() -> None:
    check_throughput(1000, 20_000, CLASSIFICATION_LIMIT_S / 20)
    with pytest.raises(InvalidValue, match=r"10\.0 rows per second .* up to 5,400 rows") as refused:
        check_throughput(1000, 20_000, 100.0)
    assert refused.value.param == "input_file"

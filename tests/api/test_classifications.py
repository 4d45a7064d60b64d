"""How many requests are let in to be classified, and how long one may take; what they answer is
``tests.flow.test_classifications``.
"""

from contextlib import ExitStack
from pathlib import Path

import pytest

from api.classifications.batches import CLIENT_TIMEOUT_S, check_throughput
from api.classifications.loaded_models import MAX_CONCURRENT_REQUESTS, ModelServer
from shared.domain.errors import InvalidValue, ServiceBusy
from shared.infra.settings import Settings
from shared.infra.storage import Storage


def test_more_requests_than_are_let_in_are_told_to_come_again(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    serving = ModelServer(settings, Storage(settings.resolved_storage_url))
    with ExitStack() as inside:
        for _ in range(MAX_CONCURRENT_REQUESTS):
            inside.enter_context(serving.admit_request())
        with pytest.raises(ServiceBusy) as refused, serving.admit_request():
            pass
    assert refused.value.status == 429
    assert refused.value.headers == {"retry-after": "1"}
    with serving.admit_request():  # once they are done there is room again
        pass


def test_a_file_that_the_caller_would_not_wait_for_is_refused_early_with_what_is_possible() -> None:
    check_throughput(1000, 20_000, CLIENT_TIMEOUT_S / 20)
    with pytest.raises(
        InvalidValue, match=r"10\.0 of these rows a second .* up to 5,400 rows"
    ) as refused:
        check_throughput(1000, 20_000, 100.0)
    assert refused.value.param == "input_file"

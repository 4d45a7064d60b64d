"""The official client, with strict response validation, before a whole service."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.stack import Stack


@pytest.fixture(scope="module")
def client(shared_stack: Stack) -> Iterator[OpenAI]:
    base_url = f"http://127.0.0.1:{shared_stack.port}/v1"
    with OpenAI(base_url=base_url, api_key="none", max_retries=0, _strict_response_validation=True) as client:
        yield client

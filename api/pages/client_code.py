"""Code that pages show beside what they do: where it sends its requests, and with which key."""

import json
import shlex
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from api.pages.first_commands import get_shown_url
from api.pages.page import Page

KEY_VARIABLE: Final = "EVENKEEL_API_KEY"


class Service(NamedTuple):
    """Where the commands send their requests."""

    url: str
    needs_key: bool


def find_service(page: Page) -> Service:
    """Return the service as the browser has reached it."""
    return Service(get_shown_url(page.request), page.has_session)


def write_curl_post(service: Service, path: str, body: Mapping[str, Any]) -> str:
    """Return the command that posts a JSON body."""
    lines = [
        f"curl {shlex.quote(f'{service.url}{path}')}",
        *list_key_options(service),
        "-H 'content-type: application/json'",
        f"-d {shlex.quote(json.dumps(body, indent=2))}",
    ]
    return " \\\n  ".join(lines)


def open_client(service: Service) -> list[str]:
    """Return the lines of Python that open the client."""
    key = f'os.environ["{KEY_VARIABLE}"]' if service.needs_key else '"none"'
    return [
        *(["import os", ""] if service.needs_key else []),
        "from openai import OpenAI",
        "",
        "client = OpenAI(",
        f"    base_url={f'{service.url}/v1'!r},",
        f"    api_key={key},",
        ")",
    ]


def list_key_options(service: Service) -> list[str]:
    """Return the options of curl that send the key."""
    return [f'-H "authorization: Bearer ${KEY_VARIABLE}"'] if service.needs_key else []

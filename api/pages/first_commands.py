"""The address of the service as its pages show it in commands to copy."""

import re
from typing import Final

from fastapi import Request

DEFAULT_URL: Final = "http://127.0.0.1:8000"
_PLAIN_URL: Final = re.compile(r"https?://[\w.:\[\]-]+", re.ASCII)


def get_shown_url(request: Request) -> str:
    """Return the service's address as the browser knows it, if it is safe to paste into a shell:
    the host is the client's word.
    """
    url = str(request.base_url).rstrip("/")
    return url if _PLAIN_URL.fullmatch(url) else DEFAULT_URL

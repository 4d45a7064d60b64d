"""What a browser does with forms, for tests without one."""

import re

from fastapi.testclient import TestClient
from httpx2 import Response

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
_TOKEN = re.compile('name="csrf" value="([0-9a-f]{64})"')


def find_token(html: str) -> str:
    """Return the token of the page's forms."""
    found = _TOKEN.search(html)
    assert found is not None, html
    return found[1]


def sign_in(http: TestClient, key: str, next_path: str = "/jobs") -> Response:
    """Sign in with a key as the form does; cookies stay in the client."""
    token = find_token(http.get("/sign-in", headers=BROWSER).text)
    form = {"csrf": token, "key": key, "next": next_path}
    return http.post("/sign-in", data=form, headers=BROWSER, follow_redirects=False)


def get_token(http: TestClient, page: str = "/jobs") -> str:
    return find_token(http.get(page, headers=BROWSER).text)

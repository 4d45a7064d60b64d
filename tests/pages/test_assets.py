"""The files that pages load: from this service alone, unchanged, and kept by the browser."""

import hashlib
import re
from pathlib import Path

from fastapi.testclient import TestClient

import api.pages
from api.pages.assets import build_asset_url, load_assets
from tests.shared.report.parsed_page import ParsedPage

FOLDER = Path(api.pages.__path__[0])
VENDOR = FOLDER / "vendor"


def test_the_files_of_others_are_those_of_the_notice() -> None:
    notice = (VENDOR / "NOTICE").read_text(encoding="utf-8")
    named = dict(re.findall(r"File: (\S+)\n(?:.+\n)+?SHA-256: ([0-9a-f]{64})", notice))
    scripts = {path.name for path in VENDOR.glob("*.js")}
    assert named.keys() == scripts
    for name, digest in named.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest


def test_a_file_is_kept_for_good_and_found_by_its_content(http: TestClient) -> None:
    for name, asset in load_assets().items():
        url = build_asset_url(name)
        answer = http.get(url)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.content == asset.content
        plain = http.get(url, headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == asset.content
        assert http.get(url.replace(asset.digest, "0" * 20)).status_code == 404


def test_a_page_names_nothing_of_another_host(http: TestClient) -> None:
    page = ParsedPage(http.get("/jobs").text)
    for tag, attrs in page.elements:
        assert "style" not in attrs, tag
        assert not [name for name in attrs if name.startswith("on")], tag
        for name in ("src", "href", "action", "srcset"):
            value = attrs.get(name)
            assert value is None or value.startswith(("/", "#", "data:,")), (tag, value)
        if tag == "script":
            assert attrs.get("src")
        assert tag != "style"


def test_a_page_may_load_from_this_service_alone(http: TestClient) -> None:
    headers = http.get("/jobs").headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_the_scripts_need_no_eval_and_no_inline_style() -> None:
    for path in FOLDER.rglob("*.js"):
        if path.parent != VENDOR:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"\beval\(|new Function|innerHTML|\.style\b", text), path

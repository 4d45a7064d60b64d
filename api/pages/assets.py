"""Style sheet and scripts of the pages, each under a URL with the digest of its content."""

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from fastapi import APIRouter, Request, Response

from api.errors import RouteNotFound
from shared.report.figures import DARK, LIGHT
from shared.report.page.render import load_template

router = APIRouter()

ASSETS_PREFIX: Final = "/assets/"
FOLDER: Final = Path(__file__).parent
_HEADERS: Final = {
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
    "vary": "accept-encoding",
}


class Asset(NamedTuple):
    """A file as it is sent."""

    content: bytes
    compressed: bytes
    media_type: str
    digest: str


@cache
def load_assets() -> dict[str, Asset]:
    """Return all files by name. The style sheet is the report's, the layout's and the screens',
    and the script the layout's and the screens'.
    """
    theme = load_template("theme.css.j2").render(light=LIGHT, dark=DARK)
    styles = "\n".join([theme, *_read_all("css")])
    htmx = (FOLDER / "vendor" / "htmx.min.js").read_bytes()
    return {
        "page.css": _build_asset(styles.encode(), "text/css; charset=utf-8"),
        "page.js": _build_asset("\n".join(_read_all("js")).encode(), "text/javascript"),
        "htmx.js": _build_asset(htmx, "text/javascript"),
    }


def build_asset_url(name: str) -> str:
    """Return the URL path of a file; it changes with the content."""
    return f"{ASSETS_PREFIX}{load_assets()[name].digest}/{name}"


@router.get("/assets/{digest}/{name}")
def get_asset(request: Request, digest: str, name: str) -> Response:
    """Answer with a file, unless the URL is that of another version."""
    asset = load_assets().get(name)
    if asset is None or asset.digest != digest:
        raise RouteNotFound("The file is not part of this version of the service; reload the page.")
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers = _HEADERS | {"content-encoding": "gzip"}
        return Response(asset.compressed, media_type=asset.media_type, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=_HEADERS)


def _read_all(suffix: str) -> list[str]:
    """Read the layout's files with the suffix, then those of the screens by name."""
    found = [path for path in FOLDER.rglob(f"*.{suffix}") if "vendor" not in path.parts]
    ordered = sorted(found, key=lambda path: (path.parent.name != "layout", path.as_posix()))
    return [path.read_text(encoding="utf-8") for path in ordered]


def _build_asset(content: bytes, media_type: str) -> Asset:
    digest = hashlib.blake2b(content, digest_size=10).hexdigest()
    return Asset(content, gzip.compress(content, mtime=0), media_type, digest)

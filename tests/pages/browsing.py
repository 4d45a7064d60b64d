"""A browser window that records what must not happen: errors, foreign requests, violations."""

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext, Page

ColorScheme = Literal["light", "dark"]
WIDTHS = (360, 1280)
SCHEMES: tuple[ColorScheme, ...] = ("light", "dark")


@cache
def read_axe() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@dataclass
class Visitor:
    """Somebody who visits the service with a browser."""

    browser: Browser
    url: str
    errors: list[str] = field(default_factory=list)
    """Messages on the console, and failures of scripts."""
    foreign: list[str] = field(default_factory=list)
    """Requests to other hosts."""
    _contexts: list[BrowserContext] = field(default_factory=list)

    def open(
        self,
        path: str,
        *,
        width: int = 1280,
        scheme: ColorScheme = "light",
        scripts: bool = True,
        status: int = 200,
    ) -> Page:
        """Open a page of the service in a window of its own."""
        context = self.browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._note_request(request.url))
        answer = page.goto(self.url + path, wait_until="domcontentloaded")
        assert answer is not None
        assert answer.status == status, (path, answer.status)
        if status >= 400:  # the browser notes the answer that was asked for
            self.errors.clear()
        return page

    def close(self) -> None:
        """Close all windows; fail if anything went wrong in one of them."""
        for context in self._contexts:
            context.close()
        assert self.errors == []
        assert self.foreign == []

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.errors.append(text)

    def _note_request(self, url: str) -> None:
        if not url.startswith((f"{self.url}/", "data:", "blob:")):
            self.foreign.append(url)


def find_violations(page: Page) -> list[str]:
    """Return what axe finds, one line for each element."""
    page.evaluate(read_axe())
    found: list[dict[str, Any]] = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in found
        for node in violation["nodes"]
    ]


def is_scrolled_sideways(page: Page) -> bool:
    """Return whether the page is wider than its window."""
    script = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    return bool(page.evaluate(script))

"""The page is opened in a browser with a window, and without one nothing fails."""

import threading
import webbrowser

import pytest

from cli.browser import open_page

URL = "http://127.0.0.1:8000/jobs"


class Window(webbrowser.BaseBrowser):
    """A browser with a window, which notes what it opens."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.is_open = threading.Event()

    def open(self, url: str, *_args: object, **_options: object) -> bool:
        self.opened.append(url)
        self.is_open.set()
        return True


def test_a_window_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    window = Window()
    monkeypatch.setattr(webbrowser, "get", lambda: window)
    assert open_page(URL)
    assert window.is_open.wait(30)
    assert window.opened == [URL]


def test_without_a_browser_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", fail)
    assert not open_page(URL)


@pytest.mark.parametrize(("variable", "is_opened"), [("", False), ("true", True)])
def test_a_browser_in_the_terminal_must_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, variable: str, is_opened: bool
) -> None:
    monkeypatch.setenv("BROWSER", variable)
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("true"))
    assert open_page(URL) is is_opened

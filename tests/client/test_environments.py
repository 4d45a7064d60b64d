"""Environments of pinned packages: made once, made again when cut off, and a failure that says
what is needed.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.client.driver.calls import CALLS, OFFLINE_CALLS
from tests.client.environments import MAJORS, PINS, EnvironmentNotMade, interpreter

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"


@pytest.fixture
def no_pins(tmp_path: Path) -> Path:
    pins = tmp_path / "nothing.txt"
    pins.write_text("# no package\n")
    return pins


def test_it_is_made_once_however_many_ask(no_pins: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        pythons = set(pool.map(lambda _: interpreter(no_pins, tmp_path), range(3)))
    assert len(pythons) == 1
    folder = pythons.pop().parents[1]
    made = folder.stat().st_ino, (folder / "made").stat().st_mtime_ns
    assert interpreter(no_pins, tmp_path).is_file()
    assert (folder.stat().st_ino, (folder / "made").stat().st_mtime_ns) == made


def test_what_was_cut_off_is_made_again(no_pins: Path, tmp_path: Path) -> None:
    folder = interpreter(no_pins, tmp_path).parents[1]
    (folder / "made").unlink()
    (folder / "left").touch()
    assert interpreter(no_pins, tmp_path).is_file()
    assert (folder / "made").exists()
    assert not (folder / "left").exists()


def test_other_pins_make_another(no_pins: Path, tmp_path: Path) -> None:
    first = interpreter(no_pins, tmp_path)
    no_pins.write_text("# still none\n")
    assert interpreter(no_pins, tmp_path) != first


def test_what_pip_cannot_fetch_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    pins = tmp_path / "missing.txt"
    pins.write_text("openai==1.109.1\n")
    for _ in range(2):  # a failure is not taken for an environment
        with pytest.raises(
            EnvironmentNotMade, match=r"need a package index(.|\n)*openai==1\.109\.1"
        ):
            interpreter(pins, tmp_path / "cache")


def test_the_page_names_every_call_and_the_pinned_versions() -> None:
    page = PAGE.read_text()
    assert [name for name in (*CALLS, *OFFLINE_CALLS) if f"`{name}`" not in page] == []
    for major in MAJORS:
        (version,) = [
            line
            for line in (PINS / f"openai-{major}.txt").read_text().splitlines()
            if "openai==" in line
        ]
        assert version.removeprefix("openai==") in page

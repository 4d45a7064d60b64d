"""Environments of pinned packages: created once, repaired, and clear failures."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.client.driver.calls import CALLS, OFFLINE_CALLS
from tests.client.environments import MAJORS, PINS, EnvironmentFailed, create_environment

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"


@pytest.fixture
def no_pins(tmp_path: Path) -> Path:
    pins = tmp_path / "nothing.txt"
    pins.write_text("# no package\n")
    return pins


def test_concurrent_calls_create_one_environment(no_pins: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        pythons = set(pool.map(lambda _: create_environment(no_pins, tmp_path), range(3)))
    assert len(pythons) == 1
    folder = pythons.pop().parents[1]
    created = folder.stat().st_ino, (folder / "made").stat().st_mtime_ns
    assert create_environment(no_pins, tmp_path).is_file()
    assert (folder.stat().st_ino, (folder / "made").stat().st_mtime_ns) == created


def test_an_interrupted_environment_is_created_again(no_pins: Path, tmp_path: Path) -> None:
    folder = create_environment(no_pins, tmp_path).parents[1]
    (folder / "made").unlink()
    (folder / "left").touch()
    assert create_environment(no_pins, tmp_path).is_file()
    assert (folder / "made").exists()
    assert not (folder / "left").exists()


def test_other_pins_get_another_environment(no_pins: Path, tmp_path: Path) -> None:
    first = create_environment(no_pins, tmp_path)
    no_pins.write_text("# still none\n")
    assert create_environment(no_pins, tmp_path) != first


def test_a_failure_of_pip_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    pins = tmp_path / "missing.txt"
    pins.write_text("openai==1.109.1\n")
    for _ in range(2):  # the first failure leaves no environment behind
        with pytest.raises(
            EnvironmentFailed, match=r"need a package index(.|\n)*openai==1\.109\.1"
        ):
            create_environment(pins, tmp_path / "cache")


def test_the_documentation_names_every_call_and_version() -> None:
    page = PAGE.read_text()
    assert [name for name in (*CALLS, *OFFLINE_CALLS) if f"`{name}`" not in page] == []
    for major in MAJORS:
        (version,) = [
            line
            for line in (PINS / f"openai-{major}.txt").read_text().splitlines()
            if "openai==" in line
        ]
        assert version.removeprefix("openai==") in page

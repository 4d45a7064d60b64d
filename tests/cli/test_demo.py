"""The demo with its real encoder: a few steps here, its full size in the long tests."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import demo
from cli.job_request import TrainOptions
from tests.cli.stack import evenkeel

pytestmark = pytest.mark.real_encoder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder; the demo's signal handler is removed afterwards."""
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, before)


def interrupt() -> None:
    """Do what Ctrl-C does."""
    raise KeyboardInterrupt


def test_a_small_demo_lets_pilots_choose_and_writes_the_report(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = [
        TrainOptions(preset=preset, seeds=2, max_steps="2", batch_size=4)
        for preset in ("conventional", "stabilized")
    ]
    monkeypatch.setattr(demo, "RECIPE_OPTIONS", small)
    monkeypatch.setattr(demo, "ROW_COUNT", 60)
    monkeypatch.setattr(signal, "pause", interrupt)
    assert demo.run_demo(None, stays=True) == 0
    output = capsys.readouterr().out
    for expected in (
        "recipe stabilized: pilots choose pooling, reinit_layers and learning_rate first",
        "Pilots are short runs with seeds of their own.",
        "stabilized pilot 5: succeeded",
        "stabilized: pooling ",
        "conventional seed 0: succeeded",
        "stabilized seed 1: succeeded",
        "mean ± std",
        "Comparison: ",
        "The service runs on until Ctrl-C. The page: http://127.0.0.1:",
    ):
        assert expected in output
    page = (here / "demo-report.html").read_text(encoding="utf-8")
    assert "conventional" in page
    assert "stabilized" in page
    assert (here / "demo-report.png").read_bytes().startswith(b"\x89PNG")
    assert {file.name for file in here.iterdir()} == {"demo-report.html", "demo-report.png"}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_at_full_size(here: Path) -> None:
    done = evenkeel("demo", "--keep-home", str(here / "home"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (here / "demo-report.html").exists()
    assert (here / "home" / "evenkeel.db").exists()

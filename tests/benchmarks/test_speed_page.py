"""The page of speed is put together from the files of the benchmarks that were run so far."""

import json
from pathlib import Path

import pytest

from benchmarks.results import Result, Table
from benchmarks.speed_page import record_result, write_page


def result(name: str, milliseconds: str = "1.5") -> Result:
    table = Table(("side", "ms"), [("ours | theirs", milliseconds)], title="A step")
    return Result(
        name,
        f"On {name}",
        f"python -m benchmarks.{name}",
        ["What was measured."],
        [table],
        {"ms": [1.5]},
        ["A note."],
    )


def test_sections_come_in_the_order_of_the_page_and_a_new_measurement_takes_the_place_of_the_old(
    tmp_path: Path,
) -> None:
    for name in ("polling", "another", "train_cpu"):
        record_result(result(name), tmp_path)
    path = record_result(result("polling", "0.7"), tmp_path)
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["figures"] == {"ms": [1.5]}
    assert written["machine"]["torch"]
    page = (tmp_path / "speed.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## On train_cpu", "## On polling", "## On another"
    ]  # fmt: skip
    _, polling = page.split("## On polling")
    assert "| ours \\| theirs | 0.7 |" in polling.split("##")[0]
    assert "A note." in polling


def test_a_page_of_nothing_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no results"):
        write_page(tmp_path)

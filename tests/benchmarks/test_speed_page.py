"""The speed page is generated from the result files of the benchmarks."""

import json
from pathlib import Path

import pytest

from benchmarks.results import Result, Table
from benchmarks.speed_page import record_result, write_page


def make_result(name: str, milliseconds: str = "1.5") -> Result:
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


def test_sections_are_ordered_and_a_new_result_replaces_the_old_one(
    tmp_path: Path,
) -> None:
    for name in ("polling", "another", "train_cpu"):
        record_result(make_result(name), tmp_path)
    path = record_result(make_result("polling", "0.7"), tmp_path)
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


def test_a_page_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no results"):
        write_page(tmp_path)

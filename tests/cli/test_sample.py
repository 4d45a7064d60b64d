"""``evenkeel sample``: files that a job can be made of, always the same."""

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.errors import CliError
from cli.program import app
from cli.sample import SampleTask, write_sample


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


@pytest.mark.parametrize("task", SampleTask)
def test_rows_are_distinct_and_the_same_every_time(tmp_path: Path, task: SampleTask) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    for path in (first, second):
        write_sample(path, task, 5000, force=False)
    assert first.read_bytes() == second.read_bytes()
    header, *rows = read(first)
    assert len({row[0] for row in rows}) == len(rows) == 5000
    assert all(len(row) == len(header) and all(row) for row in rows)


def test_labels_are_balanced(tmp_path: Path) -> None:
    for task in (SampleTask.REVIEWS, SampleTask.PAIRS):
        write_sample(tmp_path / task, task, 200, force=False)
        labels = [row[-1] for row in read(tmp_path / task)[1:]]
        assert [labels.count(label) for label in set(labels)] == [100, 100]


def test_a_file_is_replaced_only_with_force(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("mine")
    refused = CliRunner().invoke(app, ["sample", str(path)])
    assert isinstance(refused.exception, CliError)
    assert "--force" in str(refused.exception)
    assert path.read_text() == "mine"
    done = CliRunner().invoke(app, ["sample", str(path), "--rows", "20", "--force"])
    assert done.exit_code == 0
    assert f"evenkeel train {path}" in done.output
    assert len(read(path)) == 21


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="cannot be written: No such file"):
        write_sample(tmp_path / "none" / "a.csv", SampleTask.REVIEWS, 10, force=False)

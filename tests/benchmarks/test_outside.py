"""Outside programs: what they are given, how they are scored, and how an interruption ends."""

import io
import json
import math
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.contenders.outside import (
    PROGRAMS,
    OutsideProgram,
    OutsideRunner,
    build_outside_record,
    score_predictions,
)
from benchmarks.contenders.records import RecordStore
from benchmarks.data_sets.rows import PreparedData, read_rows
from tests.benchmarks.contest import TEST_ROWS, prepare_reviews
from tests.encoders import build_bert_folder

FAKE = """
import csv, json, os, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
with open(given["--texts"], newline="") as stream:
    texts = list(csv.DictReader(stream))
assert [list(text) for text in texts] == [["text"]] * len(texts), texts
with open(given["--train"], newline="") as stream:
    assert {row["label"] for row in csv.DictReader(stream)} == {"good", "bad"}
assert "OMP_NUM_THREADS" not in os.environ
if os.path.exists(os.path.join(given["--model"], "fail")):
    sys.exit("this went wrong on purpose")
good = ("good", "joy", "delight", "lovely", "warm", "care")
answers = ["good" if set(good) & set(text["text"].split()) else "bad" for text in texts]
with open(given["--output"], "w") as stream:
    json.dump({"predictions": answers, "steps": 7, "versions": {"fake": "1"}}, stream)
"""


@pytest.fixture
def data(tmp_path: Path) -> PreparedData:
    return prepare_reviews(tmp_path / "data")


@pytest.fixture
def program(tmp_path: Path) -> OutsideProgram:
    script = tmp_path / "fake.py"
    script.write_text(FAKE)
    return OutsideProgram("trainer", script, "json", supports_regression=False)


@pytest.fixture
def runner(tmp_path: Path) -> OutsideRunner:
    build_bert_folder(tmp_path / "models" / "tiny-bert")
    return OutsideRunner(
        sys.executable,
        RecordStore(tmp_path / "home"),
        Console(file=io.StringIO()),
        (tmp_path / "models",),
    )


def test_a_program_sees_no_label_of_the_test_rows_and_continues_where_it_stopped(
    data: PreparedData, program: OutsideProgram, runner: OutsideRunner
) -> None:
    plan = build_outside_record(program, data, "tiny-bert", 1)
    first = runner.run_program(program, data, plan)
    assert (first.test_rows, first.scores, first.main_steps) == (TEST_ROWS, [1.0], 7)
    assert first.seconds is not None
    stored = runner.store.get("tiny-bert", data, "trainer")
    assert stored == first
    more = runner.run_program(program, data, first.model_copy(update={"planned_seeds": 3}))
    assert [seed.seed for seed in more.seeds] == [0, 1, 2]
    assert more.seeds[0] == first.seeds[0]
    assert more.main_steps == 21
    assert more.seconds is not None
    assert more.seconds > first.seconds


def test_a_program_that_fails_ends_the_benchmark_with_its_last_lines(
    tmp_path: Path, data: PreparedData, program: OutsideProgram, runner: OutsideRunner
) -> None:
    (tmp_path / "models" / "tiny-bert" / "fail").touch()
    with pytest.raises(SystemExit, match=r"ended with code 1(.|\n)*went wrong on purpose"):
        runner.run_program(program, data, build_outside_record(program, data, "tiny-bert", 1))
    assert runner.store.get("tiny-bert", data, "trainer") is None


def test_a_program_without_regression_is_left_out_with_the_reason(
    tmp_path: Path, program: OutsideProgram, runner: OutsideRunner
) -> None:
    data = prepare_reviews(tmp_path / "numbers", is_regression=True)
    record = runner.run_program(program, data, build_outside_record(program, data, "tiny-bert", 2))
    assert record.skipped == "it has no regression"
    assert record.is_complete
    assert not record.seeds


def test_missing_packages_are_noticed(runner: OutsideRunner) -> None:
    assert runner.has_packages(OutsideProgram("trainer", Path("x"), "json"))
    assert not runner.has_packages(OutsideProgram("trainer", Path("x"), "no_such_module"))


def test_predictions_are_scored_by_the_metric_of_the_data(
    tmp_path: Path, data: PreparedData
) -> None:
    test = read_rows(data.test)
    wrong_once = [row.label for row in test]
    wrong_once[3] = "good" if wrong_once[3] == "bad" else "bad"
    assert score_predictions(data, test, wrong_once) == pytest.approx(1 - 1 / TEST_ROWS)
    with pytest.raises(ValueError, match="1 predictions for 24 rows"):
        score_predictions(data, test, ["good"])
    numbers = prepare_reviews(tmp_path / "numbers", is_regression=True)
    rows = read_rows(numbers.test)
    opposite = [-3 * float(row.label) for row in rows]
    assert score_predictions(numbers, rows, opposite) == pytest.approx(-1)


@pytest.mark.server
@pytest.mark.parametrize("is_regression", [False, True])
def test_the_trainer_script_learns(
    tmp_path: Path, runner: OutsideRunner, *, is_regression: bool
) -> None:
    if find_spec("accelerate") is None:
        pytest.skip("needs the extra `outside`")
    data, program = prepare_reviews(tmp_path, is_regression=is_regression), PROGRAMS["trainer"]
    record = runner.run_program(program, data, build_outside_record(program, data, "tiny-bert", 1))
    assert record.main_steps == 3 * math.ceil(data.rows / 8)
    [score] = record.scores
    assert -1 <= score <= 1
    assert "transformers" in record.versions
    assert json.loads(record.model_dump_json())["seeds"][0]["score"] == score


@pytest.mark.server
def test_the_setfit_script_learns(data: PreparedData, runner: OutsideRunner) -> None:
    program = PROGRAMS["setfit"]
    if not runner.has_packages(program):
        pytest.skip("needs the extra `outside`")
    record = runner.run_program(program, data, build_outside_record(program, data, "tiny-bert", 1))
    assert record.main_steps > 0
    assert record.scores
    assert set(record.versions) == {"torch", "setfit", "sentence-transformers"}

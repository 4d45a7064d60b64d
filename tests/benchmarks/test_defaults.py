"""The command of the benchmark of defaults, with a made-up outside program."""

from pathlib import Path

import pytest

from benchmarks import defaults
from benchmarks.contenders.outside import OutsideProgram
from benchmarks.contenders.records import RecordStore
from benchmarks.data_sets.rows import read_rows

COUNTING = """
import csv, json, pathlib, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
calls = pathlib.Path(__file__).with_suffix(".calls")
with calls.open("a") as stream:
    stream.write(given["--seed"] + "\\n")
with open(given["--texts"], newline="") as stream:
    texts = list(csv.DictReader(stream))
answer = {"predictions": ["network"] * len(texts), "steps": 1, "versions": {}}
pathlib.Path(given["--output"]).write_text(json.dumps(answer))
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File of the seeds that the program was called with; it stands in for Trainer."""
    script = tmp_path / "counting.py"
    script.write_text(COUNTING)
    program = OutsideProgram("trainer", script, "json")
    monkeypatch.setattr(defaults, "PROGRAMS", {"trainer": program})
    return script.with_suffix(".calls")


@pytest.mark.server
@pytest.mark.real_encoder
def test_what_is_done_is_not_done_again(
    tmp_path: Path, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    command = [
        *("--home", str(home), "--data", "docstrings", "--rows", "20", "5000"),
        *("--contenders", "trainer"),
    ]
    defaults.main([*command, "--seeds", "2"])
    assert (
        "docstrings-5000 is left out: docstrings has 300 training rows" in capsys.readouterr().out
    )
    defaults.main([*command, "--seeds", "2"])
    assert calls.read_text().split() == ["0", "1"]
    defaults.main([*command, "--seeds", "3"])
    assert calls.read_text().split() == ["0", "1", "2"]
    [record] = RecordStore(home).iterate_all()
    assert [seed.seed for seed in record.seeds] == [0, 1, 2]
    test = read_rows(home / "data" / "docstrings-20" / "test.csv")
    share = sum(row.label == "network" for row in test) / len(test)
    assert record.scores == pytest.approx([share] * 3)
    defaults.main([*command, "--seeds", "1", "--redo"])
    assert calls.read_text().split() == ["0", "1", "2", "0"]


def test_a_program_without_its_packages_leaves_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = OutsideProgram("trainer", tmp_path / "x.py", "no_such_module")
    monkeypatch.setattr(defaults, "PROGRAMS", {"trainer": program})
    home = ["--home", str(tmp_path), "--data", "docstrings", "--rows", "20"]
    defaults.main([*home, "--contenders", "trainer"])
    assert "trainer is left out" in capsys.readouterr().out
    assert list(RecordStore(tmp_path).iterate_all()) == []


def test_glue_is_left_out_by_default_where_it_is_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EVENKEEL_GLUE_DIR", raising=False)
    without = defaults.parse_arguments(["--home", str(tmp_path)])
    assert "CoLA" not in without.data_sets
    assert "signatures" in without.data_sets
    monkeypatch.setenv("EVENKEEL_GLUE_DIR", str(tmp_path))
    assert "CoLA" in defaults.parse_arguments(["--home", str(tmp_path)]).data_sets

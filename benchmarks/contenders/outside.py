"""Contenders from outside: other libraries, each in a program of its own on the same rows."""

import csv
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from benchmarks.contenders.records import Record, RecordStore, SeedScore
from benchmarks.data_sets.rows import PreparedData, Row, read_rows
from benchmarks.results import describe_machine
from shared.domain.task import Label, Task, TaskType
from shared.encoders.catalogue import Catalogue
from shared.infra.child_process import describe_exit_code, make_parent_death_hook
from shared.metrics import Scoring

SCRIPTS = Path(__file__).parent
MAX_SEQ_LENGTH = 128  # of the task that scores are computed for; no text is cut by it
LAST_LINES = 15


@dataclass(frozen=True)
class OutsideProgram:
    """A script that trains on a file and predicts texts it has no labels of."""

    contender: str
    script: Path
    needs: str
    """Module without which it cannot run."""
    supports_regression: bool = True


class Prediction(NamedTuple):
    """What a program has answered."""

    predictions: Sequence[str | float]
    steps: int
    versions: Mapping[str, str]
    seconds: float


PROGRAMS = {
    program.contender: program
    for program in (
        OutsideProgram("trainer", SCRIPTS / "trainer_script.py", "accelerate"),
        OutsideProgram("setfit", SCRIPTS / "setfit_script.py", "setfit", supports_regression=False),
    )
}


@dataclass(frozen=True)
class OutsideRunner:
    """Runs outside programs with a Python interpreter that has their packages."""

    python: str
    store: RecordStore
    console: Console
    model_folders: tuple[Path, ...] = ()

    def has_packages(self, program: OutsideProgram) -> bool:
        """Whether the interpreter can import what the program needs."""
        command = [self.python, "-c", f"import {program.needs}"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def run_program(self, program: OutsideProgram, data: PreparedData, plan: Record) -> Record:
        """Train the missing seeds of the plan, storing the record after each of them."""
        if data.data_set.is_regression and not program.supports_regression:
            return plan.model_copy(update={"skipped": "it has no regression"})
        record, test = plan, read_rows(data.test)
        for seed in range(len(record.seeds), record.planned_seeds):
            answer = self._train_seed(program, data, record.model, seed)
            score = score_predictions(data, test, answer.predictions)
            self.console.print(f"{data.key} {program.contender} seed {seed}: {score}")
            record = _add_seed(record, seed, score, answer)
            self.store.put(record)
        return record

    def _train_seed(
        self, program: OutsideProgram, data: PreparedData, model: str, seed: int
    ) -> Prediction:
        with tempfile.TemporaryDirectory() as folder:
            texts, output = Path(folder) / "texts.csv", Path(folder) / "result.json"
            hide_labels(data.test, texts)
            command = [
                *(self.python, str(program.script), "--train", str(data.train)),
                *("--texts", str(texts), "--model", str(self._find_model(model))),
                *("--seed", str(seed), "--output", str(output)),
                *(["--regression"] if data.data_set.is_regression else []),
            ]
            began = time.monotonic()
            _run_child(command, Path(folder))
            seconds = time.monotonic() - began
            return Prediction(**json.loads(output.read_text(encoding="utf-8")), seconds=seconds)

    def _find_model(self, model: str) -> Path:
        return Catalogue(self.model_folders).get_folder(model)


def build_outside_record(
    program: OutsideProgram, data: PreparedData, model: str, seeds: int
) -> Record:
    """Build the record of a program that has not begun."""
    return Record(
        contender=program.contender,
        model=model,
        data_set=data.data_set.name,
        rows=data.rows,
        metric=data.data_set.metric,
        test_rows=len(read_rows(data.test)),
        planned_seeds=seeds,
        machine=describe_machine(),
    )


def score_predictions(
    data: PreparedData, test: Sequence[Row], predictions: Sequence[str | float]
) -> float | None:
    """Score predictions of the test rows as the service does.

    Raises ValueError if they are not one for each row.
    """
    if len(predictions) != len(test):
        raise ValueError(f"{len(predictions)} predictions for {len(test)} rows")
    names = sorted({row.label for row in (*read_rows(data.train), *test)})
    is_regression = data.data_set.is_regression
    task = Task(
        type=TaskType.REGRESSION if is_regression else TaskType.SINGLE_LABEL,
        text_column="text",
        text_pair_column="text_pair" if data.data_set.is_pair else None,
        label_column="label",
        header=True,
        label_names=[] if is_regression else names,
        positive_label=names[1] if len(names) == 2 and not is_regression else None,
        max_seq_length=MAX_SEQ_LENGTH,
    )

    def read_label(label: str | float) -> Label:
        return float(label) if is_regression else names.index(str(label))

    scores = Scoring(task, data.data_set.metric).compute_scores(
        [read_label(row.label) for row in test], [read_label(one) for one in predictions]
    )
    return scores[data.data_set.metric]


def hide_labels(source: Path, target: Path) -> None:
    """Copy a file of rows without the label column, which is its last."""
    with source.open(encoding="utf-8", newline="") as stream:
        rows = [row[:-1] for row in csv.reader(stream)]
    with target.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def _add_seed(record: Record, seed: int, score: float | None, answer: Prediction) -> Record:
    scored = SeedScore(seed=seed, score=score, seconds=answer.seconds, steps=answer.steps)
    return record.model_copy(
        update={
            "seeds": [*record.seeds, scored],
            "seconds": (record.seconds or 0.0) + answer.seconds,
            "main_steps": record.main_steps + answer.steps,
            "versions": {"torch": version("torch"), **answer.versions},
        }
    )


def _run_child(command: Sequence[str], scratch: Path) -> None:
    """Run a program without the network and this process's thread limits.

    Raises SystemExit with its last lines if it fails.
    """
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    log = scratch / "log.txt"
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=scratch,
            env=environment | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
            preexec_fn=make_parent_death_hook(),
        )
        try:
            code = child.wait()
        finally:
            child.kill()
            child.wait()
    if code != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        raise SystemExit("\n".join([f"{command[1]} {describe_exit_code(code)}.", *lines]))

"""Measure ``recipe.head_first`` with the real small encoder:
``python -m benchmarks.head_first --home DIR``.

Each case is trained with the head drawn and with the head fitted first, everything else equal: the
preset ``longer`` at its own rate and, without ``--max-steps``, its own length. Held-out rows are
halved within each class into validation and test; the test score is that of the checkpoint that
validation chose. Finished runs are kept in ``--home``, so the same command continues an interrupted
measurement. It writes ``head_first.json`` and ``head_first.md`` in ``docs/results``, with the cases
whose runs are all there.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.glue import TASKS, get_glue_folder, write_subset
from benchmarks.head_first_page import CaseScores, RunScores, write_page
from shared.datasets.sample_dataset import write_dataset
from shared.domain.task import SplitRequest, Task, TaskType
from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue
from shared.recipe import Precision, Recipe, RecipeRequest, resolve_recipe
from shared.recipe.schedule import list_evaluation_steps
from worker.training.data.tokenization import TextCache
from worker.training.events import Evaluation, Finished
from worker.training.run import train_run
from worker.training.spec import DataFile, RunSpec

GLUE_ROWS, DOCSTRING_ROWS = 1000, 400
EVAL_POINTS = 4


@dataclass(frozen=True)
class MeasurementPlan:
    """The size of the measurement."""

    home: Path
    seeds: int
    precision: Precision
    max_steps: int | None

    def locate_scores(self, case: str, seed: int, *, head_first: bool) -> Path:
        """Return the file of a finished run's scores."""
        head = "fitted" if head_first else "drawn"
        length = f"{self.max_steps or 'auto'} steps"
        return self.home / f"{case}, {self.precision}, {length}, {head}, seed {seed}.json"

    def build_recipe(self, settings: dict[str, Any], *, head_first: bool) -> Recipe:
        """Resolve the recipe as a job's."""
        request = {
            "preset": "longer",
            "precision": self.precision,
            "max_steps": self.max_steps,
            "eval_points": EVAL_POINTS,
            "head_first": head_first,
        }
        return resolve_recipe(
            RecipeRequest.model_validate(request | settings),
            Catalogue().get_facts(OFFLINE_ENCODER),
            train_rows=GLUE_ROWS,  # the docstrings are fewer, and the automatic length the same
        ).recipe

    def format_command(self) -> str:
        """Return the command that repeats this measurement."""
        options = f" --max-steps {self.max_steps}" if self.max_steps else ""
        return (
            "EVENKEEL_GLUE_DIR=… python -m benchmarks.head_first --home DIR "
            f"--seeds {self.seeds} --precision {self.precision}{options}"
        )


@dataclass(frozen=True)
class Case:
    """A data set with settings of the head."""

    name: str
    data: str
    """A task of GLUE, or ``docstrings``: the rows of ``evenkeel demo``."""
    task: Task
    metric: str
    settings: dict[str, Any]
    """Settings of the recipe."""

    def write_files(self, folder: Path) -> tuple[DataFile, DataFile | None]:
        """Write the training rows; return them and the file of held-out rows, if there is one."""
        if self.data == "docstrings":
            path = folder / "docstrings.csv"
            write_dataset(path, DOCSTRING_ROWS)
            return _describe_file(path), None
        path = write_subset(get_glue_folder(), TASKS[self.data], GLUE_ROWS, folder)
        return _describe_file(path), _describe_file(get_glue_folder() / self.data / "dev.tsv")

    @property
    def split(self) -> SplitRequest:
        if self.data == "docstrings":
            return SplitRequest(validation_fraction=0.15, test_fraction=0.15)
        return SplitRequest(halve_validation=True)


def _describe_file(path: Path) -> DataFile:
    return DataFile(path=path, filename=path.name)


def _build_task(**settings: Any) -> Task:
    values: dict[str, Any] = {
        "type": TaskType.SINGLE_LABEL,
        "text_pair_column": None,
        "header": True,
        "label_names": [],
        "positive_label": None,
        "max_seq_length": 128,
    }
    return Task.model_validate(values | settings)


COLA = _build_task(
    text_column=3, label_column=1, header=False, label_names=["0", "1"], positive_label="1"
)
STS_B = _build_task(
    type=TaskType.REGRESSION,
    text_column="sentence1",
    text_pair_column="sentence2",
    label_column="score",
)
DOCSTRINGS = _build_task(
    text_column="text",
    label_column="label",
    label_names=["concurrency", "files", "network", "text"],
)
CASES = {
    case.name: case
    for case in (
        Case("CoLA", "CoLA", COLA, "mcc", {}),
        Case("docstrings", "docstrings", DOCSTRINGS, "accuracy", {}),
        Case("STS-B, separate", "STS-B", STS_B, "pearson", {"pair_encoding": "separate"}),
    )
}


def main() -> None:
    """Train what is missing, then write the page of the cases that are complete."""
    plan, cases = _parse_arguments()
    plan.home.mkdir(parents=True, exist_ok=True)
    for name in cases:
        for seed in range(plan.seeds):
            for head_first in (False, True):
                _measure_run(plan, CASES[name], seed, head_first=head_first)
    write_page(
        plan.format_command(),
        plan.build_recipe({}, head_first=True),
        {name: _load_case(plan, name) for name in CASES},
    )


def _load_case(plan: MeasurementPlan, name: str) -> CaseScores | None:
    """Return the scores of the drawn and of the fitted heads; None if runs are missing."""
    drawn, fitted = (
        [plan.locate_scores(name, seed, head_first=head_first) for seed in range(plan.seeds)]
        for head_first in (False, True)
    )
    if not all(path.exists() for path in (*drawn, *fitted)):
        return None
    return CaseScores(drawn=_load_scores(drawn), fitted=_load_scores(fitted))


def _load_scores(paths: Sequence[Path]) -> list[RunScores]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def _measure_run(plan: MeasurementPlan, case: Case, seed: int, *, head_first: bool) -> None:
    """Train one run and write its scores, unless they exist."""
    path = plan.locate_scores(case.name, seed, head_first=head_first)
    if path.exists():
        return
    training, validation = case.write_files(plan.home)
    output = plan.home / path.stem
    shutil.rmtree(output, ignore_errors=True)  # what an interrupted measurement has left
    output.mkdir()
    spec = RunSpec(
        run_id=path.stem,
        base_model=Catalogue().get_folder(OFFLINE_ENCODER),
        task=case.task,
        metric=case.metric,
        training_file=training,
        validation_file=validation,
        split=case.split,
        recipe=plan.build_recipe(case.settings, head_first=head_first),
        init_seed=seed,
        data_seed=seed,
        threads=1,
        device="cpu",
        output=output,
    )
    scores = _train(spec)
    path.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(output)
    Console().print(path.stem, scores)


def _train(spec: RunSpec) -> RunScores:
    events = list(train_run(spec, lambda: False, TextCache()))
    # a fitted head is also evaluated after step 1, a drawn one is not
    first_step = list_evaluation_steps(spec.recipe.max_steps, spec.recipe.eval_points)[0]
    finished = events[-1]
    assert isinstance(finished, Finished), "nothing stops or pauses the run"
    fit = finished.evidence.head_fit
    return RunScores(
        first=next(
            event.score
            for event in events
            if isinstance(event, Evaluation) and event.step == first_step
        ),
        best_step=finished.best_step,
        validation=finished.validation.score,
        test=None if finished.test is None else finished.test.score,
        degenerate=finished.degenerate,
        head_fit=None if fit is None else fit.model_dump(),
    )


def _parse_arguments() -> tuple[MeasurementPlan, list[str]]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True, help="folder of finished runs; kept")
    parser.add_argument("--seeds", type=int, default=3, help="runs per head (default 3)")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--max-steps", type=int, help="default: the automatic length")
    given = parser.parse_args()
    return MeasurementPlan(given.home, given.seeds, given.precision, given.max_steps), given.cases


if __name__ == "__main__":
    main()

"""Compare the default job with what else one could do on small data:
``python -m benchmarks.defaults --home DIR``.

Every data set is cut to several sizes. Each contender trains on the same rows with the same seeds
and is scored on test rows that it sees without labels. Jobs go through the service; outside
programs (``transformers.Trainer``, SetFit) run as child processes, by an interpreter that has their
packages (``--outside-python``). The home is kept: the same command continues an interrupted
measurement and skips what is done; more ``--seeds`` extend it. ``python -m
benchmarks.defaults_page --home DIR`` writes the page from what is there, finished or not.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.contenders.grid import run_grid
from benchmarks.contenders.jobs import JobPlan, JobRunner, run_recipe
from benchmarks.contenders.outside import PROGRAMS, OutsideRunner, build_outside_record
from benchmarks.contenders.records import Record, RecordStore
from benchmarks.contenders.service import run_job_service
from benchmarks.data_sets.catalogue import DATA_SETS
from benchmarks.data_sets.rows import SIZES, NotEnoughRows, PreparedData, prepare_data
from benchmarks.glue import has_glue_folder
from shared.encoders.catalogue import OFFLINE_ENCODER

RECIPES: dict[str, dict[str, str]] = {
    "conventional": {"preset": "conventional"},
    "conventional_own_rate": {"preset": "conventional", "learning_rate": "auto"},
    "default": {},
}
"""What a job of each contender sets."""
JOB_CONTENDERS = (*RECIPES, "grid")
CONTENDERS = (*JOB_CONTENDERS, *PROGRAMS)
SEEDS = 5


@dataclass(frozen=True)
class StudyOptions:
    """What is to be measured."""

    home: Path
    data_sets: tuple[str, ...]
    sizes: tuple[int, ...]
    contenders: tuple[str, ...]
    seeds: int
    model: str
    model_folders: tuple[Path, ...]
    outside_python: str
    redo: bool

    @property
    def has_jobs(self) -> bool:
        return not set(self.contenders).isdisjoint(JOB_CONTENDERS)


class Study:
    """The contenders of one home, measured cell by cell."""

    def __init__(self, options: StudyOptions, jobs: JobRunner | None, console: Console) -> None:
        self._options, self._jobs, self._console = options, jobs, console
        self._store = RecordStore(options.home)
        self._outside = OutsideRunner(
            options.outside_python, self._store, console, options.model_folders
        )

    def measure_cell(self, data: PreparedData) -> None:
        """Measure what is missing in the cell of this data, and store each record."""
        for contender in self._options.contenders:
            if self._options.redo:
                self._discard_record(contender, data)
            known = self._store.get(self._options.model, data, contender)
            if known is not None and len(known.seeds) >= self._options.seeds:
                continue
            record = self._measure_contender(contender, data, known)
            if record is not None:
                self._store.put(record)
                self._console.print(f"{data.key} {contender}: {format_scores(record)}")

    def _measure_contender(
        self, contender: str, data: PreparedData, known: Record | None
    ) -> Record | None:
        """Return the record; None if the contender's packages are not installed."""
        if contender in PROGRAMS:
            return self._measure_program(contender, data, known)
        assert self._jobs is not None  # the service runs whenever jobs are asked for
        model, seeds = self._options.model, self._options.seeds
        if contender == "grid":
            return run_grid(self._jobs, data, model, seeds, known)
        return run_recipe(self._jobs, JobPlan(contender, data, model, seeds, RECIPES[contender]))

    def _measure_program(
        self, contender: str, data: PreparedData, known: Record | None
    ) -> Record | None:
        program, seeds = PROGRAMS[contender], self._options.seeds
        if not self._outside.has_packages(program):
            self._console.print(
                f"{contender} is left out: {self._options.outside_python} has no "
                f"{program.needs}. Install the extra `outside` and set --outside-python."
            )
            return None
        plan = build_outside_record(program, data, self._options.model, seeds)
        begun = known and known.model_copy(update={"planned_seeds": seeds, "skipped": None})
        return self._outside.run_program(program, data, begun or plan)

    def _discard_record(self, contender: str, data: PreparedData) -> None:
        self._store.delete(self._options.model, data, contender)
        if contender in JOB_CONTENDERS and self._jobs is not None:
            self._jobs.delete_jobs(JobPlan(contender, data, self._options.model, 1))


def format_scores(record: Record) -> str:
    """Format the scores of a record as a line of output."""
    if record.skipped is not None:
        return f"left out: {record.skipped}"
    scores = " ".join(f"{score:.3f}" for score in record.scores)
    return f"{record.metric} {scores} in {record.seconds or 0:.0f} s"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every cell that is asked for and not yet done."""
    options = parse_arguments(argv)
    # SystemExit stops the service and the children in order
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = Console(soft_wrap=True, highlight=False)
    with _provide_jobs(options, console) as jobs:
        study = Study(options, jobs, console)
        for data in iterate_data(options, console.print):
            study.measure_cell(data)
    console.print(f"Write the page: python -m benchmarks.defaults_page --home {options.home}")


def _provide_jobs(
    options: StudyOptions, console: Console
) -> AbstractContextManager[JobRunner | None]:
    """Run the service if jobs are asked for."""
    if not options.has_jobs:
        return nullcontext()
    return run_job_service(options.home, options.model_folders, console)


def iterate_data(
    options: StudyOptions, print_line: Callable[[str], object]
) -> Iterator[PreparedData]:
    """Prepare the data of each cell, small sizes first; report those that have too few rows."""
    for rows in options.sizes:
        for name in options.data_sets:
            try:
                yield prepare_data(DATA_SETS[name], rows, options.home / "data")
            except NotEnoughRows as error:
                print_line(f"{name}-{rows} is left out: {error}")


def parse_arguments(argv: Sequence[str] | None = None) -> StudyOptions:
    """Parse the command line; without GLUE data its data sets are left out."""
    available = [name for name, one in DATA_SETS.items() if not one.needs_glue or has_glue_folder()]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True, help="folder of everything; kept")
    parser.add_argument("--data", nargs="+", choices=DATA_SETS, default=available)
    parser.add_argument("--rows", nargs="+", type=int, default=SIZES, help="sizes (100 300 1000)")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"repetitions (default {SEEDS})")
    parser.add_argument("--model", default=OFFLINE_ENCODER)
    parser.add_argument("--model-dirs", nargs="+", type=Path, default=(), help="further encoders")
    parser.add_argument("--outside-python", default=sys.executable, help="has the extra `outside`")
    parser.add_argument("--redo", action="store_true", help="discard earlier results of these")
    given = parser.parse_args(argv)
    return StudyOptions(
        home=given.home.resolve(),
        data_sets=tuple(given.data),
        sizes=tuple(given.rows),
        contenders=tuple(given.contenders),
        seeds=given.seeds,
        model=given.model,
        model_folders=tuple(given.model_dirs),
        outside_python=given.outside_python,
        redo=given.redo,
    )


if __name__ == "__main__":
    main()

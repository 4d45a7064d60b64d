"""Compare many trainers of one thread with few of many threads:
``EVENKEEL_GLUE_DIR=… python -m benchmarks.slots``.

The same runs train on all cores without the service: in as many processes of one thread as
there are cores, and in fewer processes of more threads. The sides take turns, and every process
is warm. The setting ``threads: auto`` (``shared.infra.hardware.resolve_threads``) relies on the
result.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.direct import DirectRunner
from benchmarks.glue import TASKS, get_glue_folder, write_subset
from benchmarks.results import Result, Table
from benchmarks.speed_page import record_result
from benchmarks.trainer_commands import SpecValues, build_run_spec
from shared.db.tables import Job
from shared.domain.task import SplitRequest, Task
from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue
from shared.infra.settings import count_cpu_cores
from shared.recipe import Recipe, RecipeRequest, resolve_recipe

ROWS = 200
LABELS = {"CoLA": ["0", "1"], "RTE": ["entailment", "not_entailment"]}
COLUMNS = ("encoder", "texts", "trainers x threads", "seconds", "speed")


@dataclass(frozen=True)
class Case:
    """One encoder on texts of one task."""

    encoder: str
    task: str


CASES = (Case(OFFLINE_ENCODER, "CoLA"), Case(OFFLINE_ENCODER, "RTE"), Case("tiny", "CoLA"))
Seconds = Mapping[Case, Mapping[int, list[float]]]
"""Seconds of the counted rounds, by case and by threads per trainer."""


@dataclass(frozen=True)
class Workload:
    """The runs of one case: one per core, each of which keeps nothing."""

    case: Case
    base_model: Path
    data: Path
    steps: int

    def build_spec(self, seed: int, threads: int, output: Path) -> SpecValues:
        """Build the spec of one run."""
        job = Job(
            model=OFFLINE_ENCODER,
            task=_resolve_task(self.case.task),
            metric="accuracy",
            split=SplitRequest(),
            threads=threads,
            resolved_recipe=_resolve_recipe(self.steps),
        )
        spec = build_run_spec(job, seed, self.data, output / str(seed))
        return spec | {"base_model": str(self.base_model), "export": False}


def main() -> None:
    """Measure all cases on all sides in turn and record the result."""
    options = _parse_arguments()
    cores = count_cpu_cores()
    with tempfile.TemporaryDirectory(prefix="evenkeel-slots-") as temporary, ExitStack() as running:
        home = Path(temporary)
        workloads = [_create_workload(case, home, options.steps) for case in CASES]
        trainers = {
            threads: running.enter_context(DirectRunner(cores // threads))
            for threads in range(1, cores + 1)
            if cores % threads == 0
        }
        seconds = _measure_rounds(workloads, trainers, home / "output", options.rounds)
    record_result(_build_result(seconds, cores, options))


def _create_workload(case: Case, home: Path, steps: int) -> Workload:
    if case.encoder == "tiny":
        base_model = _create_tiny_encoder(home / "tiny")
    else:
        base_model = Catalogue().get_folder(case.encoder)
    data = write_subset(get_glue_folder(), TASKS[case.task], ROWS, home / "data")
    return Workload(case, base_model, data, steps)


def _measure_rounds(
    workloads: Sequence[Workload], trainers: Mapping[int, DirectRunner], output: Path, rounds: int
) -> Seconds:
    seconds: dict[Case, dict[int, list[float]]] = {
        workload.case: {threads: [] for threads in trainers} for workload in workloads
    }
    cores = trainers[1].processes
    for number in range(rounds + 1):
        for place, workload in enumerate(workloads):
            for threads, runner in trainers.items():
                folder = output / f"{number}-{place}-{threads}"
                specs = [workload.build_spec(seed, threads, folder) for seed in range(cores)]
                taken, _ = runner.run(specs)
                if number > 0:  # the first round is the warm-up
                    seconds[workload.case][threads].append(taken)
    return seconds


def _resolve_task(name: str) -> Task:
    values = {
        "type": "single_label_classification",
        "text_pair_column": None,
        "positive_label": LABELS[name][1],
        "header": True,
        **TASKS[name].task,
        "label_names": LABELS[name],
        "max_seq_length": 128,
    }
    return Task.model_validate(values)


def _resolve_recipe(steps: int) -> Recipe:
    request = RecipeRequest.model_validate(
        {"preset": "debiased", "max_steps": steps, "eval_points": 1}
    )
    return resolve_recipe(request, Catalogue().get_facts(OFFLINE_ENCODER), ROWS).recipe


def _create_tiny_encoder(target: Path) -> Path:
    """Create an encoder of two random blocks of width 128.

    The duration of a step does not depend on the values of the weights.
    """
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    base = Catalogue().get_folder(OFFLINE_ENCODER)
    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=512,
    )
    BertModel(config).save_pretrained(target)
    tokenizer.save_pretrained(target)
    return target


def _build_result(seconds: Seconds, cores: int, options: argparse.Namespace) -> Result:
    return Result(
        name="slots",
        title="Trainers and threads",
        command="EVENKEEL_GLUE_DIR=… python -m benchmarks.slots",
        text=[
            f"{cores} runs of {options.steps} steps (batch 16, one evaluation, no export) on "
            f"texts cut to {ROWS} rows, in trainers x threads; medians of {options.rounds} "
            "rounds in turn. The last column is the speed relative to trainers of one thread: "
            "below 1, more threads are slower."
        ],
        tables=[Table(COLUMNS, list(_iterate_rows(seconds, cores)))],
        figures={"cores": cores, "seconds": _list_figures(seconds)},
    )


def _list_figures(seconds: Seconds) -> list[dict[str, object]]:
    return [
        {"encoder": case.encoder, "task": case.task, "threads": threads, "seconds": taken}
        for case, sides in seconds.items()
        for threads, taken in sides.items()
    ]


def _iterate_rows(seconds: Seconds, cores: int) -> Iterator[list[str]]:
    for case, sides in seconds.items():
        medians = {threads: statistics.median(taken) for threads, taken in sides.items()}
        for threads, median in medians.items():
            trainers = f"{cores // threads} x {threads}"
            speed = f"{medians[1] / median:.2f}x"
            yield [case.encoder, case.task, trainers, f"{median:.2f}", speed]


def _parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default 5)")
    parser.add_argument("--steps", type=int, default=20, help="steps of each run (default 20)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

"""Many trainers of one thread or one of many: ``EVENKEEL_GLUE_DIR=… python -m
benchmarks.slots``.

The same runs, on all cores, in as many processes of one thread as there are cores, and in fewer
of more threads; without the service. In turn, round by round, every process warm. What
``threads: auto`` rests on (``shared.infra.hardware.resolve_threads``).
"""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.direct import DirectRunner
from benchmarks.glue import TASKS, get_glue_folder, write_subset
from benchmarks.results import Result, Table
from benchmarks.speed_page import record_result
from benchmarks.trainer_commands import build_run_spec
from shared.db.tables import Job
from shared.domain.task import SplitRequest, Task
from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue
from shared.infra.settings import count_cpu_cores
from shared.recipe import Recipe, RecipeRequest, resolve_recipe

ROWS = 200
LABELS = {"CoLA": ["0", "1"], "RTE": ["entailment", "not_entailment"]}


@dataclass(frozen=True)
class Case:
    """One encoder on texts of one length."""

    encoder: str
    task: str


CASES = (Case(OFFLINE_ENCODER, "CoLA"), Case(OFFLINE_ENCODER, "RTE"), Case("tiny", "CoLA"))


def main() -> None:
    given = _parse_arguments()
    cores = count_cpu_cores()
    sides = [threads for threads in range(1, cores + 1) if cores % threads == 0]
    with tempfile.TemporaryDirectory(prefix="evenkeel-slots-") as temporary, ExitStack() as running:
        home = Path(temporary)
        bases = {
            OFFLINE_ENCODER: Catalogue().get_folder(OFFLINE_ENCODER),
            "tiny": _create_tiny_encoder(home / "tiny"),
        }
        trainers = {
            threads: running.enter_context(DirectRunner(cores // threads)) for threads in sides
        }
        seconds: dict[Case, dict[int, list[float]]] = {
            case: {threads: [] for threads in sides} for case in CASES
        }
        for number in range(given.rounds + 1):
            for case in CASES:
                data = write_subset(get_glue_folder(), TASKS[case.task], ROWS, home / "data")
                for threads in sides:
                    output = home / f"{number}-{case.encoder}-{case.task}-{threads}"
                    specs = [
                        _build_spec(case, bases, seed, threads, data, output, given.steps)
                        for seed in range(cores)
                    ]
                    taken, _ = trainers[threads].run(specs)
                    if number > 0:  # the first round is the warm-up
                        seconds[case][threads].append(taken)
    record_result(_build_result(seconds, cores, given))


def _build_spec(
    case: Case,
    bases: dict[str, Path],
    seed: int,
    threads: int,
    data: Path,
    output: Path,
    steps: int,
) -> dict[str, Any]:
    """A run that keeps nothing."""
    task = TASKS[case.task]
    full = {
        "type": "single_label_classification",
        "text_pair_column": None,
        "positive_label": LABELS[case.task][1],
        "header": True,
        "label_names": LABELS[case.task],
        "max_seq_length": 128,
    }
    job = Job(
        model=OFFLINE_ENCODER,
        task=Task.model_validate(full | task.task),
        metric="accuracy",
        split=SplitRequest(),
        threads=threads,
        resolved_recipe=_resolve_recipe(steps),
    )
    spec = build_run_spec(job, seed, data, output / str(seed))
    return spec | {"base_model": str(bases[case.encoder]), "export": False}


def _resolve_recipe(steps: int) -> Recipe:
    asked = RecipeRequest.model_validate(
        {"preset": "debiased", "max_steps": steps, "eval_points": 1}
    )
    return resolve_recipe(asked, Catalogue().get_facts(OFFLINE_ENCODER), ROWS).recipe


def _create_tiny_encoder(target: Path) -> Path:
    """Two blocks of width 128, drawn at random: what a step costs does not depend on its
    weights.
    """
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    tokenizer = AutoTokenizer.from_pretrained(
        Catalogue().get_folder(OFFLINE_ENCODER), local_files_only=True
    )
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


def _build_result(
    seconds: dict[Case, dict[int, list[float]]], cores: int, args: argparse.Namespace
) -> Result:
    rows = []
    for case, sides in seconds.items():
        medians = {threads: statistics.median(taken) for threads, taken in sides.items()}
        for threads, median in medians.items():
            ratio = medians[1] / median
            rows.append(
                [
                    case.encoder,
                    case.task,
                    f"{cores // threads} x {threads}",
                    f"{median:.2f}",
                    f"{ratio:.2f}x",
                ]
            )
    return Result(
        name="slots",
        title="Trainers and threads",
        command="EVENKEEL_GLUE_DIR=… python -m benchmarks.slots",
        text=[
            f"{cores} runs of {args.steps} steps (batch 16, one evaluation, no export) on "
            f"texts cut to {ROWS} rows, in trainers "
            f"x threads; medians of {args.rounds} rounds in turn. The last column is the "
            "speed against trainers of one thread: "
            "below 1, more threads lose.",
        ],
        tables=[Table(["encoder", "texts", "trainers x threads", "seconds", "speed"], rows)],
        figures={
            "cores": cores,
            "seconds": [
                {"encoder": case.encoder, "task": case.task, "threads": threads, "seconds": taken}
                for case, sides in seconds.items()
                for threads, taken in sides.items()
            ],
        },
    )


def _parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="of all sides (default 5)")
    parser.add_argument("--steps", type=int, default=20, help="of each run (default 20)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

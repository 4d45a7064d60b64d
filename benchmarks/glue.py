"""Tasks of the GLUE benchmark in their published format, cut to a number of training rows.

``EVENKEEL_GLUE_DIR`` names the folder, which holds ``<task>/train.tsv`` and ``<task>/dev.tsv``.
The data must not be committed.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER_VARIABLE = "EVENKEEL_GLUE_DIR"


@dataclass(frozen=True)
class GlueTask:
    """A task of GLUE and its training settings."""

    name: str
    task: dict[str, Any]
    """The field ``task`` of a job request."""
    metric: str
    """The metric that the paper reports."""
    header: bool = True


TASKS = {
    task.name: task
    for task in (
        GlueTask(
            "CoLA",
            {"header": False, "text_column": 3, "label_column": 1, "positive_label": "1"},
            "mcc",
            header=False,
        ),
        GlueTask(
            "RTE",
            {"text_column": "sentence1", "text_pair_column": "sentence2", "label_column": "label"},
            "accuracy",
        ),
        GlueTask(
            "STS-B",
            {
                "type": "regression",
                "text_column": "sentence1",
                "text_pair_column": "sentence2",
                "label_column": "score",
            },
            "pearson",
        ),
    )
}


def has_glue_folder() -> bool:
    """Whether the environment names an existing folder of the data."""
    named = os.environ.get(FOLDER_VARIABLE)
    return bool(named) and Path(str(named)).is_dir()


def get_glue_folder() -> Path:
    """Return the folder of the data; raises SystemExit if it is not set or does not exist."""
    if not has_glue_folder():
        raise SystemExit(
            f"Set {FOLDER_VARIABLE} to a folder with GLUE tasks: <task>/train.tsv and "
            "<task>/dev.tsv."
        )
    return Path(os.environ[FOLDER_VARIABLE])


def write_subset(source: Path, task: GlueTask, rows: int, target: Path) -> Path:
    """Write ``rows`` lines of the task's training file, chosen and ordered by a hash.

    The hash is that of a line's number and text. The lines are copied byte for byte, including
    unbalanced quotes. Returns the path of the new file.
    """
    lines = (source / task.name / "train.tsv").read_text(encoding="utf-8-sig").split("\n")
    head, body = (lines[:1], lines[1:]) if task.header else ([], lines)
    numbered = [(place, line) for place, line in enumerate(body) if line.strip()]
    if len(numbered) < rows:
        raise SystemExit(f"{task.name} has {len(numbered)} training rows, fewer than {rows}.")
    chosen = sorted(numbered, key=_hash_line)[:rows]
    target.mkdir(parents=True, exist_ok=True)
    cut = target / f"{task.name}-train-{rows}.tsv"
    cut.write_text("\n".join([*head, *(line for _, line in chosen)]) + "\n", encoding="utf-8")
    return cut


def _hash_line(numbered_line: tuple[int, str]) -> bytes:
    place, line = numbered_line
    return hashlib.sha256(f"{place}:{line}".encode()).digest()

"""A small data set and records for the tests of the benchmark of defaults."""

from pathlib import Path
from typing import Any

from benchmarks.contenders.records import Record, SeedScore
from benchmarks.data_sets.rows import DataSet, PreparedData, Row, RowPools, prepare_data
from tests.make import reviews

TRAIN_ROWS, TEST_ROWS = 60, 24


def prepare_reviews(folder: Path, *, is_regression: bool = False) -> PreparedData:
    """Prepare reviews that are easy to tell apart; in a regression their label is a number."""

    def load_pools() -> RowPools:
        rows = [
            Row(text, None, {"good": "2.5", "bad": "0.5"}[label] if is_regression else label)
            for text, label in reviews(TRAIN_ROWS + TEST_ROWS)
        ]
        return RowPools(rows[:TRAIN_ROWS], rows[TRAIN_ROWS:])

    metric = "pearson" if is_regression else "accuracy"
    made = DataSet("reviews", "…", metric, load_pools, is_regression=is_regression)
    return prepare_data(made, TRAIN_ROWS, folder)


def make_record(contender: str, scores: list[float], **changes: Any) -> Record:
    """Make a complete record of 300 rows of CoLA."""
    values: dict[str, Any] = {
        "contender": contender,
        "model": "tiny",
        "data_set": "CoLA",
        "rows": 300,
        "metric": "mcc",
        "test_rows": 500,
        "planned_seeds": len(scores),
        "seeds": [SeedScore(seed=seed, score=score) for seed, score in enumerate(scores)],
        "seconds": 12.0,
        "main_steps": 100,
        "machine": {"processor": "made up"},
    }
    return Record(**values | changes)

"""Measure how many texts per second the API classifies:
``EVENKEEL_GLUE_DIR=… python -m benchmarks.classifications``.

An API process in a temporary home has a job with one kept model per seed: all-MiniLM-L6-v2
with random heads, because the values of the weights do not change the speed. Sentences of CoLA
are classified over HTTP by one model and by an ensemble; torch checks one response.
"""

import argparse
import csv
import itertools
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from benchmarks.api_process import run_api
from benchmarks.glue import get_glue_folder
from benchmarks.published_models import publish_models
from benchmarks.results import Result, Table, format_verdict
from benchmarks.speed_page import publish_result
from shared.db.migrate import apply_migrations
from shared.infra.settings import count_cpu_cores
from worker.training.model.transformers_logging import silence_transformers

ENSEMBLE_SIZE, TEXTS_PER_REQUEST = 5, 500
ONE_MODEL = "one model"
GOALS = {ONE_MODEL: 150, f"ensemble of {ENSEMBLE_SIZE}": 50}
"""Texts per second on two cores."""
TOLERANCE = 1e-4
"""Largest difference between a probability of the API and torch's that counts as equal."""


@dataclass(frozen=True)
class Model:
    """A published model behind the API, and its files."""

    http: httpx.Client
    model_id: str
    folder: Path


def main() -> None:
    """Measure both sides in turn and publish the result."""
    options = _parse_arguments()
    texts = _read_sentences(options.texts)
    with (
        tempfile.TemporaryDirectory(prefix="evenkeel-classifications-") as scratch,
        ExitStack() as running,
    ):
        home = Path(scratch)
        database_url = f"sqlite:///{home / 'evenkeel.db'}"
        apply_migrations(database_url)
        base_url = f"http://127.0.0.1:{running.enter_context(run_api(home, database_url))}"
        http = httpx.Client(base_url=base_url, timeout=600, trust_env=False)
        running.enter_context(http)
        folders = publish_models(base_url, home, database_url, ENSEMBLE_SIZE)
        model_id, folder = next(iter(folders.items()))
        model = Model(http, model_id, folder)
        rates = _measure_rates(model, texts, options.rounds)
        difference = _find_largest_difference(model, texts[:TEXTS_PER_REQUEST])
    publish_result(_build_result(rates, difference, options), dry=options.dry)


def _read_sentences(count: int) -> list[str]:
    with (get_glue_folder() / "CoLA" / "train.tsv").open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row[3] for row in itertools.islice(rows, count)]


def _measure_rates(model: Model, texts: Sequence[str], rounds: int) -> dict[str, float]:
    """Measure the median texts per second of each side."""
    rates: dict[str, list[float]] = {side: [] for side in GOALS}
    for _ in range(rounds + 1):
        for side, side_rates in rates.items():
            side_rates.append(_measure_rate(model, texts, ensemble=side != ONE_MODEL))
    # the first round loads the models and does not count
    return {side: median(side_rates[1:]) for side, side_rates in rates.items()}


def _measure_rate(model: Model, texts: Sequence[str], *, ensemble: bool) -> float:
    """Measure texts per second over requests of ``TEXTS_PER_REQUEST``, one after the other."""
    started = time.perf_counter()
    for start in range(0, len(texts), TEXTS_PER_REQUEST):
        body = {
            "model": model.model_id,
            "input": texts[start : start + TEXTS_PER_REQUEST],
            "ensemble": ensemble,
        }
        model.http.post("/v1/classifications", json=body).raise_for_status()
    return len(texts) / (time.perf_counter() - started)


@torch.no_grad()
def _find_largest_difference(model: Model, texts: list[str]) -> float:
    """Find the largest difference between a probability of the API and of plain transformers."""
    body = {"model": model.model_id, "input": texts}
    response = model.http.post("/v1/classifications", json=body).raise_for_status()
    probabilities = [
        list(target["scores"].values())
        for result in response.json()["results"]
        for target in result.values()
    ]
    with silence_transformers():
        network = AutoModelForSequenceClassification.from_pretrained(model.folder).eval()
    inputs = AutoTokenizer.from_pretrained(model.folder)(
        texts, padding=True, truncation=True, return_tensors="pt"
    )
    expected = network(**inputs).logits.softmax(dim=1)
    return float((torch.tensor(probabilities) - expected).abs().max())


def _build_result(
    rates: dict[str, float], difference: float, options: argparse.Namespace
) -> Result:
    met = all(rates[side] >= goal for side, goal in GOALS.items()) and difference <= TOLERANCE
    rows = [[side, f"{rate:.0f}", str(GOALS[side])] for side, rate in rates.items()]
    verdict = format_verdict(met)
    return Result(
        name="classifications",
        title="Classifying without torch",
        command="EVENKEEL_GLUE_DIR=… python -m benchmarks.classifications",
        text=[_format_text(difference, options)],
        tables=[Table(["", "texts/s", "goal on 2 cores"], rows)],
        figures={"texts_per_second": rates, "largest_difference": difference, "goal_met": met},
        notes=[f"Goal, with probabilities within {TOLERANCE:g} of torch's: {verdict}."],
    )


def _format_text(difference: float, options: argparse.Namespace) -> str:
    return (
        f"{options.texts} sentences of CoLA, {TEXTS_PER_REQUEST} per request, one request after "
        f"the other over HTTP. Client and API share {count_cpu_cores()} cores. Medians of "
        f"{options.rounds} rounds, without the time for loading a model. The largest difference "
        f"between a probability and torch's is {difference:.1e}."
    )


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=2000, help="number of texts (default 2000)")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default 5)")
    parser.add_argument("--dry", action="store_true", help="print the figures and write no result")
    return parser.parse_args()


if __name__ == "__main__":
    main()

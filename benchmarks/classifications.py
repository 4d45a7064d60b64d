"""Texts a second that the API classifies: ``EVENKEEL_GLUE_DIR=… python -m
benchmarks.classifications``.

An API of its own, in a temporary home, knows a job whose seeds are all kept: all-MiniLM-L6-v2
under heads of their own (what the weights are makes no difference to the speed). Sentences of
CoLA are classified over HTTP by one model, and by an ensemble, and once by torch.
"""

import argparse
import csv
import itertools
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import httpx
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from benchmarks.glue import get_glue_folder
from benchmarks.polling import run_api
from benchmarks.results import Result, Table
from benchmarks.speed_page import record_result
from cli.client import Client
from cli.demo_dataset import write_dataset
from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.db.tables import Job, Model
from shared.domain.task import Task
from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue
from shared.infra.settings import Settings, count_cpu_cores
from shared.infra.storage import Storage
from worker.training.data.tokenizer import get_export_tokenizer
from worker.training.model.checkpoint import export_model
from worker.training.model.encoder import load_encoder
from worker.training.model.onnx_export import GRAPH_EXPORTER
from worker.training.model.transformers_logging import silence_transformers

ENSEMBLE_SIZE, TEXTS_PER_REQUEST = 5, 500
GOALS = {"one model": 150, f"ensemble of {ENSEMBLE_SIZE}": 50}
"""Texts a second, on two cores."""
TOLERANCE = 1e-4
HEAD_SCALE = 20
"""Times a new head's weights, so that probabilities differ from text to text."""


def main() -> None:
    given = _parse_arguments()
    texts = _read_sentences(given.texts)
    with (
        tempfile.TemporaryDirectory(prefix="evenkeel-classifications-") as scratch,
        ExitStack() as running,
    ):
        home = Path(scratch)
        url = f"sqlite:///{home / 'evenkeel.db'}"
        apply_migrations(url)
        http = httpx.Client(
            base_url=f"http://127.0.0.1:{running.enter_context(run_api(home, url))}",
            timeout=600,
            trust_env=False,
        )
        running.enter_context(http)
        model = _publish_models(str(http.base_url), home, url)
        sides: dict[str, list[float]] = {side: [] for side in GOALS}
        for _ in range(given.rounds + 1):  # the first loads the models and is not counted
            for side, rates in zip(sides, sides.values(), strict=True):
                rates.append(_measure_rate(http, model, texts, ensemble=side != "one model"))
        difference = _find_largest_difference(
            http, model, texts[:TEXTS_PER_REQUEST], home / "model-0"
        )
    result = _build_result(
        {side: median(rates[1:]) for side, rates in sides.items()}, difference, given
    )
    if given.dry:
        json.dump(result.figures, sys.stdout, indent=1)
    else:
        record_result(result)


def _read_sentences(count: int) -> list[str]:
    with (get_glue_folder() / "CoLA" / "train.tsv").open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row[3] for row in itertools.islice(rows, count)]


def _publish_models(url: str, home: Path, database_url: str) -> str:
    """The id of a job's model, kept beside the models of its other seeds as a worker would
    leave them.
    """
    write_dataset(home / "data.csv", 60)
    with Client(url) as client:
        file = client.upload_file(home / "data.csv")
        job_id = client.create_job(
            {"training_file": file.id, "runs": {"num_seeds": ENSEMBLE_SIZE}}
        ).id
        runs = [run.id for run in client.list_runs(job_id)]
    database, storage = Database(database_url), Storage(Settings(home=home).resolved_storage_url)
    with database.read() as session:
        task = Task.model_validate(session.get_one(Job, job_id).task)
    base = Catalogue().get_folder(OFFLINE_ENCODER)
    tokenizer = get_export_tokenizer(base)
    for seed, run_id in enumerate(runs):
        network, made = load_encoder(base, task, seed), home / f"model-{seed}"
        with torch.no_grad():
            network.get_parameter("classifier.weight").mul_(HEAD_SCALE)
        export_model(network, tokenizer, task, made)
        GRAPH_EXPORTER.write_graph(network, tokenizer, made)
        storage.link_or_put_folder(f"models/{seed}", made)
        row = {
            "owner_id": "local",
            "job_id": job_id,
            "run_id": run_id,
            "base_model": OFFLINE_ENCODER,
        }
        with database.write() as session:
            session.add(
                Model(
                    id=f"ft:bench:seed-{seed}",
                    prefix=f"models/{seed}",
                    labels=task.label_names,
                    **row,
                )
            )
    database.dispose()
    return "ft:bench:seed-0"


def _measure_rate(http: httpx.Client, model: str, texts: list[str], *, ensemble: bool) -> float:
    """Texts a second, in requests of ``TEXTS_PER_REQUEST`` one after the other."""
    started = time.perf_counter()
    for start in range(0, len(texts), TEXTS_PER_REQUEST):
        asked = {
            "model": model,
            "input": texts[start : start + TEXTS_PER_REQUEST],
            "ensemble": ensemble,
        }
        http.post("/v1/classifications", json=asked).raise_for_status()
    return len(texts) / (time.perf_counter() - started)


@torch.no_grad()
def _find_largest_difference(
    http: httpx.Client, model: str, texts: list[str], export_folder: Path
) -> float:
    """The largest between a probability of the answers and of plain transformers."""
    answer = (
        http.post("/v1/classifications", json={"model": model, "input": texts})
        .raise_for_status()
        .json()
    )
    with silence_transformers():
        network = AutoModelForSequenceClassification.from_pretrained(export_folder).eval()
    inputs = AutoTokenizer.from_pretrained(export_folder)(
        texts, padding=True, truncation=True, return_tensors="pt"
    )
    expected = network(**inputs).logits.softmax(dim=1)
    found = torch.tensor(
        [
            list(target["scores"].values())
            for result in answer["results"]
            for target in result.values()
        ]
    )
    return float((found - expected).abs().max())


def _build_result(rates: dict[str, float], difference: float, args: argparse.Namespace) -> Result:
    met = all(rates[side] >= goal for side, goal in GOALS.items()) and difference <= TOLERANCE
    rows = [[side, f"{rate:.0f}", str(GOALS[side])] for side, rate in rates.items()]
    return Result(
        name="classifications",
        title="Classifying without torch",
        command="EVENKEEL_GLUE_DIR=… python -m benchmarks.classifications",
        text=[
            f"{args.texts} sentences of CoLA, {TEXTS_PER_REQUEST} a request, one request "
            "after the other over HTTP; client and API share "
            f"{count_cpu_cores()} cores; medians of {args.rounds} rounds. Loading a model is not "
            "counted. The largest difference "
            f"between a probability and torch's is {difference:.1e}.",
        ],
        tables=[Table(["", "texts/s", "goal on 2 cores"], rows)],
        figures={"texts_per_second": rates, "largest_difference": difference, "goal_met": met},
        notes=[
            f"Goal, with answers within {TOLERANCE:g} of torch's: {'met' if met else 'not met'}."
        ],
    )


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=2000, help="how many (default 2000)")
    parser.add_argument("--rounds", type=int, default=5, help="counted ones (default 5)")
    parser.add_argument("--dry", action="store_true", help="print the figures and write no result")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""A job with kept models and requests to classify with them, for several test modules."""

import io
import zipfile
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.flow.result_files import get_result_files
from tests.make import review_csv
from tests.stack import Stack

QUICK = {"max_steps": 12, "learning_rate": 0.005, "train_batch_size": 16, "reinit_layers": 1}
TEXTS = [
    "a lovely film",
    "dull",
    "to watch this story again and again is not a delight but it is long",
]


def train_job_with_kept_models(shared_stack: Stack) -> dict[str, Any]:
    """Train a job of three seeds that keeps all of its models."""
    file = shared_stack.upload(review_csv(60))
    created = shared_stack.create(
        file["id"],
        model="tiny-bert",
        recipe=QUICK,
        task={"max_seq_length": 12},
        runs={"num_seeds": 3},
        artifacts={"keep": "all_runs"},
    )
    ended = shared_stack.wait(created["id"])
    assert ended["status"] == "succeeded", shared_stack.logs()
    assert ended["artifacts"] == {"keep": "all_runs"}
    return ended


def get_refusal(stack: Stack, **request: Any) -> tuple[int, str, str | None]:
    """Return the status, the code and the field of a refused classification."""
    answer = stack.http.post("/v1/classifications", json=request)
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


@torch.no_grad()
def classify_with_torch(
    stack: Stack, job: dict[str, Any], folder: Path, *texts: list[str]
) -> list[list[float]]:
    """Return the published model's probabilities, computed by plain transformers."""
    with zipfile.ZipFile(io.BytesIO(get_result_files(stack, job)["model.zip"])) as archive:
        archive.extractall(folder)
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    inputs = AutoTokenizer.from_pretrained(folder)(
        *texts, truncation=True, padding=True, return_tensors="pt"
    )
    probabilities: list[list[float]] = network(**inputs).logits.softmax(dim=1).tolist()
    return probabilities

"""Multi-label, regression and k-fold jobs: the published model reproduces the report."""

import csv
import io
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import pearsonr
from sklearn.metrics import f1_score

from tests.make import BAD, FILLER, GOOD, csv_bytes, review_csv
from tests.stack import Stack

QUICK = {
    "max_steps": 40,
    "learning_rate": 0.003,
    "train_batch_size": 16,
    "reinit_layers": 1,
    "eval_points": 4,
}


def make_tagged_csv(rows: int) -> bytes:
    """Return rows labeled with what they contain: praise, blame, both or neither."""
    draw = random.Random(3)
    made = []
    for index in range(rows):
        held = [name for name, has in (("praise", index % 2), ("blame", index // 2 % 2)) if has]
        words = [
            draw.choice(FILLER),
            *(draw.choice(GOOD if name == "praise" else BAD) for name in held),
        ]
        made.append((f"{' '.join(words)} {index}", "|".join(held)))
    return csv_bytes(list(made))


def make_rated_csv(rows: int, seed: int = 0) -> bytes:
    """Return rows labeled with their number of good words out of five."""
    draw = random.Random(seed)
    made = []
    for index in range(rows):
        words = [*draw.choices(GOOD, k=index % 6), *draw.choices(BAD, k=5 - index % 6)]
        draw.shuffle(words)
        made.append((f"{' '.join(words)} {index}", str(1 + index % 6 / 2)))
    return csv_bytes(list(made))


def download_model(stack: Stack, job: dict[str, Any], folder: Path) -> list[dict[str, str]]:
    """Download the model to ``folder``; return the rows of predictions.csv."""
    files = {}
    for file_id in job["result_files"]:
        name = stack.get(f"/v1/files/{file_id}")["filename"]
        files[name] = stack.http.get(f"/v1/files/{file_id}/content").content
    with zipfile.ZipFile(io.BytesIO(files["model.zip"])) as archive:
        archive.extractall(folder)
    return list(csv.DictReader(io.StringIO(files["predictions.csv"].decode())))


def load_pipeline(folder: Path) -> Any:
    from transformers import pipeline

    return pipeline("text-classification", model=str(folder), device="cpu")


def read_rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_multi_label(shared_stack: Stack, tmp_path: Path) -> None:
    content = make_tagged_csv(80)
    job = shared_stack.create(
        shared_stack.upload(content, "tags.csv")["id"],
        model="tiny-bert",
        task={"type": "multi_label_classification"},
        split={"halve_validation": True, "validation_fraction": 0.4},
        recipe={**QUICK, "class_weights": "balanced"},
        runs={"num_seeds": 2},
    )
    assert job["dataset"]["rows"] == {"train": 48, "validation": 16, "test": 16}
    ended = shared_stack.wait(job["id"])
    assert ended["status"] == "succeeded", shared_stack.logs()
    report = shared_stack.get(f"/v1/fine_tuning/jobs/{job['id']}/stability")
    assert (report["metric"], report["split"], report["n"]) == ("f1_micro", "test", 2)
    best = next(run for run in shared_stack.runs(job["id"]) if run["id"] == report["best_run_id"])
    series = shared_stack.metrics(job["id"], best["id"])
    assert {
        "valid_loss",
        "valid_f1_micro",
        "valid_f1_macro",
        "valid_accuracy",
        "test_f1_micro",
        "test_loss",
    } <= set(series)

    answers = [
        row for row in download_model(shared_stack, ended, tmp_path) if row["run_id"] == best["id"]
    ]
    assert {row["split"] for row in answers} == {"validation", "test"}
    classify, texts = load_pipeline(tmp_path), read_rows(content)
    truth, found = [], []
    for row in (row for row in answers if row["split"] == "test"):
        scores = {
            entry["label"]: entry["score"]
            for entry in classify(texts[int(row["row"]) - 1]["text"], top_k=None)
        }
        assert scores == {
            name: pytest.approx(float(row[f"p({name})"]), abs=1e-5) for name in ("blame", "praise")
        }
        assert row["predicted"] == "|".join(
            name for name in ("blame", "praise") if scores[name] > 0.5
        )
        truth.append([name in texts[int(row["row"]) - 1]["label"] for name in ("blame", "praise")])
        found.append([scores[name] > 0.5 for name in ("blame", "praise")])
    assert f1_score(truth, found, average="micro") == pytest.approx(best["test_score"])
    asked = [row for row in answers if row["split"] == "test"]
    served = shared_stack.classify(
        model=ended["fine_tuned_model"], input=[texts[int(row["row"]) - 1]["text"] for row in asked]
    )
    for row, result in zip(asked, served["results"], strict=True):
        assert "|".join(result["label"]["predicted"]) == row["predicted"]
        assert result["label"]["scores"] == {
            name: pytest.approx(float(row[f"p({name})"]), abs=1e-4) for name in ("blame", "praise")
        }
    assert "top_k=None" in (tmp_path / "README.md").read_text()


def test_regression_with_a_test_file(shared_stack: Stack, tmp_path: Path) -> None:
    unseen = make_rated_csv(24, seed=5)
    job = shared_stack.create(
        shared_stack.upload(make_rated_csv(80), "ratings.csv")["id"],
        test_file=shared_stack.upload(unseen, "unseen.csv")["id"],
        model="tiny-roberta",
        task={"type": "regression"},
        recipe=QUICK,
        runs={"num_seeds": 2},
    )
    ended = shared_stack.wait(job["id"])
    assert ended["status"] == "succeeded", shared_stack.logs()
    report = shared_stack.get(f"/v1/fine_tuning/jobs/{job['id']}/stability")
    assert (report["metric"], report["split"], report["evaluation_rows"]) == ("pearson", "test", 24)
    best = next(run for run in shared_stack.runs(job["id"]) if run["id"] == report["best_run_id"])
    assert {"valid_pearson", "valid_spearman", "valid_r2", "test_pearson"} <= set(
        shared_stack.metrics(job["id"], best["id"])
    )

    answers = [
        row for row in download_model(shared_stack, ended, tmp_path) if row["run_id"] == best["id"]
    ]
    classify, texts = load_pipeline(tmp_path), read_rows(unseen)
    tested = [row for row in answers if row["split"] == "test"]
    found = [classify(texts[int(row["row"]) - 1]["text"])[0]["score"] for row in tested]
    assert found == pytest.approx([float(row["predicted"]) for row in tested], abs=1e-5)
    served = shared_stack.classify(
        model=ended["fine_tuned_model"],
        input=[texts[int(row["row"]) - 1]["text"] for row in tested],
    )
    assert (served["labels"], len(served["results"])) == ([], 24)
    for result, number in zip(served["results"], found, strict=True):
        assert result["label"]["scores"] == {"score": pytest.approx(number, abs=1e-4)}
        assert result["label"]["predicted"] == result["label"]["scores"]["score"]
    labels = [float(texts[int(row["row"]) - 1]["label"]) for row in tested]
    assert pearsonr(labels, found).statistic == pytest.approx(best["test_score"], abs=1e-5)
    assert shared_stack.get(f"/v1/models/{ended['fine_tuned_model']}")["labels"] == []
    card = (tmp_path / "README.md").read_text()
    assert "is the predicted number" in card
    assert "Training labels: mean 2." in card
    assert "| label |" not in card


def test_every_fold_of_every_seed_is_trained_and_predicts_its_own_rows(
    shared_stack: Stack, tmp_path: Path
) -> None:
    job = shared_stack.create(
        shared_stack.upload(review_csv(30), "reviews.csv")["id"],
        model="tiny-bert",
        split={"mode": "kfold", "k": 3},
        recipe={"max_steps": 4, "eval_points": 1},
        runs={"num_seeds": 1},
    )
    ended = shared_stack.wait(job["id"])
    assert ended["status"] == "succeeded", shared_stack.logs()
    answers = download_model(shared_stack, ended, tmp_path)
    assert sorted(int(row["row"]) for row in answers) == list(range(1, 31))
    assert {row["fold"] for row in answers} == {"0", "1", "2"}

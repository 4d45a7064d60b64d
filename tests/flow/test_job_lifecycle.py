"""A job over HTTP from the upload to the published model."""

import csv
import io
import zipfile
from pathlib import Path

import pytest

from tests.flow.result_files import get_result_files
from tests.make import pair_tsv, review_csv
from tests.stack import Stack

QUICK = {
    "max_steps": 24,
    "learning_rate": 0.005,
    "train_batch_size": 16,
    "reinit_layers": 1,
    "precision": "float32",  # evaluations while training equal the final one
}


def test_from_upload_to_model(stack: Stack, tmp_path: Path) -> None:
    file = stack.upload(review_csv(80), "reviews.csv")
    assert file["status"] == "processed"
    assert file["profile"]["rows"] == 80

    job = stack.create(
        file["id"], model="tiny-bert", seed=3, suffix="films", recipe=QUICK, runs={"num_seeds": 3}
    )
    assert job["status"] in ("queued", "running")
    assert job["resolved_recipe"]["max_steps"] == 24
    ended = stack.wait(job["id"])
    assert ended["status"] == "succeeded", stack.logs()
    assert ended["progress"]["percent"] == 100.0

    runs = stack.runs(job["id"])
    assert [(run["index"], run["init_seed"], run["data_seed"]) for run in runs] == [
        (0, 3, 3),
        (1, 4, 4),
        (2, 5, 5),
    ]
    assert all(run["status"] == "succeeded" and run["step"] == 24 for run in runs)
    for run in runs:
        series = stack.metrics(job["id"], run["id"])
        assert [step for step, _ in series["train_loss"]] == list(range(1, 25))
        assert [step for step, _ in series["valid_loss"]] == [
            3,
            5,
            8,
            10,
            12,
            15,
            17,
            20,
            22,
            24,
        ]  # ceil(i * 24 / 10)
        assert max(value for _, value in series["valid_accuracy"]) == pytest.approx(
            run["validation_score"]
        )

    log = stack.http.get(f"/v1/fine_tuning/jobs/{job['id']}/runs/{runs[0]['id']}/logs").text
    assert f"run started: {runs[0]['id']}" in log
    assert log.rstrip().endswith(f"{runs[0]['id']} ended: Finished")
    assert runs[1]["id"] not in log
    assert log.splitlines()[-1] in (stack.home / "worker.log").read_text()

    evidence = stack.get(f"/v1/fine_tuning/jobs/{job['id']}/runs/{runs[0]['id']}")["evidence"]
    assert set(evidence["answers"]) == {"bad", "good"}
    assert sum(evidence["answers"].values()) == pytest.approx(1.0)
    assert {"embeddings", "block 0", "head"} <= set(evidence["distance"])

    report = stack.get(f"/v1/fine_tuning/jobs/{job['id']}/stability")
    scores = [run["validation_score"] for run in runs]
    assert report["provisional"] is False
    assert (report["n"], report["planned"], report["failed"]) == (3, 3, 0)
    assert report["mean"] == pytest.approx(sum(scores) / 3)
    assert [run["score"] for run in report["runs"]] == scores
    best = runs[scores.index(max(scores))]
    assert report["best_run_id"] == best["id"]
    assert sum(sum(row) for row in report["confusion_matrix"]["matrix"]) == 16
    baselines = {baseline["name"]: baseline["score"] for baseline in report["baselines"]}
    assert baselines.keys() == {"majority", "tfidf_logistic_regression", "linear_probe"}
    assert list(baselines.values()) == sorted(baselines.values(), reverse=True)
    assert baselines["tfidf_logistic_regression"] > baselines["majority"] == 0.5
    [scoring] = stack.get(f"/v1/fine_tuning/jobs/{job['id']}/runs", purpose="baselines")["data"]
    assert (scoring["status"], scoring["fine_tuned_model"], scoring["diagnosis"]) == (
        "succeeded",
        None,
        [],
    )

    model = stack.get(f"/v1/models/{ended['fine_tuned_model']}")
    assert model["id"].startswith("ft:tiny-bert:local:films:")
    assert (model["run_id"], model["labels"]) == (best["id"], ["bad", "good"])
    assert_model_reproduces_score(stack, ended, best, tmp_path)


def assert_model_reproduces_score(
    stack: Stack, job: dict[str, object], best: dict[str, object], folder: Path
) -> None:
    """Assert that plain transformers reproduce predictions.csv and the run's score."""
    from transformers import pipeline

    files = get_result_files(stack, job)
    assert set(files) == {"metrics.csv", "predictions.csv", "model.zip"}
    with zipfile.ZipFile(io.BytesIO(files["model.zip"])) as archive:
        archive.extractall(folder / "model")
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= {
        p.name for p in (folder / "model").iterdir()
    }
    classify = pipeline("text-classification", model=str(folder / "model"), device="cpu")
    assert classify.model.config.id2label == {0: "bad", 1: "good"}

    texts = list(csv.DictReader(io.StringIO(review_csv(80).decode())))
    predictions = [
        row
        for row in csv.DictReader(io.StringIO(files["predictions.csv"].decode()))
        if row["run_id"] == best["id"]
    ]
    assert len(predictions) == 16
    answers = [classify(texts[int(row["row"]) - 1]["text"])[0] for row in predictions]
    assert [answer["label"] for answer in answers] == [row["predicted"] for row in predictions]
    for answer, row in zip(answers, predictions, strict=True):
        assert answer["score"] == pytest.approx(float(row[f"p({answer['label']})"]), abs=1e-5)
    right = sum(
        answer["label"] == texts[int(row["row"]) - 1]["label"]
        for answer, row in zip(answers, predictions, strict=True)
    )
    assert right / 16 == pytest.approx(best["validation_score"])


def test_equal_requests_give_equal_metrics_value_by_value(shared_stack: Stack) -> None:
    file = shared_stack.upload(review_csv(60))
    request = {
        "model": "tiny-bert",
        "recipe": {"max_steps": 12, "reinit_layers": 1, "learning_rate": 6.4e-4},
        "runs": {"num_seeds": 2},
    }
    first, second = (shared_stack.create(file["id"], **request) for _ in range(2))
    shared_stack.wait(first["id"])
    shared_stack.wait(second["id"])
    for one, other in zip(
        shared_stack.runs(first["id"]), shared_stack.runs(second["id"]), strict=True
    ):
        assert one["weights_sha256"] == other["weights_sha256"]
        assert shared_stack.metrics(first["id"], one["id"]) == shared_stack.metrics(
            second["id"], other["id"]
        )


def test_skewed_pairs_with_stray_quotes(shared_stack: Stack) -> None:
    file = shared_stack.upload(pair_tsv(90), "pairs.tsv")
    assert file["profile"]["rows"] == 90
    assert file["profile"]["detected"]["text_pair_column"] == "question2"
    job = shared_stack.create(
        file["id"],
        model="tiny-roberta",
        recipe={"max_steps": 8, "preset": "conventional"},
        runs={"seeds": [7, 8]},
    )
    assert job["metric"] == "mcc"  # 70% of the rows have one label
    assert shared_stack.wait(job["id"])["status"] == "succeeded", shared_stack.logs()
    report = shared_stack.get(f"/v1/fine_tuning/jobs/{job['id']}/stability")
    assert (report["metric"], report["n"]) == ("mcc", 2)


def test_a_validation_file_and_a_test_fraction(shared_stack: Stack) -> None:
    training, validation = (
        shared_stack.upload(review_csv(60)),
        shared_stack.upload(review_csv(30, seed=9)),
    )
    job = shared_stack.create(
        training["id"],
        validation_file=validation["id"],
        model="tiny-bert",
        split={"test_fraction": 0.25},
        recipe={"max_steps": 6, "reinit_layers": 1, "learning_rate": 6.4e-4},
        runs={"num_seeds": 2},
    )
    assert job["dataset"]["rows"] == {"train": 45, "validation": 30, "test": 15}
    assert shared_stack.wait(job["id"])["status"] == "succeeded", shared_stack.logs()
    report = shared_stack.get(f"/v1/fine_tuning/jobs/{job['id']}/stability")
    assert report["split"] == "test"
    assert all(run["score"] == run["test_score"] for run in report["runs"])

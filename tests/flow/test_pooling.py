"""Jobs with pooled heads and pairs encoded apart: card's loader and service give the record."""

import re
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import pearsonr

from tests.flow.test_tasks import download_model, make_rated_csv, read_rows
from tests.make import BAD, FILLER, GOOD, csv_bytes, review_csv
from tests.stack import Stack

QUICK = {
    "max_steps": 30,
    "learning_rate": 0.003,
    "train_batch_size": 16,
    "reinit_layers": 0,
    "eval_points": 3,
}


def make_pair_csv(*, rated: bool) -> bytes:
    """Return pairs labeled by whether both texts praise or blame."""
    rows = []
    for index in range(60):
        same = index % 2 == 0
        texts = [
            f"{words[index % len(words)]} {FILLER[index % len(FILLER)]} {index}"
            for words in (GOOD, GOOD if same else BAD)
        ]
        rows.append((*texts, ("4.5" if same else "1.25") if rated else ("yes" if same else "no")))
    return csv_bytes(rows, ("first", "second", "label"))


def run_card_loader(folder: Path, *texts: list[str]) -> list[list[float]]:
    """Run the code of the model card on texts; return its predictions."""
    card = (folder / "README.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(code.replace("path/to/this/folder", str(folder)), names)
    predictions: list[list[float]] = names["predict"](*texts).tolist()
    return predictions


def train(stack: Stack, content: bytes, folder: Path, **request: Any) -> tuple[Any, Any, Any]:
    """Train a job; return it, the rows of the best run's predictions, and that run."""
    file = stack.upload(content, "data.csv")["id"]
    created = stack.create(file, model="tiny-bert", runs={"num_seeds": 2}, **request)
    ended = stack.wait(created["id"], seconds=300)
    assert ended["status"] == "succeeded", stack.logs()
    report = stack.get(f"/v1/fine_tuning/jobs/{ended['id']}/stability")
    [best] = [run for run in stack.runs(ended["id"]) if run["id"] == report["best_run_id"]]
    answers = download_model(stack, ended, folder)
    return ended, [row for row in answers if row["run_id"] == best["id"]], best


@pytest.mark.parametrize(
    ("encoding", "pooling", "rated"),
    [
        ("separate", "mean", True),
        ("separate", "mean", False),
        ("aligned", "cls", True),
        ("aligned", "mean", False),
    ],
)
def test_pairs_encoded_apart(
    encoding: str, pooling: str, rated: bool, shared_stack: Stack, tmp_path: Path
) -> None:
    content = make_pair_csv(rated=rated)
    task = {"text_column": "first", "text_pair_column": "second", "label_column": "label"}
    job, answers, best = train(
        shared_stack,
        content,
        tmp_path,
        task=task | ({"type": "regression"} if rated else {}),
        recipe={
            **QUICK,
            "pair_encoding": encoding,
            **({"pooling": pooling} if pooling != "mean" else {}),
        },
        artifacts={"keep": "all_runs"},
    )
    assert job["resolved_recipe"]["pooling"] == pooling
    if pooling == "mean":
        assert job["recipe_notes"]["pooling"].startswith("mean: ")
    rows = read_rows(content)
    first, second = (
        [rows[int(answer["row"]) - 1][name] for answer in answers] for name in ("first", "second")
    )
    loaded = run_card_loader(tmp_path, first, second)
    inputs = [{"text_a": a, "text_b": b} for a, b in zip(first, second, strict=True)]
    served = shared_stack.classify(model=job["fine_tuned_model"], input=inputs)["results"]
    if rated:
        recorded = [float(answer["predicted"]) for answer in answers]
        assert [number for [number] in loaded] == pytest.approx(recorded, abs=1e-5)
        assert [one["label"]["predicted"] for one in served] == pytest.approx(recorded, abs=1e-4)
        labels = [float(rows[int(answer["row"]) - 1]["label"]) for answer in answers]
        score = pearsonr(labels, [number for [number] in loaded]).statistic
        assert score == pytest.approx(best["validation_score"], abs=1e-5)
    else:
        for answer, found, one in zip(answers, loaded, served, strict=True):
            recorded = [float(answer[f"p({name})"]) for name in ("no", "yes")]
            assert found == pytest.approx(recorded, abs=1e-5)
            scores = one["label"]["scores"]
            assert [scores["no"], scores["yes"]] == pytest.approx(recorded, abs=1e-4)
    both = shared_stack.classify(model=job["fine_tuned_model"], input=inputs[:2], ensemble=True)
    assert len(both["results"]) == 2
    refused = shared_stack.http.post(
        "/v1/classifications", json={"model": job["fine_tuned_model"], "input": "a single text"}
    )
    assert refused.status_code == 400


def test_a_single_text_with_the_mean_and_a_fitted_head(shared_stack: Stack, tmp_path: Path) -> None:
    content = make_rated_csv(60)
    job, answers, best = train(
        shared_stack,
        content,
        tmp_path,
        task={"type": "regression"},
        recipe={**QUICK, "pooling": "mean", "head_first": True},
    )
    assert job["resolved_recipe"]["reinit_pooler"] is False
    check_head_fit(shared_stack, job, best)
    texts = [read_rows(content)[int(answer["row"]) - 1]["text"] for answer in answers]
    recorded = [float(answer["predicted"]) for answer in answers]
    loaded = [number for [number] in run_card_loader(tmp_path, texts)]
    assert loaded == pytest.approx(recorded, abs=1e-5)
    served = shared_stack.classify(model=job["fine_tuned_model"], input=texts)["results"]
    assert [one["label"]["predicted"] for one in served] == pytest.approx(recorded, abs=1e-4)


def check_head_fit(stack: Stack, job: Any, run: Any) -> None:
    """Check that evidence, series and events of a run tell the same fit of its head."""
    assert job["resolved_recipe"]["head_first"] is True
    url = f"/v1/fine_tuning/jobs/{job['id']}"
    fit = stack.get(f"{url}/runs/{run['id']}")["evidence"]["head_fit"]
    series = stack.get(f"{url}/runs/{run['id']}/metrics")["series"]
    points = {one["name"]: one["points"] for one in series if one["name"].startswith("head_fit")}
    assert points == {"head_fit_loss": [[0, fit["loss"]]], "head_fit_pearson": [[0, fit["score"]]]}
    events = stack.get(f"{url}/events?limit=100")["data"]
    [message] = [
        event["message"]
        for event in events
        if event["run_id"] == run["id"] and "head was fitted" in event["message"]
    ]
    assert f"{fit['rows']} training rows" in message
    assert f"pearson={fit['score']:.4f}" in message


def test_single_texts_cannot_be_encoded_apart(shared_stack: Stack) -> None:
    refused = shared_stack.http.post(
        "/v1/fine_tuning/jobs",
        json={
            "training_file": shared_stack.upload(review_csv(30))["id"],
            "model": "tiny-bert",
            "recipe": {"pair_encoding": "separate"},
        },
    )
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "recipe.pair_encoding"

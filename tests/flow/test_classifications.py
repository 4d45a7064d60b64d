"""Classification over HTTP with the models of a real job, compared with plain torch."""

import csv
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from cli.client import Client
from cli.download import find_archive
from cli.errors import CliError
from shared.domain.naming import build_model_id
from tests.flow.test_whole_way import result_files
from tests.make import csv_bytes, pair_tsv, review_csv
from tests.stack import Stack

QUICK = {"max_steps": 12, "learning_rate": 0.005, "train_batch_size": 16, "reinit_layers": 1}
TEXTS = [
    "a lovely film",
    "dull",
    "to watch this story again and again is not a delight but it is long",
]


def refusal(stack: Stack, **request: Any) -> tuple[int, str, str | None]:
    answer = stack.http.post("/v1/classifications", json=request)
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


@torch.no_grad()
def by_torch(
    stack: Stack, job: dict[str, Any], folder: Path, *texts: list[str]
) -> list[list[float]]:
    """Return the published model's probabilities, computed by plain transformers."""
    with zipfile.ZipFile(io.BytesIO(result_files(stack, job)["model.zip"])) as archive:
        archive.extractall(folder)
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    inputs = AutoTokenizer.from_pretrained(folder)(
        *texts, truncation=True, padding=True, return_tensors="pt"
    )
    probabilities: list[list[float]] = network(**inputs).logits.softmax(dim=1).tolist()
    return probabilities


@pytest.fixture(scope="module")
def job(shared_stack: Stack) -> dict[str, Any]:
    """A job of three seeds that keeps all of its models."""
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


def test_answers_are_those_of_torch(
    shared_stack: Stack, job: dict[str, Any], tmp_path: Path
) -> None:
    answer = shared_stack.classify(model=job["fine_tuned_model"], input=TEXTS)
    assert (answer["model"], answer["members"]) == (
        job["fine_tuned_model"],
        [job["fine_tuned_model"]],
    )
    assert answer["labels"] == ["bad", "good"]
    targets = [result["label"] for result in answer["results"]]
    assert [list(target["scores"]) for target in targets] == [["bad", "good"]] * 3
    assert [target["truncated"] for target in targets] == [False, False, True]
    assert answer["truncated"] == 1
    assert [target["disagreement"] for target in targets] == [None] * 3
    assert all(
        target["predicted"] == max(target["scores"], key=target["scores"].get) for target in targets
    )
    for target, probabilities in zip(
        targets, by_torch(shared_stack, job, tmp_path, TEXTS), strict=True
    ):
        assert list(target["scores"].values()) == pytest.approx(probabilities, abs=1e-4)


def test_one_text_and_the_best_score_alone(shared_stack: Stack, job: dict[str, Any]) -> None:
    whole = shared_stack.classify(model=job["fine_tuned_model"], input=TEXTS[0])["results"]
    [brief] = shared_stack.classify(
        model=job["fine_tuned_model"], input=TEXTS[0], return_all_scores=False
    )["results"]
    [target] = [result["label"] for result in whole]
    best = target["predicted"]
    assert brief["label"]["scores"] == {best: target["scores"][best]}


def test_an_answer_does_not_depend_on_its_company(shared_stack: Stack, job: dict[str, Any]) -> None:
    many = [f"{text} {'film ' * (index % 7)}" for index in range(40) for text in TEXTS]
    together = shared_stack.classify(model=job["fine_tuned_model"], input=many)["results"]
    for place in (0, 17, 119):
        [alone] = shared_stack.classify(model=job["fine_tuned_model"], input=many[place])["results"]
        assert alone["label"]["scores"] == pytest.approx(
            together[place]["label"]["scores"], abs=1e-5
        )


def test_an_ensemble_is_the_mean_of_its_members(shared_stack: Stack, job: dict[str, Any]) -> None:
    runs = shared_stack.runs(job["id"])
    names = {run["fine_tuned_model"] for run in runs}
    assert job["fine_tuned_model"] in names
    assert {name.removeprefix(job["fine_tuned_model"]) for name in names} <= {
        "",
        ":seed-0",
        ":seed-1",
        ":seed-2",
    }
    listed = {model["id"] for model in shared_stack.get("/v1/models")["data"]}
    assert len(names) == 3
    assert names <= listed
    with Client(str(shared_stack.http.base_url)) as client:
        assert find_archive(client, job["fine_tuned_model"]) in job["result_files"]
        for name in names - {job["fine_tuned_model"]}:  # the archive holds the best run's weights
            with pytest.raises(CliError, match="kept to be asked, not packed"):
                find_archive(client, name)

    answer = shared_stack.classify(model=job["fine_tuned_model"], input=TEXTS, ensemble=True)
    sound = {run["fine_tuned_model"] for run in runs if not run["degenerate"]}
    assert set(answer["members"]) == (sound or names)
    alone = [
        shared_stack.classify(model=name, input=TEXTS)["results"] for name in answer["members"]
    ]
    for place, result in enumerate(answer["results"]):
        scores = [member[place]["label"]["scores"]["good"] for member in alone]
        assert result["label"]["scores"]["good"] == pytest.approx(
            sum(scores) / len(scores), abs=1e-6
        )
        votes = {member[place]["label"]["predicted"] for member in alone}
        assert (result["label"]["disagreement"]["vote_entropy"] == 0) == (len(votes) == 1)
        assert result["label"]["disagreement"]["score_std"] > 0


def test_many_who_ask_at_the_same_time_have_the_same_answers(
    shared_stack: Stack, job: dict[str, Any]
) -> None:
    def asked(_: int) -> list[Any]:
        results = shared_stack.classify(
            model=job["fine_tuned_model"], input=TEXTS * 20, ensemble=True
        )["results"]
        return list(results)

    with ThreadPoolExecutor(6) as threads:
        first, *others = threads.map(asked, range(12))
    assert all(other == first for other in others)


def test_what_cannot_be_answered_is_refused_with_a_reason(
    shared_stack: Stack, job: dict[str, Any]
) -> None:
    name = job["fine_tuned_model"]
    assert refusal(shared_stack, model="tiny-bert", input="a") == (400, "invalid_value", "model")
    assert refusal(shared_stack, model="ft:none", input="a") == (404, "model_not_found", "model")
    assert refusal(shared_stack, model=name, input=[]) == (400, "invalid_request", "input")
    assert refusal(shared_stack, model=name, input="") == (400, "invalid_request", "input")
    assert refusal(shared_stack, model=name) == (400, "invalid_request", "input")
    assert refusal(shared_stack, model=name, input=["a"] * 1001) == (
        400,
        "invalid_request",
        "input",
    )
    assert refusal(shared_stack, model=name, input="a", colour="red") == (
        400,
        "invalid_request",
        "colour",
    )
    assert refusal(shared_stack, model=name, input=5) == (400, "invalid_request", "input")
    assert refusal(shared_stack, model=name, input=["a", ""]) == (400, "invalid_request", "input.1")
    assert refusal(shared_stack, model=name, input=[{"text_b": "b"}]) == (
        400,
        "invalid_request",
        "input.0.text_a",
    )
    pair = {"text_a": "a", "text_b": "b"}
    assert refusal(shared_stack, model=name, input=["a", pair]) == (400, "invalid_value", "input.1")


def test_pairs_and_one_model_that_is_no_ensemble(shared_stack: Stack, tmp_path: Path) -> None:
    file = shared_stack.upload(pair_tsv(60), "pairs.tsv")
    created = shared_stack.create(
        file["id"], model="tiny-roberta", recipe=QUICK, runs={"num_seeds": 2}
    )
    job = shared_stack.wait(created["id"])
    name = job["fine_tuned_model"]
    pairs = [
        {"text_a": first, "text_b": second}
        for first, second in zip(TEXTS, TEXTS[1:] + TEXTS[:1], strict=True)
    ]
    answer = shared_stack.classify(model=name, input=pairs)
    expected = by_torch(shared_stack, job, tmp_path, TEXTS, TEXTS[1:] + TEXTS[:1])
    for result, probabilities in zip(answer["results"], expected, strict=True):
        assert list(result["is_duplicate"]["scores"].values()) == pytest.approx(
            probabilities, abs=1e-4
        )
    assert refusal(shared_stack, model=name, input="a") == (400, "invalid_value", "input")
    assert refusal(shared_stack, model=name, input=pairs, ensemble=True) == (
        400,
        "no_ensemble",
        "ensemble",
    )


def test_a_file_in_and_a_file_out(shared_stack: Stack, job: dict[str, Any]) -> None:
    name = job["fine_tuned_model"]
    texts = [TEXTS[index % 3] for index in range(1003)]  # more than one chunk
    file = shared_stack.upload(
        csv_bytes([(text, "x") for text in texts], ("text", "comment")), "new.csv"
    )
    for ensemble in (False, True):
        answer = shared_stack.http.post(
            "/v1/classifications/batches",
            json={"model": name, "input_file": file["id"], "ensemble": ensemble},
        )
        assert answer.status_code == 200, answer.text
        batch = answer.json()
        assert batch["request_counts"] == {"total": 1003, "completed": 1003, "failed": 0}
        assert (
            shared_stack.get(f"/v1/files/{batch['output_file_id']}")["purpose"]
            == "fine-tune-results"
        )
        content = shared_stack.http.get(f"/v1/files/{batch['output_file_id']}/content").text
        rows = list(csv.DictReader(io.StringIO(content)))
        assert [int(row["row"]) for row in rows] == list(range(1, 1004))
        alone = shared_stack.classify(model=name, input=TEXTS, ensemble=ensemble)["results"]
        for row, result in zip(
            rows, [alone[index % 3]["label"] for index in range(1003)], strict=True
        ):
            assert row["predicted"] == result["predicted"]
            assert bool(int(row["truncated"])) == result["truncated"]
            found = {label: float(row[f"p({label})"]) for label in ("bad", "good")}
            assert found == pytest.approx(result["scores"], abs=1e-5)
            assert ("vote_entropy" in row) == ensemble


def test_a_file_that_does_not_fit_is_refused_with_a_reason(
    shared_stack: Stack, job: dict[str, Any]
) -> None:
    def refused(content: bytes, **request: Any) -> tuple[int, str, str | None]:
        body = {
            "model": job["fine_tuned_model"],
            "input_file": shared_stack.upload(content)["id"],
            **request,
        }
        answer = shared_stack.http.post("/v1/classifications/batches", json=body)
        error = answer.json()["error"]
        return answer.status_code, error["code"], error["param"]

    rows = review_csv(10)
    assert refused(rows, input_file="file-none") == (404, "file_not_found", "input_file")
    assert refused(rows, model="ft:none") == (404, "model_not_found", "model")
    assert refused(rows, text_column="sentence") == (400, "invalid_value", "text_column")
    assert refused(rows, text_pair_column="label") == (400, "invalid_value", "text_pair_column")
    assert refused(csv_bytes([("a", "b"), ("", "c")])) == (400, "invalid_value", "text_column")
    assert refused(csv_bytes([("a", "b")] * 20_001)) == (400, "invalid_value", "input_file")
    assert refused(rows, ensemble=True, colour="red") == (400, "invalid_request", "colour")


def test_seeds_that_are_added_join_the_ensemble(shared_stack: Stack, job: dict[str, Any]) -> None:
    before = {
        run["id"]: shared_stack.classify(model=run["fine_tuned_model"], input=TEXTS)
        for run in shared_stack.runs(job["id"])
    }
    answer = shared_stack.http.post(
        f"/v1/fine_tuning/jobs/{job['id']}/extend", json={"num_seeds": 1}
    )
    assert answer.status_code == 200, answer.text
    assert shared_stack.wait(job["id"])["fine_tuned_model"] == job["fine_tuned_model"]
    runs = shared_stack.runs(job["id"])
    names = {run["id"]: run["fine_tuned_model"] for run in runs}
    assert len(set(names.values())) == 4
    assert None not in names.values()
    for (
        run_id,
        earlier,
    ) in before.items():  # a new model id does not move a run's weights
        assert (
            shared_stack.classify(model=names[run_id], input=TEXTS)["results"] == earlier["results"]
        )
    listed = {
        model["id"]
        for model in shared_stack.get("/v1/models")["data"]
        if model["job_id"] == job["id"]
    }
    assert listed == set(names.values())
    in_use = [job["id"], *names]
    folders = [str(path.parent) for path in (shared_stack.home / "storage").rglob("model.onnx")]
    assert sum(any(name in folder for name in in_use) for folder in folders) == 4


def test_a_deleted_model_answers_no_more(shared_stack: Stack, job: dict[str, Any]) -> None:
    """Must be the last test of the job: it deletes a model and checks that the others stay."""
    names = [run["fine_tuned_model"] for run in shared_stack.runs(job["id"])]
    [gone, *_] = [name for name in names if name != job["fine_tuned_model"]]
    shared_stack.classify(model=gone, input="a")
    copies = shared_stack.home / "cache" / "models"
    before = len(list(copies.iterdir()))
    assert shared_stack.http.delete(f"/v1/models/{gone}").status_code == 200
    assert refusal(shared_stack, model=gone, input="a") == (404, "model_not_found", "model")
    assert len(list(copies.iterdir())) == before - 1
    shared_stack.classify(model=job["fine_tuned_model"], input="a")


def test_a_job_that_keeps_no_model(shared_stack: Stack) -> None:
    file = shared_stack.upload(review_csv(60))
    asked = {
        "model": "tiny-bert",
        "recipe": QUICK,
        "runs": {"num_seeds": 2},
        "artifacts": {"keep": "none"},
    }
    job = shared_stack.wait(shared_stack.create(file["id"], **asked)["id"])
    for seeds in (2, 3):
        assert (job["status"], job["fine_tuned_model"]) == ("succeeded", None)
        assert (job["stability"]["n"], job["stability"]["fine_tuned_model"]) == (seeds, None)
        assert list(result_files(shared_stack, job)) == ["metrics.csv"]
        runs = shared_stack.runs(job["id"])
        assert [run["fine_tuned_model"] for run in runs] == [None] * seeds
        assert all(run["weights_sha256"] for run in runs)
        assert shared_stack.get(f"/v1/fine_tuning/jobs/{job['id']}/checkpoints")["data"] == []
        for run in runs:
            assert not list(
                (shared_stack.home / "storage" / "runs").glob(f"{run['id']}/**/*.safetensors")
            )
        if seeds == 2:
            shared_stack.http.post(
                f"/v1/fine_tuning/jobs/{job['id']}/extend", json={"num_seeds": 1}
            )
            job = shared_stack.wait(job["id"])
    assert refusal(
        shared_stack, model=build_model_id("tiny-bert", "local", None, job["id"]), input="a film"
    )[:2] == (
        404,
        "model_not_found",
    )
    with (
        Client(str(shared_stack.http.base_url)) as client,
        pytest.raises(CliError, match="no model to download"),
    ):
        find_archive(client, job["id"])

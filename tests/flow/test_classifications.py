"""Classification over HTTP with the models of a real job, compared with plain torch."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.client import Client
from cli.download import find_archive
from cli.errors import CliError
from tests.flow.classifications import (
    QUICK,
    TEXTS,
    classify_with_torch,
    get_refusal,
)
from tests.make import pair_tsv
from tests.pages.forms import BROWSER, find_token
from tests.shared.report.parsed_page import ParsedPage
from tests.stack import Stack


def test_probabilities_are_those_of_torch(
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
        targets, classify_with_torch(shared_stack, job, tmp_path, TEXTS), strict=True
    ):
        assert list(target["scores"].values()) == pytest.approx(probabilities, abs=1e-4)


def test_a_single_text_and_only_the_best_score(shared_stack: Stack, job: dict[str, Any]) -> None:
    whole = shared_stack.classify(model=job["fine_tuned_model"], input=TEXTS[0])["results"]
    [brief] = shared_stack.classify(
        model=job["fine_tuned_model"], input=TEXTS[0], return_all_scores=False
    )["results"]
    [target] = [result["label"] for result in whole]
    best = target["predicted"]
    assert brief["label"]["scores"] == {best: target["scores"][best]}


def test_the_page_answers_as_the_api_does(shared_stack: Stack, job: dict[str, Any]) -> None:
    path = f"/jobs/{job['id']}/model"
    with httpx.Client(base_url=shared_stack.http.base_url, timeout=30) as browser:
        token = find_token(browser.get(path, headers=BROWSER).text)
        form = {"csrf": token, "text": TEXTS[0], "ensemble": "1"}
        page = browser.post(path, data=form, headers=BROWSER)
        assert page.status_code == 200, page.text
        rows = browser.get(f"/jobs/{job['id']}/rows", headers=BROWSER)
    answer = shared_stack.classify(model=job["fine_tuned_model"], input=TEXTS[0], ensemble=True)
    [target] = [result["label"] for result in answer["results"]]
    shown = {row[0]: row[2] for row in ParsedPage(page.text).rows if row[0] in answer["labels"]}
    assert shown == {name: f"{score:.3f}" for name, score in target["scores"].items()}
    assert rows.status_code == 200
    assert 'class="matrix"' in rows.text


def test_a_result_does_not_depend_on_the_other_texts_of_the_request(
    shared_stack: Stack, job: dict[str, Any]
) -> None:
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
        assert find_archive(client, job["fine_tuned_model"]).id in job["result_files"]
        for name in names - {job["fine_tuned_model"]}:  # the archive holds the best run's weights
            with pytest.raises(CliError, match="It can still classify texts"):
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


def test_concurrent_requests_get_the_same_results(shared_stack: Stack, job: dict[str, Any]) -> None:
    def classify(_: int) -> list[Any]:
        results = shared_stack.classify(
            model=job["fine_tuned_model"], input=TEXTS * 20, ensemble=True
        )["results"]
        return list(results)

    with ThreadPoolExecutor(6) as threads:
        first, *others = threads.map(classify, range(12))
    for other in others:
        assert_equal_results(other, first)


def test_single_texts_of_many_clients_get_the_results_of_a_pass_alone(
    shared_stack: Stack, job: dict[str, Any]
) -> None:
    texts = [f"{TEXTS[index % 3]} {'film ' * (index % 9)}" for index in range(128)]

    def classify(text: str) -> list[Any]:
        results = shared_stack.classify(model=job["fine_tuned_model"], input=text)["results"]
        return list(results)

    alone = [classify(text) for text in texts]
    with ThreadPoolExecutor(32) as threads:  # a refusal would raise
        together = list(threads.map(classify, texts))
    for found, expected in zip(together, alone, strict=True):
        assert_equal_results(found, expected)


def assert_equal_results(found: list[Any], expected: list[Any]) -> None:
    """Compare results up to rounding, which depends on what shares a forward pass."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one["label"]["predicted"] == other["label"]["predicted"]
        assert one["label"]["truncated"] == other["label"]["truncated"]
        assert one["label"]["scores"] == pytest.approx(other["label"]["scores"], abs=1e-5)


def test_invalid_requests_are_refused(shared_stack: Stack, job: dict[str, Any]) -> None:
    name = job["fine_tuned_model"]
    assert get_refusal(shared_stack, model="tiny-bert", input="a") == (
        400,
        "invalid_value",
        "model",
    )
    assert get_refusal(shared_stack, model="ft:none", input="a") == (
        404,
        "model_not_found",
        "model",
    )
    assert get_refusal(shared_stack, model=name, input=[]) == (400, "invalid_request", "input")
    assert get_refusal(shared_stack, model=name, input="") == (400, "invalid_request", "input")
    assert get_refusal(shared_stack, model=name) == (400, "invalid_request", "input")
    assert get_refusal(shared_stack, model=name, input=["a"] * 1001) == (
        400,
        "invalid_request",
        "input",
    )
    assert get_refusal(shared_stack, model=name, input="a", colour="red") == (
        400,
        "invalid_request",
        "colour",
    )
    assert get_refusal(shared_stack, model=name, input=5) == (400, "invalid_request", "input")
    assert get_refusal(shared_stack, model=name, input=["a", ""]) == (
        400,
        "invalid_request",
        "input.1",
    )
    assert get_refusal(shared_stack, model=name, input=[{"text_b": "b"}]) == (
        400,
        "invalid_request",
        "input.0.text_a",
    )
    pair = {"text_a": "a", "text_b": "b"}
    assert get_refusal(shared_stack, model=name, input=["a", pair]) == (
        400,
        "invalid_value",
        "input.1",
    )


def test_text_pairs_and_a_job_without_an_ensemble(shared_stack: Stack, tmp_path: Path) -> None:
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
    expected = classify_with_torch(shared_stack, job, tmp_path, TEXTS, TEXTS[1:] + TEXTS[:1])
    for result, probabilities in zip(answer["results"], expected, strict=True):
        assert list(result["is_duplicate"]["scores"].values()) == pytest.approx(
            probabilities, abs=1e-4
        )
    assert get_refusal(shared_stack, model=name, input="a") == (400, "invalid_value", "input")
    assert get_refusal(shared_stack, model=name, input=pairs, ensemble=True) == (
        400,
        "no_ensemble",
        "ensemble",
    )

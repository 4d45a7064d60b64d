"""Baseline scores: rows that the models see, stops, task types and k-fold means."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from transformers import AutoModel, AutoTokenizer

from shared.domain.task import SplitRequest, TaskType
from shared.metrics import Scoring
from tests.worker.training.runs import (
    BAD,
    FILLER,
    GOOD,
    make_review_rows,
    make_spec,
    make_task,
    never_stop,
    write_tsv,
)
from worker.training.baselines import rows as baseline_rows
from worker.training.baselines.features import TfIdfFeatures
from worker.training.baselines.frozen_encoder import FrozenEncoder
from worker.training.baselines.linear import fit_linear_model
from worker.training.baselines.rows import build_linear_targets
from worker.training.baselines.scoring import (
    BaselineScorer,
    get_texts,
    score_baselines,
)
from worker.training.data.split import load_splits
from worker.training.data.tokenization import TextCache
from worker.training.errors import StopRequested
from worker.training.events import BaselinesScored
from worker.training.model.transformers_logging import silence_transformers
from worker.training.spec import DataSpec


def score_job(spec: DataSpec) -> BaselinesScored:
    [event] = score_baselines(spec, lambda: False)
    return event


def score_split(spec: DataSpec, split: str = "validation") -> dict[str, float | None]:
    return {entry.name: entry.score for entry in score_job(spec).scores[split]}


def make_data_spec(folder: Path, base_model: Path, **changes: Any) -> DataSpec:
    spec = make_spec(folder, base_model, **changes)
    return DataSpec.model_validate(spec.model_dump(include=set(DataSpec.model_fields)))


def test_word_counts_equal_scikit_learns_on_the_training_rows(
    tmp_path: Path, tiny_bert: Path
) -> None:
    spec = make_data_spec(tmp_path, tiny_bert, rows=80)
    splits = load_splits(spec, TextCache(), never_stop)
    train, validation = get_texts(splits.train).ravel(), get_texts(splits.validation).ravel()
    labels = build_linear_targets(splits.train, spec.task)

    def compute_accuracy(targets: Any, predictions: Any) -> float:
        return float(accuracy_score(targets, predictions))

    chosen = fit_linear_model(
        lambda: TfIdfFeatures(50_000),
        train[:, None],
        labels,
        spec.task.type,
        compute_accuracy,
        never_stop,
    ).inverse_penalty
    counts = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+").fit(train)
    model = LogisticRegression(C=chosen, max_iter=200).fit(counts.transform(train), labels)
    expected = compute_accuracy(
        build_linear_targets(splits.validation, spec.task),
        model.predict(counts.transform(validation)),
    )
    assert score_split(spec)["tfidf_logistic_regression"] == expected
    assert expected > 0.9  # one word of each text decides its label


def test_validation_labels_change_the_scores_and_not_the_models(
    tmp_path: Path, tiny_bert: Path
) -> None:
    """With two labels swapped, unchanged predictions are right where they were wrong before."""
    rows = make_review_rows(40, seed=5)
    swapped = [rows[0], *((text, {"yes": "no", "no": "yes"}[label]) for text, label in rows[1:])]
    files = [
        write_tsv(tmp_path / f"{name}.tsv", table)
        for name, table in (("as-is", rows), ("swapped", swapped))
    ]
    before, after = (
        score_split(make_data_spec(tmp_path, tiny_bert, validation_file=file)) for file in files
    )
    assert len(before) == 2
    for name, score in before.items():
        assert score is not None
        assert after[name] == pytest.approx(1 - score)


def test_the_same_job_has_the_same_scores(tmp_path: Path, tiny_bert: Path) -> None:
    spec = make_data_spec(
        tmp_path,
        tiny_bert,
        split=SplitRequest(validation_fraction=0.3, test_fraction=0.2),
        metric="mcc",
    )
    first, second = score_job(spec), score_job(spec)
    assert first == second
    assert list(first.scores) == ["validation", "test"]
    assert [entry.name for entry in first.scores["test"]] == [
        "tfidf_logistic_regression",
        "linear_probe",
    ]
    assert first.rows == 30


def make_pair_rows(count: int) -> list[tuple[str, ...]]:
    """Return pairs labeled by whether the second text repeats the first one's first word."""
    draw = random.Random(0)
    rows: list[tuple[str, ...]] = [("text", "other", "label")]
    for index in range(count):
        words = draw.sample(GOOD + BAD, 2)
        second = words[0] if index % 2 else words[1]
        rows.append(
            (
                f"{words[0]} {draw.choice(FILLER)}",
                f"{second} {draw.choice(FILLER)}",
                "yes" if index % 2 else "no",
            )
        )
    return rows


def test_pairs_are_compared(tmp_path: Path, tiny_bert: Path) -> None:
    task = make_task(text_column="text", text_pair_column="other")
    spec = make_data_spec(
        tmp_path,
        tiny_bert,
        task=task,
        training_file=write_tsv(tmp_path / "pairs.tsv", make_pair_rows(200)),
    )
    score = score_split(spec)["tfidf_logistic_regression"]
    assert score is not None
    assert score > 0.9


def test_very_many_rows_are_downsampled(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baseline_rows, "MIN_ROWS", 10)
    monkeypatch.setattr(baseline_rows, "MAX_ROWS", 20)
    assert score_job(make_data_spec(tmp_path, tiny_bert, rows=60)).rows == 20


def test_a_stop_takes_effect_within_a_fit_or_batch(tmp_path: Path, tiny_bert: Path) -> None:
    spec = make_data_spec(tmp_path, tiny_bert)
    calls = 0

    def stop_at_call(count: int) -> None:
        nonlocal calls
        calls = 0

        def should_stop() -> bool:
            nonlocal calls
            calls += 1
            return calls >= count

        list(score_baselines(spec, should_stop))

    stop_at_call(10**9)
    assert calls > 40  # one per fit and per batch
    for count in (1, 3, calls // 2, calls):
        with pytest.raises(StopRequested):
            stop_at_call(count)
        assert calls == count


def test_multi_label_and_regression(tmp_path: Path, tiny_bert: Path) -> None:
    rows = make_review_rows(120)
    label_sets = [
        rows[0],
        *((text, f"{label}{'|long' if len(text) > 30 else ''}") for text, label in rows[1:]),
    ]
    multi_label = make_task(
        type=TaskType.MULTI_LABEL, label_names=["long", "no", "yes"], positive_label=None
    )
    numbers = [
        rows[0],
        *((text, str(len(text) + 20.5 * (label == "yes"))) for text, label in rows[1:]),
    ]
    regression = make_task(type=TaskType.REGRESSION, label_names=[], positive_label=None)
    for task, table, metric, names in (
        (multi_label, label_sets, "f1_micro", ["tfidf_logistic_regression", "linear_probe"]),
        (regression, numbers, "pearson", ["tfidf_ridge", "linear_probe"]),
    ):
        file = write_tsv(tmp_path / f"{task.type}.tsv", table)
        scores = score_split(
            make_data_spec(tmp_path, tiny_bert, task=task, training_file=file, metric=metric)
        )
        assert list(scores) == names
        assert scores[names[0]] is not None
        assert (scores[names[0]] or 0.0) > 0.7, task.type


def test_under_k_fold_a_score_is_the_mean_over_the_folds(tmp_path: Path, tiny_bert: Path) -> None:
    spec = make_data_spec(tmp_path, tiny_bert, rows=45, split=SplitRequest(mode="kfold", k=3))
    fold_scores = []
    for fold in range(3):
        splits = load_splits(spec.model_copy(update={"fold": fold}), TextCache(), never_stop)
        scorer = BaselineScorer(splits, Scoring(spec.task, spec.metric), never_stop)
        fold_scores.append(
            scorer.score_model(
                lambda: TfIdfFeatures(50_000), lambda split: {"words": get_texts(split)}
            )["validation"]
        )
    found = score_split(spec)
    assert len(set(fold_scores)) > 1
    assert found["tfidf_logistic_regression"] == pytest.approx(
        sum(score or 0.0 for score in fold_scores) / 3
    )


def test_each_row_is_encoded_once(tmp_path: Path, tiny_bert: Path) -> None:
    spec = make_data_spec(tmp_path, tiny_bert, rows=45)
    calls: list[int] = []
    encoder = FrozenEncoder(spec, lambda: calls.append(1))
    split = load_splits(spec, TextCache(), never_stop).train
    first = encoder.get_joined_views(split)
    calls_of_first = len(calls)
    again = encoder.get_joined_views(split)
    assert len(calls) == calls_of_first
    assert list(first) == ["mean", "cls", "pooler"]
    for pooling, states in first.items():
        np.testing.assert_array_equal(again[pooling], states)


def make_similarity_spec(folder: Path, base_model: Path) -> DataSpec:
    """Return pairs scored by how many of their words are the same."""
    draw = random.Random(0)
    rows: list[tuple[str, ...]] = [("text", "other", "label")]
    for _ in range(120):
        first, second = (draw.sample(GOOD + BAD + FILLER, 4) for _ in range(2))
        shared = draw.randint(0, 4)
        second = [*first[:shared], *second[shared:]]
        rows.append((" ".join(first), " ".join(second), f"{len({*first} & {*second})}.5"))
    task = make_task(
        type=TaskType.REGRESSION,
        label_names=[],
        positive_label=None,
        text_column="text",
        text_pair_column="other",
    )
    file = write_tsv(folder / "similar.tsv", rows)
    return make_data_spec(folder, base_model, task=task, training_file=file, metric="pearson")


@pytest.mark.parametrize("family", ["tiny_bert", "tiny_roberta"])
def test_pairs_are_also_compared_text_by_text(
    family: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    scores = score_split(make_similarity_spec(tmp_path, request.getfixturevalue(family)))
    assert list(scores) == ["tfidf_ridge", "linear_probe", "pair_probe", "pair_cosine"]
    cosine, joined = scores["pair_cosine"], scores["linear_probe"]
    assert cosine is not None
    assert cosine > 0.5  # even of a random encoder: equal words have equal vectors
    assert cosine > (joined or 0.0)


def test_the_cosine_of_a_pair_is_that_of_its_texts_alone(tmp_path: Path, tiny_bert: Path) -> None:
    spec = make_similarity_spec(tmp_path, tiny_bert)
    encoder = FrozenEncoder(spec, never_stop)
    split = load_splits(spec, TextCache(), never_stop).validation
    found = encoder.get_cosine_views(split)["mean"]
    with silence_transformers():
        model = AutoModel.from_pretrained(tiny_bert).eval()
        tokenizer = AutoTokenizer.from_pretrained(tiny_bert)

    @torch.no_grad()
    def embed(text: str) -> torch.Tensor:
        states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state
        mean: torch.Tensor = states[0].mean(dim=0)
        return mean

    examples = split.select_examples()
    assert examples.second_texts is not None
    expected = [
        torch.cosine_similarity(embed(first), embed(second), dim=0).item()
        for first, second in zip(examples.texts, examples.second_texts, strict=True)
    ]
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-5)

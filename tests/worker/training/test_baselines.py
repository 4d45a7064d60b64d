"""Baselines: what they see, what they never see, and that they are what their names say."""

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
    make_spec,
    make_task,
    review_rows,
    write_tsv,
)
from worker.training.baselines import scoring
from worker.training.baselines.features import TfIdfFeatures, compute_frozen_states
from worker.training.baselines.linear import fit_linear_model
from worker.training.baselines.scoring import (
    BaselineScorer,
    FrozenStateCache,
    build_linear_targets,
    get_texts,
    score_baselines,
)
from worker.training.data.split import load_splits
from worker.training.data.tokenization import TextCache
from worker.training.errors import StopRequested
from worker.training.events import BaselinesScored
from worker.training.model.encoder import load_encoder
from worker.training.model.transformers_logging import silence_transformers
from worker.training.spec import DataSpec


def go_on() -> None:
    """Nobody wants to stop."""


def scored(spec: DataSpec) -> BaselinesScored:
    [event] = score_baselines(spec, lambda: False)
    return event


def by_name(spec: DataSpec, split: str = "validation") -> dict[str, float | None]:
    return {entry.name: entry.score for entry in scored(spec).scores[split]}


def data_spec(folder: Path, base_model: Path, **changes: Any) -> DataSpec:
    spec = make_spec(folder, base_model, **changes)
    return DataSpec.model_validate(spec.model_dump(include=set(DataSpec.model_fields)))


def test_word_counts_are_scikit_learns_and_know_no_word_of_the_validation_rows(
    tmp_path: Path, tiny_bert: Path
) -> None:
    spec = data_spec(tmp_path, tiny_bert, rows=80)
    splits = load_splits(spec, TextCache(), go_on)
    train, validation = get_texts(splits.train).ravel(), get_texts(splits.validation).ravel()
    labels = build_linear_targets(splits.train, spec.task)

    def accuracy(targets: Any, answers: Any) -> float:
        return float(accuracy_score(targets, answers))

    chosen = fit_linear_model(
        lambda: TfIdfFeatures(50_000), train[:, None], labels, spec.task.type, accuracy, go_on
    ).inverse_penalty
    counts = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+").fit(train)
    model = LogisticRegression(C=chosen, max_iter=200).fit(counts.transform(train), labels)
    expected = accuracy(
        build_linear_targets(splits.validation, spec.task),
        model.predict(counts.transform(validation)),
    )
    assert by_name(spec)["tfidf_logistic_regression"] == expected
    assert expected > 0.9  # one word of each text tells its label


@pytest.mark.parametrize("family", ["tiny_bert", "tiny_roberta"])
def test_the_probe_reads_the_mean_of_the_frozen_encoders_last_states(
    family: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    base: Path = request.getfixturevalue(family)
    spec = data_spec(tmp_path, base)
    split = load_splits(spec, TextCache(), go_on).validation
    found = compute_frozen_states(load_encoder(base, spec.task, 0).base_model, split, go_on)
    with silence_transformers():
        encoder, tokenizer = (
            AutoModel.from_pretrained(base).eval(),
            AutoTokenizer.from_pretrained(base),
        )
    with torch.no_grad():
        for row, states in zip(split.rows, found, strict=True):
            text = split.text.examples.texts[row]
            alone = encoder(
                **tokenizer(text, return_tensors="pt", truncation=True, max_length=32)
            ).last_hidden_state
            np.testing.assert_allclose(states, alone[0].mean(dim=0).numpy(), atol=1e-5)


def test_other_validation_labels_change_the_scores_and_not_the_models(
    tmp_path: Path, tiny_bert: Path
) -> None:
    """With two labels, answers that stay as they were are right exactly where they were wrong
    before.
    """
    rows = review_rows(40, seed=5)
    turned = [rows[0], *((text, {"yes": "no", "no": "yes"}[label]) for text, label in rows[1:])]
    files = [
        write_tsv(tmp_path / f"{name}.tsv", table)
        for name, table in (("as-is", rows), ("turned", turned))
    ]
    before, after = (
        by_name(data_spec(tmp_path, tiny_bert, validation_file=file)) for file in files
    )
    assert len(before) == 2
    for name, score in before.items():
        assert score is not None
        assert after[name] == pytest.approx(1 - score)


def test_the_same_job_has_the_same_scores_on_the_same_splits_as_its_runs(
    tmp_path: Path, tiny_bert: Path
) -> None:
    spec = data_spec(
        tmp_path,
        tiny_bert,
        split=SplitRequest(validation_fraction=0.3, test_fraction=0.2),
        metric="mcc",
    )
    first, second = scored(spec), scored(spec)
    assert first == second
    assert list(first.scores) == ["validation", "test"]
    assert [entry.name for entry in first.scores["test"]] == [
        "tfidf_logistic_regression",
        "linear_probe",
    ]
    assert first.rows == 30


def pair_rows(count: int) -> list[tuple[str, ...]]:
    """Whether the second text repeats the word that matters in the first: neither text alone
    tells.
    """
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


def test_of_a_pair_both_texts_and_what_they_share_are_read(tmp_path: Path, tiny_bert: Path) -> None:
    task = make_task(text_column="text", text_pair_column="other")
    spec = data_spec(
        tmp_path,
        tiny_bert,
        task=task,
        training_file=write_tsv(tmp_path / "pairs.tsv", pair_rows(200)),
    )
    score = by_name(spec)["tfidf_logistic_regression"]
    assert score is not None
    assert score > 0.9
    matrix = (
        TfIdfFeatures(100)
        .fit(np.array([["a b", "b c"]], dtype=object))
        .transform(np.array([["a b", "b"]], dtype=object))
    )
    first, second, difference, product = np.split(matrix.toarray()[0], 4)
    np.testing.assert_allclose(difference, abs(first - second))
    np.testing.assert_allclose(product, first * second)


def test_words_of_scripts_without_blanks_and_signs_count() -> None:
    features = TfIdfFeatures(100).fit(np.array([["好电影 !"], ["坏电影 ?"]], dtype=object))
    one, other = features.transform(np.array([["好"], ["电影"]], dtype=object)).toarray()
    assert one.any()
    assert other.any()
    assert (
        TfIdfFeatures(100)
        .fit(np.array([["…"], ["♥"]], dtype=object))
        .transform(np.array([["♥"]], dtype=object))
        .sum()
        == 1
    )


def test_of_very_many_rows_an_even_sample_is_fitted(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "MIN_ROWS", 10)
    monkeypatch.setattr(scoring, "MAX_ROWS", 20)
    assert scored(data_spec(tmp_path, tiny_bert, rows=60)).rows == 20


def test_a_wish_to_stop_is_seen_on_the_way(tmp_path: Path, tiny_bert: Path) -> None:
    spec = data_spec(tmp_path, tiny_bert)
    asked = 0

    def from_the(count: int) -> None:
        nonlocal asked
        asked = 0

        def should_stop() -> bool:
            nonlocal asked
            asked += 1
            return asked >= count

        list(score_baselines(spec, should_stop))

    from_the(10**9)
    assert asked > 40  # each fit, each batch
    for count in (1, 3, asked // 2, asked):
        with pytest.raises(StopRequested):
            from_the(count)
        assert asked == count


def test_several_labels_a_row_and_numbers(tmp_path: Path, tiny_bert: Path) -> None:
    rows = review_rows(120)
    both = [
        rows[0],
        *((text, f"{label}{'|long' if len(text) > 30 else ''}") for text, label in rows[1:]),
    ]
    several = make_task(
        type=TaskType.MULTI_LABEL, label_names=["long", "no", "yes"], positive_label=None
    )
    numbers = [
        rows[0],
        *((text, str(len(text) + 20.5 * (label == "yes"))) for text, label in rows[1:]),
    ]
    regression = make_task(type=TaskType.REGRESSION, label_names=[], positive_label=None)
    for task, table, metric, names in (
        (several, both, "f1_micro", ["tfidf_logistic_regression", "linear_probe"]),
        (regression, numbers, "pearson", ["tfidf_ridge", "linear_probe"]),
    ):
        file = write_tsv(tmp_path / f"{task.type}.tsv", table)
        scores = by_name(
            data_spec(tmp_path, tiny_bert, task=task, training_file=file, metric=metric)
        )
        assert list(scores) == names
        assert scores[names[0]] is not None
        assert (scores[names[0]] or 0.0) > 0.7, task.type


def test_under_k_fold_a_score_is_the_mean_over_the_folds(tmp_path: Path, tiny_bert: Path) -> None:
    spec = data_spec(tmp_path, tiny_bert, rows=45, split=SplitRequest(mode="kfold", k=3))
    apart = []
    for fold in range(3):
        splits = load_splits(spec.model_copy(update={"fold": fold}), TextCache(), go_on)
        bench = BaselineScorer(splits, Scoring(spec.task, spec.metric), go_on)
        apart.append(bench.score_model(lambda: TfIdfFeatures(50_000), get_texts)["validation"])
    found = by_name(spec)
    assert len(set(apart)) > 1
    assert found["tfidf_logistic_regression"] == pytest.approx(
        sum(score or 0.0 for score in apart) / 3
    )


def test_each_row_meets_the_encoder_once(tmp_path: Path, tiny_bert: Path) -> None:
    spec = data_spec(tmp_path, tiny_bert, rows=45)
    asked: list[int] = []
    states = FrozenStateCache(spec, lambda: asked.append(1))
    split = load_splits(spec, TextCache(), go_on).train
    first = states(split)
    once = len(asked)
    np.testing.assert_array_equal(states(split), first)
    assert len(asked) == once

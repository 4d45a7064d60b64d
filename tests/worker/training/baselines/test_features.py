"""Features of texts: TF-IDF of words and pairs, and frozen encoder states."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from tests.worker.training.runs import make_spec, never_stop
from worker.training.baselines.features import (
    TfIdfFeatures,
    compare_embeddings,
    compute_frozen_states,
)
from worker.training.data.split import load_splits
from worker.training.data.tokenization import TextCache
from worker.training.model.encoder import has_pretrained_pooler, load_encoder
from worker.training.model.transformers_logging import silence_transformers


@pytest.mark.parametrize("family", ["tiny_bert", "tiny_roberta"])
def test_frozen_states_are_mean_and_first_of_the_last_hidden_states(
    family: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    base_model: Path = request.getfixturevalue(family)
    spec = make_spec(tmp_path, base_model)
    split = load_splits(spec, TextCache(), never_stop).validation
    states = compute_frozen_states(
        load_encoder(base_model, spec.task, 0).base_model,
        split.text,
        split.rows,
        ("mean", "cls"),
        never_stop,
    )
    with silence_transformers():
        encoder, tokenizer = (
            AutoModel.from_pretrained(base_model).eval(),
            AutoTokenizer.from_pretrained(base_model),
        )
    with torch.no_grad():
        for row, row_states in zip(split.rows, states, strict=True):
            text = split.text.examples.texts[row]
            alone = encoder(
                **tokenizer(text, return_tensors="pt", truncation=True, max_length=32)
            ).last_hidden_state
            expected = torch.stack([alone[0].mean(dim=0), alone[0, 0]]).numpy()
            np.testing.assert_allclose(row_states, expected, atol=1e-5)


def test_the_pooler_is_read_only_if_the_folder_has_its_weights(
    tmp_path: Path, tiny_bert: Path, tiny_roberta: Path
) -> None:
    task = make_spec(tmp_path, tiny_bert).task
    assert has_pretrained_pooler(tiny_bert, task)
    assert not has_pretrained_pooler(tiny_roberta, task)


def test_features_of_embeddings_are_difference_product_and_cosine() -> None:
    first, second = np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([[0.0, 2.0], [1.0, 0.0]])
    np.testing.assert_allclose(
        compare_embeddings(first, second),
        [[0.6, 0.2, 0.0, 0.8, 0.8], [1.0, 0.0, 0.0, 0.0, 0.0]],
    )


def test_features_of_a_pair_include_difference_and_product() -> None:
    matrix = (
        TfIdfFeatures(100)
        .fit(np.array([["a b", "b c"]], dtype=object))
        .transform(np.array([["a b", "b"]], dtype=object))
    )
    first, second, difference, product = np.split(matrix.toarray()[0], 4)
    np.testing.assert_allclose(difference, abs(first - second))
    np.testing.assert_allclose(product, first * second)


def test_scripts_without_spaces_and_signs_are_split_into_characters() -> None:
    features = TfIdfFeatures(100).fit(np.array([["好电影 !"], ["坏电影 ?"]], dtype=object))
    known, partly_known = features.transform(np.array([["好"], ["电影"]], dtype=object)).toarray()
    assert known.any()
    assert partly_known.any()
    assert (
        TfIdfFeatures(100)
        .fit(np.array([["…"], ["♥"]], dtype=object))
        .transform(np.array([["♥"]], dtype=object))
        .sum()
        == 1
    )

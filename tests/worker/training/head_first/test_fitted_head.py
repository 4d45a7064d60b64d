"""What the fit reads in every family, where it writes, and which runs share it."""

from pathlib import Path
from typing import Any

import pytest
import torch

from shared.domain.task import TaskType
from tests.encoders import ENCODERS, build_bert_folder
from tests.worker.training.pooled_models import make_pair_spec
from tests.worker.training.runs import make_recipe, make_spec, never_stop
from worker.training.data.batches import EVALUATION_BATCH_TOKENS
from worker.training.data.split import Splits, load_splits
from worker.training.data.tokenization import TextCache
from worker.training.evaluation import predict_logits
from worker.training.head_first import fitted_head
from worker.training.head_first.fitted_head import FittedHead, HeadFitter
from worker.training.head_first.inputs import compute_head_inputs, measure_input_noise
from worker.training.model.forward import Forward
from worker.training.model.module_groups import get_output_layer
from worker.training.network_setup import build_network
from worker.training.spec import RunSpec

HEADS = [
    ("family", "joined", TaskType.MULTI_LABEL),
    ("mean", "joined", TaskType.SINGLE_LABEL),
    ("cls", "separate", TaskType.SINGLE_LABEL),
    ("mean", "separate", TaskType.REGRESSION),
    ("mean", "aligned", TaskType.SINGLE_LABEL),
]


def load_run_splits(spec: RunSpec) -> Splits:
    return load_splits(spec, TextCache(), never_stop)


@torch.no_grad()
@pytest.mark.parametrize("family", ENCODERS)
def test_every_familys_logits_are_those_of_the_fitted_layer(family: str, tmp_path: Path) -> None:
    base = ENCODERS[family](tmp_path / "base", dropout=0.3)
    for pooling, pair_encoding, task_type in HEADS:
        spec = make_pair_spec(
            tmp_path,
            base,
            pooling=pooling,
            pair_encoding=pair_encoding,
            task_type=task_type,
            recipe={"head_first": True},
        )
        splits = load_run_splits(spec)
        network, train = build_network(spec, splits), splits.train
        head = HeadFitter().fit_head(network, spec, splits, never_stop)
        untouched = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        head.write_weights(network)
        inputs = compute_head_inputs(network, train.text, train.rows, never_stop)
        logits = predict_logits(Forward(network), train, never_stop)
        torch.testing.assert_close(
            logits.double(), head.layer.compute_logits(inputs), atol=1e-5, rtol=1e-5
        )
        output = {id(parameter) for parameter in get_output_layer(network).parameters()}
        changed = [
            name
            for name, tensor in network.named_parameters()
            if not torch.equal(tensor, untouched[name])
        ]
        assert {id(network.get_parameter(name)) for name in changed} == output
        padded = _compute_padded_logits(network, splits)
        torch.testing.assert_close(logits, padded, atol=1e-5, rtol=1e-5)


def _compute_padded_logits(network: Any, splits: Splits) -> torch.Tensor:
    text, rows = splits.train.text, splits.train.rows
    assert sum(text.list_lengths(rows)) < EVALUATION_BATCH_TOKENS
    return Forward(network)(text.build_padded_batch(rows))


def test_noise_is_the_variance_of_dropout(tmp_path: Path) -> None:
    measured = {}
    for rate in (0.0, 0.1, 0.3):
        base = build_bert_folder(tmp_path / f"base-{rate}", dropout=rate)
        spec = make_spec(tmp_path / str(rate), base, rows=400)
        splits = load_run_splits(spec)
        network, train = build_network(spec, splits), splits.train
        arguments = network, train.text, train.rows
        inputs = compute_head_inputs(*arguments, never_stop)
        state = torch.get_rng_state()
        first = measure_input_noise(*arguments, inputs, never_stop)
        torch.manual_seed(5)
        assert torch.equal(first, measure_input_noise(*arguments, inputs, never_stop))
        assert not network.training
        torch.set_rng_state(state)
        measured[rate] = (first / inputs.square().mean(dim=0)).mean().item()
    assert measured[0.0] == 0.0
    # at least that of the head's own dropout: p / (1 - p) of the inputs' squares
    assert measured[0.1] > 0.1
    assert measured[0.3] > 0.4


@pytest.mark.parametrize("threads", [1, 2])
def test_runs_share_a_head_exactly_if_nothing_below_it_differs(
    threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = build_bert_folder(tmp_path / "base")
    fits: list[RunSpec] = []
    fit_head = fitted_head._fit_head

    def count_fit(network: Any, spec: RunSpec, *rest: Any) -> FittedHead:
        fits.append(spec)
        return fit_head(network, spec, *rest)

    monkeypatch.setattr(fitted_head, "_fit_head", count_fit)
    fitter = HeadFitter()

    def fit(seed: int, rows: int = 60, **recipe: Any) -> FittedHead:
        settings = {"head_first": True, "reinit_layers": 0} | recipe
        spec = make_spec(
            tmp_path / str(rows),
            base,
            rows=rows,
            recipe=make_recipe(**settings),
            init_seed=seed,
            data_seed=seed,
            threads=threads,
        )
        splits = load_run_splits(spec)
        return fitter.fit_head(build_network(spec, splits), spec, splits, never_stop)

    first = fit(1)
    assert fit(2) is first
    assert fit(3, learning_rate=1e-4, precision="bfloat16") is first
    assert len(fits) == 1
    for others in (
        {"rows": 50},
        {"class_weights": "balanced"},
        {"reinit_layers": 1},
        {"pooling": "mean"},
        {"mixout": 0.5},
    ):
        changed = fit(1, **others)
        assert changed is not first
        again = fit(1)
        assert torch.equal(again.layer.weight, first.layer.weight)
        assert again.fit == first.fit
    drawn = [fit(seed, reinit_layers=1).layer.weight for seed in (1, 2)]
    assert not torch.equal(*drawn)


def test_large_files_are_fitted_on_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitted_head, "get_max_rows", lambda _task: 20)
    spec = make_spec(
        tmp_path, build_bert_folder(tmp_path / "base"), recipe=make_recipe(head_first=True)
    )
    splits = load_run_splits(spec)
    head = HeadFitter().fit_head(build_network(spec, splits), spec, splits, never_stop)
    assert len(splits.train.rows) > 20 == head.fit.rows

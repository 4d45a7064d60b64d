"""Pooled heads and separately encoded pairs compute what plain torch does, for every family."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from shared.domain.task import TaskType
from shared.recipe.schedule import create_linear_schedule
from tests.encoders import ENCODERS, build_bert_folder
from tests.worker.training.pooled_models import CHOICES, PlainModel, make_pair_spec
from tests.worker.training.runs import TrainedRun, make_task, never_stop
from worker.training.data.batches import iterate_shuffled_batches
from worker.training.data.split import Splits, load_splits
from worker.training.data.tokenization import TextCache
from worker.training.evaluation import predict_logits
from worker.training.model.encoder import load_encoder
from worker.training.model.forward import Forward
from worker.training.model.module_groups import list_module_groups
from worker.training.model.pair_heads import CosineHead
from worker.training.model.pooled_classifier import HeadChoice, PooledClassifier
from worker.training.model.precision import create_compute_weights
from worker.training.network_setup import build_network
from worker.training.optim.objective import get_plain_objective, set_map_to_range
from worker.training.spec import RunSpec


def load_pair_splits(spec: RunSpec) -> Splits:
    return load_splits(spec, TextCache(), never_stop)


def build_pooled_network(spec: RunSpec, splits: Splits) -> PooledClassifier:
    network = build_network(spec, splits)
    assert isinstance(network, PooledClassifier)
    return network


def build_plain_model(spec: RunSpec, network: PooledClassifier) -> PlainModel:
    """Return the untrained network in plain torch, with the base model's own encoder."""
    head = {name: tensor.detach() for name, tensor in network.classifier.named_parameters()}
    recipe = spec.recipe
    return PlainModel(spec.base_model, spec.task, recipe.pooling, recipe.pair_encoding, head)


@torch.no_grad()
@pytest.mark.parametrize("family", ENCODERS)
def test_logits_of_every_family_with_and_without_padding(family: str, tmp_path: Path) -> None:
    base = ENCODERS[family](tmp_path / "base")
    cases = [(*choice, TaskType.SINGLE_LABEL) for choice in CHOICES]
    regressions = [("mean", encoding, TaskType.REGRESSION) for encoding in ("separate", "aligned")]
    for pooling, pair_encoding, task_type in (*cases, *regressions):
        spec = make_pair_spec(
            tmp_path,
            base,
            pooling=pooling,
            pair_encoding=pair_encoding,
            task_type=task_type,
            recipe={"reinit_layers": 0},
        )
        splits = load_pair_splits(spec)
        network = build_pooled_network(spec, splits)
        network.train(False)
        text, rows = splits.train.text, list(splits.train.rows[:7])
        assert text.examples.second_texts is not None
        expected = build_plain_model(spec, network).eval()(
            [text.examples.texts[row] for row in rows],
            [text.examples.second_texts[row] for row in rows],
        )
        forward = Forward(network)
        for batch in (forward.build_batch(text, rows), text.build_padded_batch(rows)):
            torch.testing.assert_close(forward(batch), expected, atol=1e-5, rtol=1e-5)
        assert any(text.truncated)


@pytest.mark.parametrize(
    ("pooling", "pair_encoding", "task_type"),
    [
        ("cls", "joined", TaskType.SINGLE_LABEL),
        ("mean", "joined", TaskType.REGRESSION),
        ("cls", "separate", TaskType.MULTI_LABEL),
        ("mean", "separate", TaskType.SINGLE_LABEL),
        ("mean", "separate", TaskType.REGRESSION),
        ("mean", "aligned", TaskType.SINGLE_LABEL),
        ("cls", "aligned", TaskType.REGRESSION),
    ],
)
def test_five_steps_equal_those_of_plain_torch(
    pooling: str, pair_encoding: str, task_type: TaskType, tmp_path: Path
) -> None:
    spec = make_pair_spec(
        tmp_path,
        build_bert_folder(tmp_path / "base", dropout=0.0),
        pooling=pooling,
        pair_encoding=pair_encoding,
        task_type=task_type,
        recipe={"reinit_layers": 0, "max_steps": 5, "eval_points": 1, "learning_rate": 1e-3},
    )
    splits = load_pair_splits(spec)
    plain = build_plain_model(spec, build_pooled_network(spec, splits))
    recipe, text, losses = spec.recipe, splits.train.text, []
    assert text.examples.second_texts is not None
    optimizer = torch.optim.AdamW(plain.parameters(), weight_decay=0.0)
    schedule = create_linear_schedule(recipe.learning_rate, recipe.warmup_ratio, recipe.max_steps)
    batches = iterate_shuffled_batches(splits.train.rows, recipe.train_batch_size, spec.data_seed)
    for step, rows in zip(range(1, recipe.max_steps + 1), batches, strict=False):
        logits = plain(
            [text.examples.texts[row] for row in rows],
            [text.examples.second_texts[row] for row in rows],
        )
        loss = get_plain_objective(task_type)(logits, text.build_targets(rows))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), recipe.max_grad_norm)
        optimizer.param_groups[0]["lr"] = schedule.compute_rate(step)
        optimizer.step()
        losses.append(loss.item())
    assert TrainedRun(spec).losses == pytest.approx(losses, abs=2e-5)


@pytest.mark.parametrize("family", ENCODERS)
def test_the_head_is_drawn_from_its_own_stream_and_has_the_familys_dropout(
    family: str, tmp_path: Path
) -> None:
    base = ENCODERS[family](tmp_path / "base", dropout=0.15)
    task = make_task(text_pair_column="other")
    choice = HeadChoice("mean", "separate")
    first, same, other = (load_encoder(base, task, seed, choice) for seed in (1, 1, 2))
    weights = [
        network.get_parameter("classifier.output.weight").detach()
        for network in (first, same, other)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert weights[0].std().item() == pytest.approx(first.config.initializer_range, rel=0.3)
    assert not first.get_parameter("classifier.output.bias").any()
    assert first.get_submodule("dropout").p == pytest.approx(0.15)
    groups = {group.name: group.parameters for group in list_module_groups(first)}
    assert set(groups["head"]) == {"classifier.output.weight", "classifier.output.bias"}
    assert "pooler" not in groups
    plain = AutoModelForSequenceClassification.from_pretrained(base).state_dict()
    encoder = {name: tensor for name, tensor in first.state_dict().items() if name in plain}
    encoder.pop("classifier.output.weight", None)
    encoder.pop("classifier.output.bias", None)
    assert len(encoder) == len(first.state_dict()) - 2
    assert all(torch.equal(tensor, plain[name]) for name, tensor in encoder.items())


def test_a_cosine_starts_at_the_range_of_the_labels() -> None:
    head = CosineHead()
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    set_map_to_range(head, [4.0, 1.0, 2.0])
    assert head(*vectors).tolist() == [[4.0], [1.0]]
    set_map_to_range(head, [2.0, 2.0])
    assert head(*vectors).tolist() == [[3.0], [2.0]]  # a scale of 0 would stop the gradient


def test_bfloat16_keeps_the_map_of_the_cosine_in_float32(tmp_path: Path) -> None:
    spec = make_pair_spec(
        tmp_path,
        build_bert_folder(tmp_path / "base"),
        pooling="mean",
        pair_encoding="separate",
        task_type=TaskType.REGRESSION,
    )
    splits = load_pair_splits(spec)
    network = build_pooled_network(spec, splits)
    exact = predict_logits(Forward(network), splits.validation, never_stop)
    replica = create_compute_weights(network, "bfloat16").module
    assert replica.get_parameter("classifier.map.weight") is network.get_parameter(
        "classifier.map.weight"
    )
    rounded = predict_logits(Forward(replica), splits.validation, never_stop)
    torch.testing.assert_close(rounded, exact, atol=0.05, rtol=0)
    assert not torch.equal(rounded, rounded.bfloat16().float())

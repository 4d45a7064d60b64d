"""Remedy 2, tensor by tensor: what is drawn has the distribution it should have, the rest is
the checkpoint's to the last bit.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from tests.encoders import BLOCKS, bert_folder
from tests.encoders.names import POOLER, block_of, is_head, is_pooler
from tests.worker.training.runs import make_task
from worker.training.model.encoder import load_encoder
from worker.training.model.reinit import reinitialize_modules


@pytest.fixture(scope="module")
def tensors(folder: Path) -> Callable[..., dict[str, Tensor]]:
    """Parameters of the network with this re-initialised."""

    def drawn(
        *, pooler: bool = False, layers: int | list[int] = 0, init_seed: int = 5
    ) -> dict[str, Tensor]:
        network = load_encoder(folder, make_task(), init_seed)
        reinitialize_modules(network, pooler=pooler, layers=layers, init_seed=init_seed)
        return {name: tensor.detach().clone() for name, tensor in network.named_parameters()}

    return drawn


@pytest.fixture(scope="module")
def original(folder: Path) -> dict[str, Tensor]:
    """The base model's own tensors under the names they have in the classification model."""
    prefix = load_encoder(folder, make_task(), 0).base_model_prefix
    found = load_file(folder / "model.safetensors")
    return found | {f"{prefix}.{name}": tensor for name, tensor in found.items()}


def choices(family: str) -> list[tuple[bool, int | list[int], set[int]]]:
    """Settings of the two switches, with the blocks that they mean."""
    blocks = 1 if family == "albert" else BLOCKS
    depths: list[tuple[int | list[int], set[int]]] = [
        (depth, set(range(blocks - depth, blocks))) for depth in range(blocks + 1)
    ]
    lists: list[tuple[int | list[int], set[int]]] = [
        ([0], {0}),
        ([blocks - 1, 0, 0], {0, blocks - 1}),
    ]
    poolers = [False, True] if family in POOLER else [False]
    return [(pooler, layers, meant) for pooler in poolers for layers, meant in depths + lists]


def test_every_tensor_is_either_drawn_or_the_checkpoints(
    family: str, tensors: Callable[..., dict[str, Tensor]], original: dict[str, Tensor]
) -> None:
    for pooler, layers, meant in choices(family):
        found = tensors(pooler=pooler, layers=layers)
        assert meant == {block for name in found if (block := block_of(family, name)) in meant}
        for name, tensor in found.items():
            if is_head(family, name):
                assert_drawn(name, tensor)
            elif block_of(family, name) in meant or (pooler and is_pooler(family, name)):
                assert_drawn(name, tensor)
                assert not torch.equal(tensor, original[name]), name
            else:
                assert torch.equal(tensor, original[name]), name


def assert_drawn(name: str, tensor: Tensor) -> None:
    if name.endswith("bias"):
        assert torch.all(tensor == 0.0), name
    elif tensor.ndim == 1:
        assert torch.all(tensor == 1.0), name  # the weight of a norm
    else:
        # four standard errors of mean and deviation of so many draws from N(0, 0.02)
        assert abs(tensor.mean().item()) < 4 * 0.02 / tensor.numel() ** 0.5, name
        assert tensor.std().item() == pytest.approx(
            0.02, abs=4 * 0.02 / (2 * tensor.numel()) ** 0.5
        ), name


def test_the_deviation_is_the_configs(tmp_path: Path) -> None:
    folder = bert_folder(tmp_path)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(
        config.replace('"initializer_range": 0.02', '"initializer_range": 0.5')
    )
    network = load_encoder(folder, make_task(), 0)
    reinitialize_modules(network, pooler=True, layers=1, init_seed=0)
    assert network.get_parameter(
        "bert.encoder.layer.2.intermediate.dense.weight"
    ).std().item() == pytest.approx(0.5, rel=0.1)


def everything(family: str) -> dict[str, Any]:
    return {"pooler": family in POOLER, "layers": 1 if family == "albert" else BLOCKS}


def test_a_blocks_draw_does_not_depend_on_what_else_is_drawn(
    family: str, tensors: Callable[..., dict[str, Tensor]]
) -> None:
    one, all_of_it = tensors(layers=1), tensors(**everything(family))
    blocks = [block for name in one if (block := block_of(family, name)) is not None]
    top = [name for name in one if block_of(family, name) == max(blocks) or is_head(family, name)]
    for name in top:
        assert torch.equal(one[name], all_of_it[name]), name


def test_no_two_matrices_share_a_draw(
    family: str, tensors: Callable[..., dict[str, Tensor]]
) -> None:
    drawn = [
        tensor
        for name, tensor in tensors(**everything(family)).items()
        if tensor.ndim == 2
        and (is_head(family, name) or is_pooler(family, name) or block_of(family, name) is not None)
    ]
    assert len({tuple(tensor.flatten()[:4].tolist()) for tensor in drawn}) == len(drawn) > 4


def test_the_draw_is_the_init_seeds_and_nothing_elses(
    family: str, tensors: Callable[..., dict[str, Tensor]]
) -> None:
    first = tensors(layers=1)
    torch.manual_seed(123)
    torch.randn(7)
    again, other = tensors(layers=1), tensors(layers=1, init_seed=6)
    assert all(torch.equal(first[name], again[name]) for name in first)
    changed = {name for name in first if not torch.equal(first[name], other[name])}
    assert any(is_head(family, name) for name in changed)
    assert any(block_of(family, name) is not None for name in changed)
    assert not any(first[name].ndim == 1 for name in changed)


def refuse(network: PreTrainedModel, *, pooler: bool = False, layers: int | list[int] = 0) -> str:
    with pytest.raises(ValueError, match="to be drawn afresh") as caught:
        reinitialize_modules(network, pooler=pooler, layers=layers, init_seed=0)
    return str(caught.value)


def test_what_an_encoder_lacks_cannot_be_drawn_afresh(family: str, folder: Path) -> None:
    network = load_encoder(folder, make_task(), 0)
    assert "blocks 4 are" in refuse(network, layers=4)
    assert "blocks [0, 3] are" in refuse(network, layers=[0, 3])
    if family not in POOLER:
        assert "has none" in refuse(network, pooler=True)

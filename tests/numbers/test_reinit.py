"""Re-initialized tensors have the right distribution, and all others are the checkpoint's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from tests.encoders import BLOCKS, build_bert_folder
from tests.encoders.names import POOLER, get_block, is_head, is_pooler
from tests.worker.training.runs import make_task
from worker.training.model.encoder import load_encoder
from worker.training.model.reinit import reinitialize_modules


@pytest.fixture(scope="module")
def draw_parameters(folder: Path) -> Callable[..., dict[str, Tensor]]:
    """Loads the network, re-initializes it as asked, and returns its parameters."""

    def draw(
        *, pooler: bool = False, layers: int | list[int] = 0, init_seed: int = 5
    ) -> dict[str, Tensor]:
        network = load_encoder(folder, make_task(), init_seed)
        reinitialize_modules(network, pooler=pooler, layers=layers, init_seed=init_seed)
        return {name: tensor.detach().clone() for name, tensor in network.named_parameters()}

    return draw


@pytest.fixture(scope="module")
def original(folder: Path) -> dict[str, Tensor]:
    """The base model's tensors under their names in the classification model."""
    prefix = load_encoder(folder, make_task(), 0).base_model_prefix
    found = load_file(folder / "model.safetensors")
    return found | {f"{prefix}.{name}": tensor for name, tensor in found.items()}


def list_settings(family: str) -> list[tuple[bool, int | list[int], set[int]]]:
    """Return settings of ``pooler`` and ``layers`` with the blocks that they select."""
    blocks = 1 if family == "albert" else BLOCKS
    depths: list[tuple[int | list[int], set[int]]] = [
        (depth, set(range(blocks - depth, blocks))) for depth in range(blocks + 1)
    ]
    lists: list[tuple[int | list[int], set[int]]] = [
        ([0], {0}),
        ([blocks - 1, 0, 0], {0, blocks - 1}),
    ]
    poolers = [False, True] if family in POOLER else [False]
    return [(pooler, layers, selected) for pooler in poolers for layers, selected in depths + lists]


def test_every_tensor_is_either_drawn_or_from_the_checkpoint(
    family: str, draw_parameters: Callable[..., dict[str, Tensor]], original: dict[str, Tensor]
) -> None:
    for pooler, layers, selected in list_settings(family):
        found = draw_parameters(pooler=pooler, layers=layers)
        assert selected == {
            block for name in found if (block := get_block(family, name)) in selected
        }
        for name, tensor in found.items():
            if is_head(family, name):
                assert_drawn(name, tensor)
            elif get_block(family, name) in selected or (pooler and is_pooler(family, name)):
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
        # four standard errors of the mean and deviation of N(0, 0.02)
        assert abs(tensor.mean().item()) < 4 * 0.02 / tensor.numel() ** 0.5, name
        assert tensor.std().item() == pytest.approx(
            0.02, abs=4 * 0.02 / (2 * tensor.numel()) ** 0.5
        ), name


def test_the_standard_deviation_comes_from_the_config(tmp_path: Path) -> None:
    folder = build_bert_folder(tmp_path)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(
        config.replace('"initializer_range": 0.02', '"initializer_range": 0.5')
    )
    network = load_encoder(folder, make_task(), 0)
    reinitialize_modules(network, pooler=True, layers=1, init_seed=0)
    assert network.get_parameter(
        "bert.encoder.layer.2.intermediate.dense.weight"
    ).std().item() == pytest.approx(0.5, rel=0.1)


def select_everything(family: str) -> dict[str, Any]:
    return {"pooler": family in POOLER, "layers": 1 if family == "albert" else BLOCKS}


def test_a_blocks_draw_does_not_depend_on_what_else_is_drawn(
    family: str, draw_parameters: Callable[..., dict[str, Tensor]]
) -> None:
    one, everything = draw_parameters(layers=1), draw_parameters(**select_everything(family))
    blocks = [block for name in one if (block := get_block(family, name)) is not None]
    top = [name for name in one if get_block(family, name) == max(blocks) or is_head(family, name)]
    for name in top:
        assert torch.equal(one[name], everything[name]), name


def test_no_two_matrices_share_a_draw(
    family: str, draw_parameters: Callable[..., dict[str, Tensor]]
) -> None:
    drawn = [
        tensor
        for name, tensor in draw_parameters(**select_everything(family)).items()
        if tensor.ndim == 2
        and (
            is_head(family, name) or is_pooler(family, name) or get_block(family, name) is not None
        )
    ]
    assert len({tuple(tensor.flatten()[:4].tolist()) for tensor in drawn}) == len(drawn) > 4


def test_the_draw_depends_on_the_init_seed_only(
    family: str, draw_parameters: Callable[..., dict[str, Tensor]]
) -> None:
    first = draw_parameters(layers=1)
    torch.manual_seed(123)
    torch.randn(7)
    again, other = draw_parameters(layers=1), draw_parameters(layers=1, init_seed=6)
    assert all(torch.equal(first[name], again[name]) for name in first)
    changed = {name for name in first if not torch.equal(first[name], other[name])}
    assert any(is_head(family, name) for name in changed)
    assert any(get_block(family, name) is not None for name in changed)
    assert not any(first[name].ndim == 1 for name in changed)


def reinitialize_invalid(
    network: PreTrainedModel, *, pooler: bool = False, layers: int | list[int] = 0
) -> str:
    with pytest.raises(ValueError, match="cannot re-initialize") as caught:
        reinitialize_modules(network, pooler=pooler, layers=layers, init_seed=0)
    return str(caught.value)


def test_missing_blocks_and_poolers_are_rejected(family: str, folder: Path) -> None:
    network = load_encoder(folder, make_task(), 0)
    assert "blocks 4:" in reinitialize_invalid(network, layers=4)
    assert "blocks [0, 3]:" in reinitialize_invalid(network, layers=[0, 3])
    if family not in POOLER:
        assert "has none" in reinitialize_invalid(network, pooler=True)

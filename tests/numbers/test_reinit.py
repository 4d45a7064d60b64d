"""Remedy 2, tensor by tensor: what is drawn has the distribution it should have, the rest is the checkpoint's to the last bit."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.encoders import bert_folder, roberta_folder
from tests.worker.training.runs import make_task
from worker.training.encoder import load_encoder
from worker.training.reinit import reinitialize

FOLDERS = {"bert": bert_folder, "roberta": roberta_folder}
BLOCKS = 3


@pytest.fixture(scope="module", params=sorted(FOLDERS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FOLDERS[request.param](tmp_path_factory.mktemp(request.param))


def tensors(folder: Path, *, pooler: bool, layers: int, init_seed: int = 5) -> dict[str, Tensor]:
    network = load_encoder(folder, make_task(), init_seed)
    reinitialize(network, pooler=pooler, layers=layers, init_seed=init_seed)
    return {name: tensor.detach().clone() for name, tensor in network.named_parameters()}


def checkpoint(folder: Path) -> dict[str, Tensor]:
    """The base model's own tensors under the names they have in the classification model."""
    prefix = "bert" if (folder / "tokenizer.json").read_text().find("[CLS]") >= 0 else "roberta"
    return {f"{prefix}.{name}": tensor for name, tensor in load_file(folder / "model.safetensors").items()}


def is_drawn(name: str, *, pooler: bool, layers: int) -> bool:
    if "classifier" in name:
        return True
    if ".pooler." in name:
        return pooler
    return any(f".layer.{index}." in name for index in range(BLOCKS - layers, BLOCKS))


@pytest.mark.parametrize("pooler", [False, True])
@pytest.mark.parametrize("layers", [0, 1, 2, 3])
def test_every_tensor_is_either_drawn_or_the_checkpoints(folder: Path, pooler: bool, layers: int) -> None:
    original = checkpoint(folder)
    found = tensors(folder, pooler=pooler, layers=layers)
    drawn = {name for name in found if is_drawn(name, pooler=pooler, layers=layers)}
    assert {name for name in original if name in found} >= {name for name in found if "classifier" not in name}
    for name in found.keys() - drawn:
        assert torch.equal(found[name], original[name]), name
    for name in drawn & original.keys():
        assert not torch.equal(found[name], original[name]), name
    for name in drawn:
        assert_drawn(name, found[name])


def assert_drawn(name: str, tensor: Tensor) -> None:
    if name.endswith("bias"):
        assert torch.all(tensor == 0.0), name
    elif "LayerNorm" in name:
        assert torch.all(tensor == 1.0), name
    else:
        # four standard errors of mean and deviation of so many draws from N(0, 0.02)
        assert abs(tensor.mean().item()) < 4 * 0.02 / tensor.numel() ** 0.5, name
        assert tensor.std().item() == pytest.approx(0.02, abs=4 * 0.02 / (2 * tensor.numel()) ** 0.5), name


def test_the_deviation_is_the_configs(tmp_path: Path) -> None:
    folder = bert_folder(tmp_path)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"initializer_range": 0.02', '"initializer_range": 0.5'))
    found = tensors(folder, pooler=True, layers=1)
    assert found["bert.encoder.layer.2.intermediate.dense.weight"].std().item() == pytest.approx(0.5, rel=0.1)


def test_a_blocks_draw_does_not_depend_on_what_else_is_drawn(folder: Path) -> None:
    one = tensors(folder, pooler=False, layers=1)
    all_of_it = tensors(folder, pooler=True, layers=3)
    top = [name for name in one if ".layer.2." in name or "classifier" in name]
    assert top
    for name in top:
        assert torch.equal(one[name], all_of_it[name]), name


def test_no_two_matrices_share_a_draw(folder: Path) -> None:
    found = tensors(folder, pooler=True, layers=3)
    matrices = [tensor for name, tensor in found.items() if is_drawn(name, pooler=True, layers=3) and tensor.ndim == 2]
    starts = {tuple(tensor.flatten()[:4].tolist()) for tensor in matrices}
    assert len(starts) == len(matrices)


def test_the_draw_is_the_init_seeds_and_nothing_elses(folder: Path) -> None:
    first = tensors(folder, pooler=True, layers=1)
    torch.manual_seed(123)
    torch.randn(7)
    again = tensors(folder, pooler=True, layers=1)
    other = tensors(folder, pooler=True, layers=1, init_seed=6)
    assert all(torch.equal(first[name], again[name]) for name in first)
    for name in first:
        if is_drawn(name, pooler=True, layers=1) and name.endswith("weight") and "LayerNorm" not in name:
            assert not torch.equal(first[name], other[name]), name


def test_more_blocks_than_there_are_is_an_error(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"blocks 4 are .* has 3"):
        reinitialize(load_encoder(folder, make_task(), 0), pooler=False, layers=4, init_seed=0)

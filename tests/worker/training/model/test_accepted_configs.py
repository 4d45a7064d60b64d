"""Whatever config.json the checks of a folder accept, the trainer loads and computes with it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.errors import ModelNotAllowed
from shared.encoders.validation import check_model_folder
from shared.encoders.validation.config_schema import FAMILY_KEYS, EncoderConfig
from tests.encoders import ENCODERS
from tests.worker.training.runs import make_task
from worker.training.model.empty_network import build_empty_network
from worker.training.model.encoder import load_encoder

OTHER_KEYS = (
    *("attn_implementation", "_attn_implementation", "pruned_heads", "rope_theta", "z_steps"),
    *("position_embedding_type", "reference_compile", "quantization_config", "use_kernels"),
)
VALUES: list[Any] = [
    None, 0, 1, -1, 2, 3, 5, 7, 32, 64, 10**9, 2**70, 0.0, 0.5, 2.5, 1e-320, 1e300, "", "x", "gelu",
    "relu", "eager", "sdpa", "float16", "mean", "cls", "c2p|p2c", "full_attention", True, False,
    [], [1], ["c2p"], ["full_attention", "sliding_attention"], {}, {"0": "a"}, {"0": "a", "1": "b"},
]  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {family: ENCODERS[family](tmp_path_factory.mktemp(family)) for family in ENCODERS}


@pytest.fixture(scope="module")
def configs(folders: dict[str, Path]) -> dict[str, dict[str, Any]]:
    return {
        family: json.loads((folder / "config.json").read_text())
        for family, folder in folders.items()
    }


def list_keys(config: dict[str, Any]) -> list[str]:
    """List what a config of its family may say, under the family's own names."""
    names = FAMILY_KEYS.get(config["model_type"], {})
    keys = {names.get(name, name) for name in EncoderConfig.model_fields}
    return sorted(keys | config.keys() | set(OTHER_KEYS))


def is_accepted(folder: Path, config: dict[str, Any]) -> bool:
    (folder / "config.json").write_text(json.dumps(config))
    try:
        check_model_folder(folder)
    except ModelNotAllowed:
        return False
    return True


@pytest.mark.filterwarnings("ignore:`rope_scaling` is deprecated")
@given(data=st.data())
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_an_accepted_config_loads_and_computes(
    data: st.DataObject, folders: dict[str, Path], configs: dict[str, dict[str, Any]]
) -> None:
    family = data.draw(st.sampled_from(sorted(ENCODERS)))
    folder, config = folders[family], configs[family]
    changes = data.draw(
        st.dictionaries(
            st.sampled_from(list_keys(config)), st.sampled_from(VALUES), min_size=1, max_size=2
        )
    )
    if not is_accepted(folder, config | changes):
        return
    network = load_encoder(folder, make_task(), 0)
    network(
        input_ids=torch.tensor([[5, 6, 7], [5, 6, 7]]),
        attention_mask=torch.ones(2, 3, dtype=torch.long),
    )


@pytest.mark.filterwarnings("ignore:`rope_scaling` is deprecated")
@pytest.mark.parametrize("family", ENCODERS)
def test_an_accepted_null_builds_a_network(
    family: str, folders: dict[str, Path], configs: dict[str, dict[str, Any]]
) -> None:
    folder, config = folders[family], configs[family]
    nulls = [key for key in list_keys(config) if is_accepted(folder, config | {key: None})]
    assert "torch_dtype" in nulls
    for key in nulls:
        (folder / "config.json").write_text(json.dumps(config | {key: None}))
        build_empty_network(folder)

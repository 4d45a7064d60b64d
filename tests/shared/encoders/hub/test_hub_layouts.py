"""Repositories of the hub in odd layouts: what is downloaded of each, or why it is refused."""

import re

import pytest

from shared.domain.errors import ModelNotAllowed
from shared.encoders.hub.client import ListedFile
from shared.encoders.hub.needed_files import select_needed_files

MODEL = "acme/odd"
SMALL = ("config.json", "tokenizer.json")
INDEX = "model.safetensors.index.json"
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
DIGEST = "0" * 40


def select(*paths: str) -> list[str]:
    listed = [ListedFile(rfilename=path, size=9, blob_id=DIGEST) for path in paths]
    return [file.path for file in select_needed_files(MODEL, listed)]


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "empty": ((), "has no config.json on the hub"),
    "diffusers": (("model_index.json", "unet/model.safetensors"), "has no config.json"),
    "gguf": (("odd.Q4_K_M.gguf", "README.md"), "has no config.json"),
    "upper-case": (("Config.json", "Model.safetensors"), "has no config.json"),
    "in-a-folder": (("0_Transformer/config.json", "modules.json"), "has no config.json"),
    "adapter": (("adapter_config.json", "adapter_model.safetensors"), "is an adapter"),
    "adapter-with-config": ((*SMALL, "adapter_model.safetensors"), "is an adapter"),
    "no-tokenizer": (("config.json", "model.safetensors"), "has no tokenizer.json and no vocab"),
    "merges-alone": (
        ("config.json", "model.safetensors", "merges.txt"),
        "has no tokenizer.json and no vocab",
    ),
    "shards-without-index": ((*SMALL, *SHARDS), f"but not {INDEX}"),
    "index-without-shards": ((*SMALL, INDEX), "but not the files that its index lists"),
    "other-shards": ((*SMALL, INDEX, "part-1.safetensors"), "but not the files"),
    "many-shards": (
        (*SMALL, INDEX, *(f"model-{part:05}-of-00300.safetensors" for part in range(300))),
        "in 300 files, and at most 256 are read",
    ),
    "variant": ((*SMALL, "model.fp16.safetensors"), "has no model.safetensors"),
    "pickle-in-parts": (
        (*SMALL, "pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"),
        "only as a pickle",
    ),
    "weights-in-a-folder": ((*SMALL, "onnx/model.onnx"), "has no model.safetensors"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_repository_without_a_usable_model_is_refused(kind: str) -> None:
    paths, reason = REFUSED[kind]
    with pytest.raises(ModelNotAllowed, match=reason) as refused:
        select(*paths)
    message = refused.value.message
    assert message.startswith(f"{MODEL} ")
    assert len(re.split(r"(?<=\.) (?=[A-Z])", message)) == 2
    assert refused.value.param == "model"


@pytest.mark.parametrize(
    ("extra", "weights"),
    [
        (("model.safetensors", INDEX, *SHARDS), ["model.safetensors"]),
        ((INDEX, *SHARDS, "pytorch_model.bin"), [INDEX, *SHARDS]),
        (("model.safetensors", "adapter_config.json"), ["model.safetensors"]),
        (("model.safetensors", "../model.safetensors", "a/model.safetensors"), ["model.saf"]),
        (("model.safetensors", "model.safetensors/../../evil", "x/../../config.json"), ["model"]),
        (("model.safetensors", "modeling_odd.py", "training_args.bin"), ["model.safetensors"]),
    ],
)
def test_only_the_files_of_one_model_are_downloaded(
    extra: tuple[str, ...], weights: list[str]
) -> None:
    chosen = select(*SMALL, *extra)
    assert chosen[:2] == sorted(SMALL)
    assert len(chosen) == 2 + len(weights)
    for path, beginning in zip(chosen[2:], weights, strict=True):
        assert path.startswith(beginning)
        assert ".." not in path

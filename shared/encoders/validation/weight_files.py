"""Which files of a folder hold the weights, and why a folder without safetensors is refused.

Formats that can carry code (pickles) or that other frameworks read are named and never opened.
"""

from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.domain.naming import WEIGHTS_FILE
from shared.encoders.validation.errors import UnfitModel, refuse_damaged
from shared.encoders.validation.json_files import read_json_object
from shared.encoders.validation.safetensors_header import Tensor, read_tensors

INDEX_FILE = f"{WEIGHTS_FILE}.index.json"
MAX_SHARDS = 256
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
_PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_OTHER_FORMATS = {
    ".onnx": "ONNX",
    ".h5": "TensorFlow",
    ".msgpack": "Flax",
    ".ot": "Rust",
    ".gguf": "GGUF",
    ".tflite": "TensorFlow Lite",
    ".mlmodel": "Core ML",
}
_NO_WEIGHTS = (
    "training_args.bin",
    "optimizer.bin",
    "optimizer.pt",
    "scheduler.pt",
    "rng_state.pth",
    "scaler.pt",
)
"""Files of a trainer that end like weights and are none."""


class _Index(BaseModel):
    """The index of weights in several files."""

    model_config = ConfigDict(strict=True, extra="ignore")

    weight_map: dict[str, str] = Field(min_length=1)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of a model by name, from one file or from the shards of an index.

    Raises UnfitModel if the weights are missing, damaged, or in another format, and OSError.
    """
    names = {entry.name for entry in folder.iterdir()}
    if any(name in names for name in ADAPTER_FILES):
        raise UnfitModel(
            "is an adapter (PEFT) and no whole model. Merge it into its base model "
            "(merge_and_unload) and save the result."
        )
    if WEIGHTS_FILE in names:
        return read_tensors(folder / WEIGHTS_FILE)
    if INDEX_FILE in names:
        return _read_shards(folder)
    raise _explain_missing_weights(names)


def list_weight_files(folder: Path) -> list[Path]:
    """List the files that hold a model's weights: one, or the shards that the index names.

    Raises UnfitModel for an index that cannot be followed.
    """
    if (folder / WEIGHTS_FILE).is_file():
        return [folder / WEIGHTS_FILE]
    return [folder / shard for shard in sorted(set(_read_index(folder).values()))]


def _read_shards(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of all shards, as transformers finds them: by the index."""
    shard_of = _read_index(folder)
    tensors: dict[str, Tensor] = {}
    for shard in sorted(set(shard_of.values())):
        tensors |= _read_shard(folder, shard)
    lost = sorted(shard_of.keys() - tensors.keys())
    if lost:
        raise UnfitModel(
            f"has no tensor {lost[0][:100]} in its weights, although {INDEX_FILE} lists it. Copy "
            "the index and the weights from the same place."
        )
    return tensors


def _read_index(folder: Path) -> dict[str, str]:
    """Return the shard of each tensor, all of them files of the folder itself by their names."""
    try:
        index = _Index.model_validate(read_json_object(folder / INDEX_FILE))
    except ValidationError:
        raise refuse_damaged(INDEX_FILE, "it has no weight_map of tensors to files") from None
    shards = set(index.weight_map.values())
    if len(shards) > MAX_SHARDS:
        raise UnfitModel(
            f"has its weights in more than {MAX_SHARDS} files. Save them in one {WEIGHTS_FILE}."
        )
    for shard in sorted(shards):
        _require_plain_name(shard)
    return index.weight_map


def _require_plain_name(shard: str) -> None:
    if PurePosixPath(shard).name != shard or "\\" in shard or not shard.endswith(".safetensors"):
        raise UnfitModel(
            f"has an {INDEX_FILE} that names {shard[:100]!r}, which is no safetensors file of its "
            "own folder. Copy the original index."
        )


def _read_shard(folder: Path, shard: str) -> dict[str, Tensor]:
    if not (folder / shard).is_file():
        raise UnfitModel(f"lacks {shard[:100]}, a part of its weights. Copy the file.")
    return read_tensors(folder / shard)


def _explain_missing_weights(names: set[str]) -> UnfitModel:
    """Build the refusal of a folder that has no weights under the expected names."""
    weights = sorted(names.difference(_NO_WEIGHTS))
    other = next((name for name in weights if name.endswith(".safetensors")), None)
    if other is not None:
        return UnfitModel(
            f"has no {WEIGHTS_FILE}, but {other[:100]}. Rename that file, or save the model with "
            "save_pretrained."
        )
    pickle = next((name for name in weights if name.endswith(_PICKLE_SUFFIXES)), None)
    if pickle is not None:
        return UnfitModel(
            f"has its weights only as a pickle ({pickle[:100]}), which can carry code and is "
            f"never opened. Save them as {WEIGHTS_FILE}, with save_pretrained."
        )
    formats = sorted({kind for end, kind in _OTHER_FORMATS.items() if _has_suffix(weights, end)})
    if formats:
        return UnfitModel(
            f"has its weights only for {' and '.join(formats)}. Save them as {WEIGHTS_FILE}, with "
            "save_pretrained of transformers."
        )
    return UnfitModel(f"has no {WEIGHTS_FILE}. Save its weights in the safetensors format.")


def _has_suffix(names: list[str], suffix: str) -> bool:
    return any(name.endswith(suffix) for name in names)

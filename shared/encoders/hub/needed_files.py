"""Selection of the files that training needs, from the list of a repository's files."""

import re
from collections.abc import Iterable, Set

from shared.domain.errors import HubNotReachable, ModelNotAllowed
from shared.domain.hub_model import HubFile
from shared.domain.naming import WEIGHTS_FILE
from shared.encoders.hub.client import ListedFile
from shared.encoders.model_digest import SETTINGS_FILES
from shared.encoders.validation.tokenizer_files import (
    MAX_TOKENIZER_BYTES,
    TOKENIZER_FILE,
    VOCABULARY_FILES,
)
from shared.encoders.validation.weight_files import ADAPTER_FILES, INDEX_FILE, MAX_SHARDS

CONFIG_FILE = "config.json"
_SHARD_PATTERN = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_PICKLE_PATTERN = re.compile(r"[^/]*\.(bin|pt|pth|ckpt|pkl|pickle)")
_DESCRIBING_FILES = ("README.md", "LICENSE", "LICENSE.txt")
"""Licence and languages, for the catalogue and the model card."""
_SMALL_FILES = frozenset({*SETTINGS_FILES, *_DESCRIBING_FILES})
MAX_SMALL_FILE_BYTES = MAX_TOKENIZER_BYTES
"""Above the largest tokenizer; a larger file of these names is none."""


def select_needed_files(model: str, listed: Iterable[ListedFile]) -> list[HubFile]:
    """Return the files to download, small ones first.

    Raises ModelNotAllowed for a repository without config.json, tokenizer or safetensors weights,
    and HubNotReachable for a file listed without size or digest.
    """
    by_path = {file.rfilename: file for file in listed}
    if CONFIG_FILE not in by_path:
        _refuse_adapters(model, by_path.keys())
        raise _refuse(
            f"{model} has no {CONFIG_FILE} on the hub, so it is no model of transformers. "
            "Choose another model."
        )
    weights = _select_weights(model, by_path.keys())
    if by_path.keys().isdisjoint((TOKENIZER_FILE, *VOCABULARY_FILES)):
        raise _refuse(
            f"{model} has no {TOKENIZER_FILE} and no vocabulary on the hub. Choose another model, "
            "or save its tokenizer with save_pretrained and use the folder."
        )
    small = sorted(_SMALL_FILES & by_path.keys())
    return [_describe_file(by_path[path]) for path in (*small, *weights)]


def _refuse(message: str) -> ModelNotAllowed:
    return ModelNotAllowed(message, param="model")


def _refuse_adapters(model: str, paths: Set[str]) -> None:
    if not paths.isdisjoint(ADAPTER_FILES):
        raise _refuse(
            f"{model} is an adapter (PEFT) and no whole model. Choose the model that it was made "
            "for, or merge both (merge_and_unload) and use the folder."
        )


def _select_weights(model: str, paths: Set[str]) -> list[str]:
    if WEIGHTS_FILE in paths:
        return [WEIGHTS_FILE]
    shards = sorted(path for path in paths if _SHARD_PATTERN.fullmatch(path))
    if len(shards) > MAX_SHARDS:
        raise _refuse(
            f"{model} has its weights in {len(shards):,} files, and at most {MAX_SHARDS} are read. "
            "Choose another model."
        )
    if INDEX_FILE in paths and shards:
        return [INDEX_FILE, *shards]
    if INDEX_FILE in paths or shards:
        lacking = INDEX_FILE if shards else "the files that its index lists"
        raise _refuse(
            f"{model} has its weights in several files on the hub, but not {lacking}. Choose "
            "another revision or model."
        )
    _refuse_adapters(model, paths)
    pickles = sorted(path for path in paths if _PICKLE_PATTERN.fullmatch(path))
    if pickles:
        raise _refuse(
            f"{model} has its weights only as a pickle ({pickles[0]}), which can run code when it "
            "is opened. Use a revision with safetensors (often refs/pr/1), or convert the "
            "weights and use the folder."
        )
    raise _refuse(
        f"{model} has no {WEIGHTS_FILE} on the hub. Choose a model with safetensors weights."
    )


def _describe_file(listed_file: ListedFile) -> HubFile:
    path, lfs = listed_file.rfilename, listed_file.lfs
    size = listed_file.size if lfs is None else lfs.size
    if size is None or (lfs is None and listed_file.blob_id is None):
        raise HubNotReachable(
            f"The hub cannot be read: it lists {path} without a size or digest.", param="model"
        )
    if path in _SMALL_FILES and size > MAX_SMALL_FILE_BYTES:
        raise ModelNotAllowed(
            f"Its {path} has {size:,} bytes, which no model needs. Choose another model.",
            param="model",
        )
    if lfs is not None:
        return HubFile(path=path, bytes=size, sha256=lfs.sha256)
    return HubFile(path=path, bytes=size, git_sha1=listed_file.blob_id)

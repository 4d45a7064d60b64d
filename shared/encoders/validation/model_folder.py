"""The check of a whole model folder, in the order in which a person would want to be told."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from shared.domain.errors import ModelNotAllowed
from shared.encoders.families import Family
from shared.encoders.validation.config_rules import parse_config
from shared.encoders.validation.config_schema import EncoderConfig
from shared.encoders.validation.errors import UnfitModel
from shared.encoders.validation.folder_entries import check_entries, refuse_pointers
from shared.encoders.validation.json_files import read_json_object
from shared.encoders.validation.memory import (
    check_memory,
    count_parameters,
)
from shared.encoders.validation.model_kinds import find_family
from shared.encoders.validation.tensor_shapes import check_shapes
from shared.encoders.validation.tokenizer_process import check_tokenizer_apart
from shared.encoders.validation.weight_files import read_weights

_CONFIG_FILE = "config.json"
_MAX_CHECKED_FOLDERS = 256
_Fingerprint = tuple[tuple[str, int, int], ...]
"""Name, modification time in nanoseconds and size of the files, links followed."""


@dataclass(frozen=True)
class CheckedModel:
    """A model folder that passed every check, with the facts that the checks found."""

    family: Family
    config: EncoderConfig
    num_parameters: int
    """Numbers in the weights files, the heads of pre-training included."""

    @property
    def max_length(self) -> int:
        """Most tokens of an input, special tokens included."""
        return self.config.max_position_embeddings - self.family.position_offset

    @property
    def shared_blocks(self) -> int | None:
        """Blocks of weights if several layers share them (ALBERT); None if each has its own."""
        if self.family.blocks_key is None:
            return None
        groups = self.config.num_hidden_groups or 1
        return None if groups == self.config.num_hidden_layers else groups


def check_model_folder(
    folder: Path,
    *,
    name: str | None = None,
    root: Path | None = None,
    memory_bytes: int | None = None,
) -> CheckedModel:
    """Check that a folder holds an encoder that can be trained, without torch and without code.

    No weights are loaded and no pickle is opened; the result is kept until a file changes.
    ``name`` is what messages call the model (default: the folder's name). Links may lead anywhere
    below ``root`` (default: the folder itself). ``memory_bytes`` is what one trainer may use.

    Raises ModelNotAllowed with one sentence about the first problem, and its cure.
    """
    name = folder.name if name is None else name
    try:
        check_entries(folder, folder if root is None else root)
        found = _check_files(folder, _compute_fingerprint(folder))
        if isinstance(found, UnfitModel):
            raise found
        check_memory(found.num_parameters, memory_bytes)
    except UnfitModel as unfit:
        raise ModelNotAllowed(f"{name} {unfit.reason}", param="model") from None
    except OSError as error:
        raise ModelNotAllowed(
            f"{name} cannot be read ({error.strerror}). Check the permissions of its folder.",
            param="model",
        ) from None
    return found


def _compute_fingerprint(folder: Path) -> _Fingerprint:
    files = sorted(entry for entry in folder.iterdir() if entry.is_file())
    return tuple((file.name, (found := file.stat()).st_mtime_ns, found.st_size) for file in files)


@lru_cache(maxsize=_MAX_CHECKED_FOLDERS)
def _check_files(folder: Path, fingerprint: _Fingerprint) -> CheckedModel | UnfitModel:
    """Return the facts, or why the folder is unfit, so that both are kept. Raises OSError."""
    try:
        refuse_pointers(folder, sorted(name for name, _, _ in fingerprint))
        config_values = _read_config(folder)
        family = find_family(config_values)
        config = parse_config(config_values, family)
        tensors = read_weights(folder)
        check_shapes(tensors, config, family)
        check_tokenizer_apart(folder, config.vocab_size, config.pad_token_id)
    except UnfitModel as unfit:
        return UnfitModel(unfit.reason)  # without the traceback, which holds the files' contents
    return CheckedModel(family, config, count_parameters(tensors))


def _read_config(folder: Path) -> dict[str, object]:
    if (folder / _CONFIG_FILE).is_file():
        return read_json_object(folder / _CONFIG_FILE)
    if (folder / "0_Transformer" / _CONFIG_FILE).exists():
        raise UnfitModel(
            "has its encoder in the folder 0_Transformer. Name that folder as the model."
        )
    if any((folder / name).exists() for name in ("adapter_config.json", "adapter_model.bin")):
        raise UnfitModel(
            "is an adapter (PEFT) and no whole model. Merge it into its base model "
            "(merge_and_unload) and save the result."
        )
    raise UnfitModel(f"has no {_CONFIG_FILE}. Copy its folder again.")

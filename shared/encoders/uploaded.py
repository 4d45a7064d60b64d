"""Checkpoints that clients upload: unpack and check an archive, and its properties for the row."""

import hashlib
from pathlib import Path

from pydantic import NonNegativeInt, PositiveInt

from shared.domain.errors import ModelNotAllowed
from shared.domain.stored import OptionalKey
from shared.encoders.archive.errors import ArchivedModelUnusable
from shared.encoders.archive.unpacking import unpack_archive
from shared.encoders.catalogue import EncoderFacts, read_encoder_facts
from shared.encoders.details import EncoderDetails, read_details
from shared.encoders.sentence_pooling import select_sentence_pooling
from shared.encoders.validation.errors import UnfitModel
from shared.encoders.validation.memory import check_memory
from shared.encoders.validation.weight_files import list_weight_files

MODEL_PURPOSE = "model"
"""Purpose of a file that is an archive of a checkpoint."""
ARCHIVE_SUFFIX = ".zip"
_SHOWN_NAME = "The model in the archive"


class UploadedModel(EncoderDetails):
    """Properties of an uploaded checkpoint, stored with its file, so that planning a job needs no
    copy of it.
    """

    family: str
    num_hidden_layers: PositiveInt
    hidden_size: PositiveInt
    max_position_embeddings: PositiveInt
    shared_blocks: OptionalKey[PositiveInt] = None
    unpacked_bytes: NonNegativeInt
    weights_sha256: str
    """Digest of the weights, whatever archive they came in (``compute_weights_digest``)."""

    def to_facts(self, name: str) -> EncoderFacts:
        return EncoderFacts(
            name=name,
            family=self.family,
            num_hidden_layers=self.num_hidden_layers,
            hidden_size=self.hidden_size,
            max_position_embeddings=self.max_position_embeddings,
            shared_blocks=self.shared_blocks,
            pooling=select_sentence_pooling(self.pooling),
        )

    def require_memory(self, name: str, memory_bytes: int) -> None:
        """Raise ModelNotAllowed if training needs more than ``memory_bytes``."""
        try:
            check_memory(self.parameters or 0, memory_bytes)
        except UnfitModel as unfit:
            raise ModelNotAllowed(f"{name} {unfit.reason}", param="model") from None


def unpack_checkpoint(archive: Path, folder: Path, max_bytes: int) -> UploadedModel:
    """Unpack an archive into a new folder, and check that jobs can start from it.

    Raises what ``unpack_archive`` raises, and ArchivedModelUnusable.
    """
    unpacked_bytes = unpack_archive(archive, folder, max_bytes)
    try:
        facts = read_encoder_facts(_SHOWN_NAME, folder)
    except ModelNotAllowed as error:
        raise ArchivedModelUnusable(error.message) from None
    return UploadedModel(
        **dict(read_details(folder)),
        family=facts.family,
        num_hidden_layers=facts.num_hidden_layers,
        hidden_size=facts.hidden_size,
        max_position_embeddings=facts.max_position_embeddings,
        shared_blocks=facts.shared_blocks,
        unpacked_bytes=unpacked_bytes,
        weights_sha256=compute_weights_digest(folder),
    )


def compute_weights_digest(folder: Path) -> str:
    """Return the SHA-256 of a checked model's weights file; of shards, that of their digests in the
    order of their names.
    """
    digests = [_hash_file(file) for file in list_weight_files(folder)]
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def _hash_file(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def build_model_filename(name: str) -> str:
    """Return the file name under which an uploaded checkpoint has this name."""
    return f"{name}{ARCHIVE_SUFFIX}"


def get_model_name(filename: str) -> str:
    """Return the name of an uploaded checkpoint, which is that of its file."""
    return filename.removesuffix(ARCHIVE_SUFFIX)

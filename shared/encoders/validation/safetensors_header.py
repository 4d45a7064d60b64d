"""The header of a safetensors file: which tensors it holds, of which type and shape.

The format is 8 bytes with the length of the header, the header in JSON, and the bytes of the
tensors without gaps. Only the header is read, so the check costs the same for every size of model.
"""

import math
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from shared.encoders.validation.errors import UnfitModel, refuse_damaged

MAX_HEADER_BYTES = 16 * 1024**2
"""Longest header; that of a model with a thousand tensors has about 0.1 MB."""
MAX_TENSORS = 100_000
_LENGTH_BYTES = 8
_TYPE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "BOOL": 1}
"""Types of the weights and index buffers of an encoder, with the bytes of a number."""
# fmt: off
_QUANTIZED_TYPES = frozenset([
    "I32", "U32", "I16", "U16", "I8", "U8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ",
    "F8_E5M2FNUZ", "F6_E2M3", "F6_E3M2", "F4",
])
# fmt: on
_Size = Annotated[int, Field(ge=0, le=2**48)]


class Tensor(BaseModel):
    """A tensor in the header."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    dtype: str
    shape: list[_Size] = Field(max_length=8)
    data_offsets: tuple[_Size, _Size]
    """First byte and the byte after the last one, behind the header."""

    @property
    def num_elements(self) -> int:
        """Number of the tensor's numbers."""
        return math.prod(self.shape)


class _Header(RootModel[dict[str, Tensor | dict[str, str]]]):
    model_config = ConfigDict(strict=True)


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name.

    Raises UnfitModel for a file that is damaged, cut short or quantized, and OSError.
    """
    header, data_bytes = _read_header(file)
    tensors: dict[str, Tensor] = {}
    for name, entry in header.items():
        if isinstance(entry, Tensor):
            tensors[name] = entry
        elif name != "__metadata__":
            raise refuse_damaged(file.name, f"its header does not describe {name[:100]}")
    if not tensors:
        raise refuse_damaged(file.name, "it contains no tensors")
    if len(tensors) > MAX_TENSORS:
        raise refuse_damaged(file.name, f"it has more than {MAX_TENSORS:,} tensors")
    for name, tensor in tensors.items():
        _check_type(file.name, name, tensor)
    _check_offsets(file.name, tensors, data_bytes)
    return tensors


def _read_header(file: Path) -> tuple[dict[str, Tensor | dict[str, str]], int]:
    """Return the entries of the header and the number of bytes behind it."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        rest = size - _LENGTH_BYTES
        if size < _LENGTH_BYTES or (length > rest and length <= MAX_HEADER_BYTES):
            raise refuse_damaged(file.name, "it is cut short")
        if length > MAX_HEADER_BYTES:
            raise refuse_damaged(
                file.name, f"its header claims {length:,} bytes; at most {MAX_HEADER_BYTES:,} fit"
            )
        content = stream.read(length)
    try:
        return _Header.model_validate_json(content).root, rest - length
    except ValidationError:
        raise refuse_damaged(file.name, "its header cannot be read") from None


def _check_type(file_name: str, name: str, tensor: Tensor) -> None:
    if tensor.dtype in _QUANTIZED_TYPES:
        raise UnfitModel(
            f"is quantized ({name[:100]} in {file_name} has the type {tensor.dtype}), and only "
            "weights in floating point are fine-tuned. Use the model that it was made from."
        )
    if tensor.dtype not in _TYPE_BYTES:
        raise refuse_damaged(file_name, f"{name[:100]} has the unknown type {tensor.dtype[:20]!r}")


def _check_offsets(file_name: str, tensors: dict[str, Tensor], data_bytes: int) -> None:
    """Raise UnfitModel unless the tensors lie one behind the other and fill the file."""
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        start, stop = tensor.data_offsets
        if stop - start != tensor.num_elements * _TYPE_BYTES[tensor.dtype]:
            raise refuse_damaged(
                file_name, f"{name[:100]} has {stop - start:,} bytes, which its shape contradicts"
            )
        if start != end:
            state = "overlaps another tensor" if start < end else "follows a gap"
            raise refuse_damaged(file_name, f"{name[:100]} {state}")
        end = stop
    if end > data_bytes:
        raise refuse_damaged(file_name, "it is cut short")
    if end < data_bytes:
        raise refuse_damaged(file_name, f"{data_bytes - end:,} bytes follow its last tensor")

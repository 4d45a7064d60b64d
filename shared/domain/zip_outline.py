"""A zip file without its contents, which are stored files: what a row keeps of ``model.zip``."""

from pydantic import BaseModel, ConfigDict


class ZippedFile(BaseModel):
    """A file within the zip file."""

    model_config = ConfigDict(
        frozen=True, ser_json_bytes="base64", val_json_bytes="base64", use_attribute_docstrings=True
    )

    header: bytes
    """The bytes of the zip file before the content."""
    name: str
    """Path below the stored folder."""
    bytes: int
    """Size of the content, which follows the header as it is stored."""


class ZipOutline(BaseModel):
    """Everything in a zip file but the contents of its files, in the order of the bytes."""

    model_config = ConfigDict(
        frozen=True, ser_json_bytes="base64", val_json_bytes="base64", use_attribute_docstrings=True
    )

    files: tuple[ZippedFile, ...]
    directory: bytes
    """The bytes after the last content."""

    def count_bytes(self) -> int:
        """Return the size of the whole zip file."""
        contents = sum(len(file.header) + file.bytes for file in self.files)
        return contents + len(self.directory)

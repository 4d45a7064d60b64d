"""A model of the hub at one commit, as a job's row has it: what to download, and its facts."""

from pydantic import JsonValue

from shared.domain.stored import OptionalKey, StoredModel


class HubFile(StoredModel):
    """A file of the repository, with the digest that the hub lists for it."""

    path: str
    """Path in the repository, with slashes."""
    bytes: int
    sha256: OptionalKey[str] = None
    """Digest of the content; given for large files (Git LFS)."""
    git_sha1: OptionalKey[str] = None
    """Git's object ID, for files that are not in LFS."""


class HubModel(StoredModel):
    """The frozen base model of a job. The digests pin its weights, whatever happens to names."""

    repository: str
    """``owner/name``, as the hub spells it."""
    commit: str
    """The commit that the requested revision named when the job was created."""
    files: list[HubFile]
    """The files that training needs."""
    facts: dict[str, JsonValue]
    """The fields of ``shared.encoders.catalogue.EncoderFacts``."""

    @property
    def total_bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    @property
    def title(self) -> str:
        """Name and commit for messages: ``owner/name at 0123456``."""
        return f"{self.repository} at {self.commit[:7]}"

"""Responses about what the storage holds."""

from cli.api_models.base import ApiModel


class StoredItem(ApiModel):
    kind: str
    id: str
    job_id: str | None
    name: str | None
    bytes: int


class StorageUsage(ApiModel):
    bytes: int
    items: int
    data: list[StoredItem]

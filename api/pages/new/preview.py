"""How the first rows of a file are read: what is text, what is label, and how long it is."""

from dataclasses import dataclass
from statistics import median_low
from typing import Final

from api.dependencies import AppServices
from api.files.preview import build_preview
from api.files.preview_rows import MAX_TOKENIZED_CHARACTERS
from api.files.preview_schemas import MAX_PREVIEW_ROWS, FilePreview, PreviewOptions
from api.files.reading import get_data_set
from api.jobs.request_schemas import JobRequest
from api.pages.new.draft import Draft, InvalidDraft
from shared.domain.errors import ServiceError

SHOWN_ROWS: Final = 10


@dataclass(frozen=True)
class Preview:
    """The first rows, or why they cannot be read. Templates see it as ``preview``."""

    rows: FilePreview | None
    error: str | None = None
    shown: int = SHOWN_ROWS

    @property
    def median_tokens(self) -> int:
        assert self.rows is not None
        return median_low([row.num_tokens for row in self.rows.data]) if self.rows.data else 0

    @property
    def most_tokens(self) -> int:
        assert self.rows is not None
        return max((row.num_tokens for row in self.rows.data), default=0)


async def read_preview(services: AppServices, draft: Draft) -> Preview:
    """Read the first rows as the draft says. Raises FileNotFound, ServiceBusy."""
    try:
        request = draft.build_request()
        return await services.heavy.plans.run(services.owner_id, _read, services, request)
    except InvalidDraft as refused:
        return Preview(None, str(refused))
    except ServiceError as error:
        if error.status != 400:
            raise
        return Preview(None, error.message)


def _read(services: AppServices, request: JobRequest) -> Preview:
    profile = get_data_set(services, request.training_file).profile
    assert profile is not None, "a data set has a profile"
    longest = 1 if profile.text_length is None else max(1, profile.text_length.max)
    rows = min(MAX_PREVIEW_ROWS, max(1, MAX_TOKENIZED_CHARACTERS // longest))
    columns = {
        name: None if value is None else str(value)
        for name in ("text_column", "text_pair_column", "label_column")
        for value in (getattr(request.task, name),)
    }
    options = PreviewOptions(
        request.model, rows, request.task.header, request.task.max_seq_length, columns
    )
    return Preview(build_preview(services, request.training_file, options))

"""Preview of a file: its first rows as a model's tokenizer splits them."""

from pathlib import Path
from typing import Final, NamedTuple

from api.dependencies import AppServices
from api.files import service
from api.files.preview_rows import TokenizedRow, tokenize_first_rows
from api.files.preview_schemas import FilePreview, PreviewOptions, PreviewRow
from api.jobs.planning.start_model import is_of_hub
from api.models.uploaded import (
    get_uploaded_folder,
    resolve_model_name,
    starts_from_uploaded,
)
from shared.datasets.readers.cells import ListCell
from shared.datasets.task_resolution import resolve_max_seq_length
from shared.db.files import Files
from shared.db.models import Models
from shared.db.tables import File
from shared.domain.errors import InvalidValue, ModelNotAllowed
from shared.domain.naming import FINE_TUNED_PREFIX, get_base_name
from shared.encoders.catalogue import read_encoder_facts
from shared.encoders.hub.cache import HubCache

PREVIEW_CPU_SECONDS: Final = 20.0
"""Reading the largest file takes less."""


class _Source(NamedTuple):
    """What a preview is made of: the file, and the base model with its limit."""

    file: File
    model_folder: Path
    max_seq_length: int


def build_preview(services: AppServices, file_id: str, options: PreviewOptions) -> FilePreview:
    """Read and tokenize the first rows of a file.

    Raises FileNotFound, ModelNotAllowed, ModelNotFound, and InvalidValue for columns that do not
    exist or are ambiguous.
    """
    try:
        source = _find_source(services, file_id, options)
        param = "file_id" if options.header == "auto" else "header"
        with service.fetch_table_source(
            services, source.file, options.header, param=param
        ) as stored:
            sample = service.read_within(
                services,
                PREVIEW_CPU_SECONDS,
                stored,
                tokenize_first_rows,
                options.columns,
                options.row_count,
                source.model_folder,
                source.max_seq_length,
            )
    except InvalidValue as error:
        # in a job's request, these parameters are fields of its task
        raise InvalidValue(error.message, param=(error.param or "").removeprefix("task.")) from None
    data = [_build_preview_row(row) for row in sample.rows]
    return FilePreview(
        file_id=source.file.id,
        model=options.model,
        max_seq_length=source.max_seq_length,
        text_column=sample.text_column,
        text_pair_column=sample.text_pair_column,
        label_column=sample.label_column,
        truncated=sum(row.truncated for row in data),
        data=data,
    )


def _find_source(services: AppServices, file_id: str, options: PreviewOptions) -> _Source:
    model = resolve_model_name(services, options.model)
    with services.database.read() as session:
        file = Files(session, services.owner_id).get(file_id, param="file_id")
        if model.startswith(FINE_TUNED_PREFIX):
            Models(session, services.owner_id).get(model)
    if starts_from_uploaded(model):
        folder = get_uploaded_folder(services, model)
        facts = read_encoder_facts(model, folder)
    elif is_of_hub(services, get_base_name(model)):
        folder = _find_cached_folder(services, get_base_name(model))
        facts = read_encoder_facts(model, folder)
    else:
        facts = services.catalogue.get_facts(get_base_name(model))
        folder = services.catalogue.get_folder(get_base_name(model))
    return _Source(
        file,
        folder,
        resolve_max_seq_length(options.max_seq_length, facts.max_position_embeddings),
    )


def _find_cached_folder(services: AppServices, model: str) -> Path:
    """Return the folder of a model of the hub.

    Raises ModelNotAllowed if it has not been downloaded.
    """
    folder = HubCache(services.settings.resolved_hub_cache).find_by_name(model)
    if folder is not None:
        return folder
    raise ModelNotAllowed(
        f"{model} has not been downloaded, so its tokenizer is not here. Start a job from it, or "
        f"run evenkeel models fetch {model} on this machine.",
        param="model",
    )


def _build_preview_row(row: TokenizedRow) -> PreviewRow:
    return PreviewRow(
        row=row.number,
        text=row.text,
        text_pair=row.text_pair,
        label=row.label.parse_values() if isinstance(row.label, ListCell) else row.label,
        tokens=row.tokens.tokens,
        input_ids=row.tokens.input_ids,
        num_tokens=row.tokens.num_tokens,
        truncated=row.tokens.is_truncated,
    )

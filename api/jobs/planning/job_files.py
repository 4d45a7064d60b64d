"""Look up the files that a request names, download those of the hub, and summarize them."""

from collections.abc import Mapping
from contextlib import ExitStack

from api.dependencies import AppServices
from api.files.service import fetch_table_source
from api.hub.reference import HUB_PREFIX
from api.jobs.planning.data_summary import DataSummary, summarize_job_data
from api.jobs.planning.dataset_facts import FileOrigins
from api.jobs.planning.text_lengths import EncoderInput
from api.jobs.request_schemas import JobRequest
from shared.datasets import InputFile
from shared.datasets.errors import ReadingLimitExceeded
from shared.db.files import Files
from shared.db.tables import File
from shared.domain.errors import InvalidValue
from shared.domain.job_facts import HubSource

_DATASET_PURPOSES = frozenset({"fine-tune", "user_data", "evals"})


def load_data_files(services: AppServices, request: JobRequest) -> dict[InputFile, File]:
    """Return the rows of the requested files.

    Raises FileNotFound, InvalidValue for a result file, and what ``fetch_dataset`` raises.
    """
    file_ids: dict[InputFile, str | None] = {
        source: getattr(request, source) for source in InputFile
    }
    return {
        source: _load_data_file(services, file_id, source)
        for source, file_id in file_ids.items()
        if file_id is not None
    }


def _load_data_file(services: AppServices, file_id: str, param: InputFile) -> File:
    if file_id.startswith(HUB_PREFIX):
        from api.hub.service import fetch_dataset  # loads an HTTP client, which few requests need

        return fetch_dataset(services, file_id, param)
    with services.database.read() as session:
        file = Files(session, services.owner_id).get(file_id, param=param)
    if file.purpose not in _DATASET_PURPOSES or file.validation is None:
        raise InvalidValue(
            f"File {file_id} is a result file; give the ID of an uploaded data set.", param=param
        )
    return file


def summarize_data_files(
    services: AppServices,
    request: JobRequest,
    files: Mapping[InputFile, File],
    encoder: EncoderInput,
) -> DataSummary:
    """Read the files in a child process and summarize them.

    Raises InvalidValue for data, splits and settings that do not fit each other.
    """
    origins = FileOrigins(
        {source: file.sha256 for source, file in files.items()},
        {str(source): file.filename for source, file in files.items()},
        build_hub_sources(list_hub_references(request), files),
    )
    with ExitStack() as stack:
        sources = {
            source: stack.enter_context(
                fetch_table_source(
                    services, file, request.task.header, param=_get_param(request, source)
                )
            )
            for source, file in files.items()
        }
        try:
            return services.readers.run(summarize_job_data, request, sources, origins, encoder)
        except ReadingLimitExceeded as error:
            raise sources[InputFile.TRAINING].build_error(error.message) from None


def _get_param(request: JobRequest, source: InputFile) -> str:
    """Return the field that decides how the file is read."""
    is_header_given = source is InputFile.TRAINING and request.task.header != "auto"
    return "task.header" if is_header_given else source


def list_hub_references(request: JobRequest) -> dict[str, str]:
    """Return field -> reference of the files requested as data sets of the hub.

    The job's row has the IDs of the downloaded files instead.
    """
    values = {str(source): getattr(request, source) or "" for source in InputFile}
    return {source: value for source, value in values.items() if value.startswith(HUB_PREFIX)}


def build_hub_sources(
    references: Mapping[str, str], files: Mapping[InputFile, File]
) -> dict[str, HubSource]:
    """Return field -> requested reference and downloaded file."""
    return {
        name: HubSource(asked=reference, filename=files[InputFile(name)].filename)
        for name, reference in references.items()
    }

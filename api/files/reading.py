"""What is read of stored files: their profile, under another task, and every problem by row."""

from dataclasses import replace

from api.dependencies import AppServices
from api.files import service
from api.files.schemas import FileObject
from shared.datasets import Validation, build_validation
from shared.datasets.profile.all_problems import write_problems
from shared.db.files import Files
from shared.db.pagination import PageRequest
from shared.domain.errors import InvalidValue
from shared.domain.task import TaskRequest


def get_data_set(services: AppServices, file_id: str) -> FileObject:
    """Return a data set with its profile. Raises FileNotFound, and InvalidValue for a model."""
    with services.database.read() as session:
        file = FileObject.from_row(Files(session, services.owner_id).get(file_id, param="file_id"))
    if file.profile is None:
        raise InvalidValue(
            f"{file_id} is not a data set. Choose a file of training rows.", param="file_id"
        )
    return file


def list_latest_data_sets(services: AppServices, count: int) -> list[FileObject]:
    """List the latest uploaded data sets, newest first."""
    with services.database.read() as session:
        files, _ = Files(session, services.owner_id).list_page(
            PageRequest(None, count), "fine-tune"
        )
        return [FileObject.from_row(file, with_profile=False) for file in files]


def validate_for_task(services: AppServices, file_id: str, task: TaskRequest) -> Validation:
    """Profile a file with the columns that the task names. Raises FileNotFound, InvalidValue."""
    with services.database.read() as session:
        file = Files(session, services.owner_id).get(file_id, param="file_id")
    param = "file_id" if task.header == "auto" else "task.header"
    with service.fetch_table_source(services, file, task.header, param=param) as source:
        return service.read_stored_file(services, source, build_validation, task)


def write_row_problems(services: AppServices, file_id: str, task: TaskRequest) -> str:
    """Return every problem of a file's rows as CSV. Raises FileNotFound, InvalidValue."""
    with services.database.read() as session:
        file = Files(session, services.owner_id).get(file_id, param="file_id")
    with service.fetch_table_source(services, file, task.header, param="file_id") as source:
        limits = replace(source.limits, max_listed_problems=source.limits.max_rows)
        whole = replace(source, limits=limits)
        return service.read_stored_file(services, whole, write_problems, task)

"""The stored files: list, upload, profile, download, and deletion."""

from typing import Annotated, Final, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Response
from starlette.concurrency import run_in_threadpool

from api.files.download import stream_file
from api.files.listing import get_file, list_files
from api.files.schemas import FileObject
from api.files.service import delete_file
from api.jobs.service import search_jobs
from api.pages.files.view import (
    KIND_NAMES,
    UPLOAD_PURPOSES,
    FileKind,
    FileOrder,
    is_model,
    name_kind,
)
from api.pages.jobs.view import build_row
from api.pages.new.draft import Draft
from api.pages.new.screens import SHOWN_LABELS
from api.pages.page import FormDep, Page, PageDep, get_text
from api.pages.screens import NavigationEntry
from api.pages.uploading import store_upload
from shared.db.job_search import JobSearch, JobStates
from shared.db.pagination import PageRequest
from shared.domain.errors import FileInUse, InvalidValue, ServiceError

router = APIRouter()
NAVIGATION = NavigationEntry("Files", "/files", order=40)
PAGE_SIZE: Final = 50
SHOWN_JOBS: Final = 10

FileIdPath = Annotated[str, Path(max_length=256)]
KindQuery = Annotated[FileKind, Query(alias="purpose")]
OrderQuery = Annotated[FileOrder, Query(alias="sort")]
AfterQuery = Annotated[str | None, Query(max_length=128)]


class FileList(NamedTuple):
    """Which page of which list is shown."""

    kind: FileKind = FileKind.ANY
    order: FileOrder = FileOrder.NEWEST
    after: str | None = None

    def get_path(self, **changes: str | None) -> str:
        """Return the address of this list with some parameters changed."""
        given = {"purpose": self.kind, "sort": self.order, "after": self.after, **changes}
        if given["sort"] == FileOrder.NEWEST:
            del given["sort"]
        query = urlencode({name: value for name, value in given.items() if value})
        return f"/files?{query}" if query else "/files"


@router.get("/files")
def show_files(
    page: PageDep,
    kind: KindQuery = FileKind.ANY,
    order: OrderQuery = FileOrder.NEWEST,
    after: AfterQuery = None,
) -> Response:
    """Show a page of files."""
    return _render_list(page, FileList(kind, order, after))


@router.post("/files")
async def upload(page: PageDep, form: FormDep) -> Response:
    """Store a file, and show it; a refused one is named beside the field."""
    purpose = get_text(form, "purpose")
    try:
        if purpose not in UPLOAD_PURPOSES:
            raise InvalidValue("purpose must be fine-tune or model.", param="purpose")
        file = await store_upload(page, form, purpose)
    except ServiceError as error:
        if error.status >= 500:
            raise
        return await run_in_threadpool(_render_list, page, FileList(), error)
    return page.redirect(f"/files/{file.id}")


@router.get("/files/{file_id}")
def show_file(page: PageDep, file_id: FileIdPath) -> Response:
    """Show a file, its profile and the jobs that use it."""
    return _render_file(page, get_file(page.services, file_id))


@router.get("/files/{file_id}/content")
def download(page: PageDep, file_id: FileIdPath) -> Response:
    """Answer with the content of the file, byte for byte."""
    response = stream_file(page.services, file_id)
    response.headers["cache-control"] = "no-store"
    return response


@router.get("/files/{file_id}/delete")
def confirm_delete(page: PageDep, file_id: FileIdPath) -> Response:
    """Ask once whether to delete the file, or name the jobs that need it."""
    return _render_confirmation(page, file_id)


@router.post("/files/{file_id}/delete")
def delete(page: PageDep, file_id: FileIdPath, _form: FormDep) -> Response:
    try:
        delete_file(page.services, file_id)
    except FileInUse as error:  # a job began to use it after the page was shown
        return _render_confirmation(page, file_id, error)
    return page.redirect("/files")


def _render_list(page: Page, shown: FileList, error: ServiceError | None = None) -> Response:
    request = PageRequest(shown.after, PAGE_SIZE, shown.order == FileOrder.NEWEST)
    files, has_more = list_files(page.services, request, shown.kind or None)
    response = page.render(
        "files/files.html.j2",
        status=200 if error is None else error.status,
        error=error,
        files=files,
        shown=shown,
        orders=FileOrder,
        kinds=KIND_NAMES,
        name_kind=name_kind,
        is_model=is_model,
        next=files[-1].id if has_more else None,
        max_bytes=page.services.settings.max_upload_bytes,
    )
    if error is not None:
        response.headers.update(error.response_headers)
    return response


def _render_file(page: Page, file: FileObject) -> Response:
    jobs, total = search_jobs(page.services, JobSearch(file_id=file.id), offset=0, limit=SHOWN_JOBS)
    labels = [] if file.profile is None else file.profile.labels or []
    return page.render(
        "files/file.html.j2",
        file=file,
        kind=name_kind(file),
        is_model=is_model(file),
        jobs=[build_row(job) for job in jobs],
        total=total,
        profile=file.profile,
        draft=Draft(file.id, {}),
        labels=labels[:SHOWN_LABELS],
        more_labels=len(labels) - SHOWN_LABELS,
    )


def _render_confirmation(page: Page, file_id: str, error: FileInUse | None = None) -> Response:
    file = get_file(page.services, file_id)
    users, total = search_jobs(
        page.services,
        JobSearch(states=JobStates.OPEN, file_id=file_id),
        offset=0,
        limit=SHOWN_JOBS,
    )
    return page.render(
        "files/confirm_delete.html.j2",
        status=200 if error is None else error.status,
        file=file,
        error=error,
        users=[build_row(job) for job in users],
        total=total,
        is_model=is_model(file),
    )

"""New job: upload a file, look at its profile, choose the settings, see the plan, start."""

from dataclasses import replace
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Path, Response
from starlette.concurrency import run_in_threadpool

from api.files.reading import write_row_problems
from api.jobs import creation
from api.jobs.planning.dry_run import plan_dry_run
from api.pages.form_identity import read_identity
from api.pages.new.draft import Draft, InvalidDraft
from api.pages.new.preview import read_preview
from api.pages.new.screens import render_plan, render_settings, render_upload
from api.pages.page import FormDep, Page, PageDep, get_text
from api.pages.screens import NavigationEntry
from api.pages.uploading import store_upload
from shared.domain.errors import InvalidRequest, ServiceError

router = APIRouter()
NAVIGATION = NavigationEntry("New job", "/new", order=20)
MAX_QUERY_FIELDS = 100
NO_FILE = ""
"""ID of the file of a draft before one is chosen."""

FileIdPath = Annotated[str, Path(max_length=256)]


@router.get("/new")
async def show_upload(page: PageDep) -> Response:
    """Ask for a file. Settings in the address, such as the model, are kept for the next step."""
    return await run_in_threadpool(render_upload, page, read_draft(page, NO_FILE))


@router.post("/new")
async def upload(page: PageDep, form: FormDep) -> Response:
    """Store the file, and show its profile; a refused one is named beside the field."""
    draft = Draft.from_pairs(NO_FILE, _parse_query(get_text(form, "settings")))
    try:
        file = await store_upload(page, form)
    except ServiceError as error:
        if error.status >= 500:
            raise
        return await run_in_threadpool(render_upload, page, draft, error)
    return page.redirect(replace(draft, file_id=file.id).get_path())


@router.get("/new/{file_id}")
async def show_settings(page: PageDep, file_id: FileIdPath) -> Response:
    """Show the file's profile and the form of the settings."""
    draft = read_draft(page, file_id)
    if len(draft.texts) != len(page.query):  # fields that were left empty
        return page.redirect(draft.get_path())
    return await render_settings(page, draft)


@router.get("/new/{file_id}/preview")
async def show_preview(page: PageDep, file_id: FileIdPath) -> Response:
    """Show how the first rows are read."""
    draft = read_draft(page, file_id)
    preview = await read_preview(page.services, draft)
    return await run_in_threadpool(page.render, "new/preview.html.j2", draft=draft, preview=preview)


@router.get("/new/{file_id}/problems.csv")
async def download_problems(page: PageDep, file_id: FileIdPath) -> Response:
    """Answer with every problem of the file's rows, of which the page lists a hundred."""
    draft = read_draft(page, file_id)
    try:
        task = draft.build_request().task
    except InvalidDraft as refused:
        raise InvalidRequest(str(refused)) from None
    lane = page.services.heavy.plans
    content = await lane.run(
        page.services.owner_id, write_row_problems, page.services, file_id, task
    )
    headers = {
        "content-disposition": f'attachment; filename="problems-{file_id}.csv"',
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/new/{file_id}/plan")
async def show_plan(page: PageDep, file_id: FileIdPath) -> Response:
    """Show what the job would do; settings that no job can have are shown in the form again."""
    draft = read_draft(page, file_id)
    if not page.can_change:  # planning is the business of a key that may submit
        return page.redirect(draft.get_path())
    if len(draft.texts) != len(page.query):
        return page.redirect(draft.get_path("plan"))
    try:
        lane = page.services.heavy.plans
        plan = await lane.run(
            page.services.owner_id, plan_dry_run, page.services, draft.build_request()
        )
    except InvalidDraft as refused:
        return await render_settings(page, draft, refused)
    except ServiceError as error:
        if error.status >= 500 or error.param == "file_id":
            raise
        return await render_settings(page, draft, error)
    return await run_in_threadpool(render_plan, page, draft, plan)


@router.post("/new/{file_id}/start")
async def start(page: PageDep, file_id: FileIdPath, form: FormDep) -> Response:
    """Create the job with the settings that the plan was shown for."""
    settings = get_text(form, "settings")
    draft = Draft.from_pairs(file_id, _parse_query(settings))
    lane, identity = page.services.heavy.jobs, read_identity(form)
    try:
        request = draft.build_request()
        job = await lane.run(
            page.services.owner_id, creation.create_job, page.services, request, identity
        )
    except InvalidDraft as refused:
        return await render_settings(page, draft, refused)
    except ServiceError as error:
        if error.status >= 500:
            raise
        return await render_settings(page, draft, error)
    return page.redirect(f"/jobs/{job.id}")


def read_draft(page: Page, file_id: str) -> Draft:
    """Return the draft in the address."""
    return Draft.from_pairs(file_id, page.request.query_params.multi_items())


def _parse_query(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        raise InvalidRequest("The form has too many settings. Open the page again.") from None

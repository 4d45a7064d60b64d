"""What one can do with a job: pause, resume, cancel, extend, clone, delete."""

from fastapi import APIRouter, Response

from api.jobs import deletion, pausing, service
from api.jobs.clone import build_clone_request
from api.jobs.extend import extend_with_seeds
from api.jobs.request_schemas import CloneRequest
from api.jobs.run_schemas import ExtendRequest
from api.pages.form_identity import read_identity
from api.pages.job.page import open_job
from api.pages.new.draft import Draft
from api.pages.page import FormDep, PageDep, get_number
from api.path_parameters import JobIdPath

router = APIRouter()
MAX_FURTHER_SEEDS = 200


@router.post("/jobs/{job_id}/pause")
async def pause(page: PageDep, job_id: JobIdPath, _form: FormDep) -> Response:
    await page.services.heavy.stops.run(
        page.services.owner_id, pausing.pause_job, page.services, job_id
    )
    return page.redirect(f"/jobs/{job_id}")


@router.post("/jobs/{job_id}/resume")
def resume(page: PageDep, job_id: JobIdPath, _form: FormDep) -> Response:
    pausing.resume_job(page.services, job_id)
    return page.redirect(f"/jobs/{job_id}")


@router.get("/jobs/{job_id}/cancel")
def confirm_cancel(page: PageDep, job_id: JobIdPath) -> Response:
    """Ask once whether to cancel the job."""
    return page.render("job/confirm_cancel.html.j2", shown=open_job(page, job_id))


@router.post("/jobs/{job_id}/cancel")
async def cancel(page: PageDep, job_id: JobIdPath, _form: FormDep) -> Response:
    await page.services.heavy.stops.run(
        page.services.owner_id, service.cancel_job, page.services, job_id
    )
    return page.redirect(f"/jobs/{job_id}")


@router.post("/jobs/{job_id}/extend")
def extend(page: PageDep, job_id: JobIdPath, form: FormDep) -> Response:
    """Add runs with further seeds."""
    count = get_number(form, "num_seeds", lowest=1, highest=MAX_FURTHER_SEEDS)
    request = ExtendRequest(num_seeds=count)
    extend_with_seeds(page.services, job_id, request, read_identity(form))
    return page.redirect(f"/jobs/{job_id}")


@router.get("/jobs/{job_id}/clone")
def clone(page: PageDep, job_id: JobIdPath) -> Response:
    """Open the form of a new job, filled in with the settings of this one."""
    without_webhook = CloneRequest(webhook=None)  # its secret does not belong in an address
    request = build_clone_request(page.services, job_id, without_webhook)
    return page.redirect(Draft.from_request(request).get_path())


@router.get("/jobs/{job_id}/delete")
def confirm_delete(page: PageDep, job_id: JobIdPath) -> Response:
    """Ask once whether to delete the job."""
    return page.render("job/confirm_delete.html.j2", shown=open_job(page, job_id))


@router.post("/jobs/{job_id}/delete")
def delete(page: PageDep, job_id: JobIdPath, _form: FormDep) -> Response:
    deletion.delete_job(page.services, job_id)
    return page.redirect("/jobs")

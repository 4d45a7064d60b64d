"""What one can do with a job: pause, resume, cancel, extend, clone, delete."""

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from api.jobs import creation, deletion, pausing, service
from api.jobs.clone import build_clone_request, compute_clone_digest
from api.jobs.extend import extend_with_seeds
from api.jobs.request_identity import RequestIdentity
from api.jobs.request_schemas import CloneRequest
from api.jobs.run_schemas import ExtendRequest
from api.pages.job.page import open_job
from api.pages.page import FormDep, PageDep, get_number, get_text
from api.path_parameters import JobIdPath

router = APIRouter()
MAX_FURTHER_SEEDS = 200


@router.post("/jobs/{job_id}/pause")
async def pause(page: PageDep, job_id: JobIdPath, _form: FormDep) -> Response:
    await page.services.heavy.stops.run(pausing.pause_job, page.services, job_id)
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
    await page.services.heavy.stops.run(service.cancel_job, page.services, job_id)
    return page.redirect(f"/jobs/{job_id}")


@router.post("/jobs/{job_id}/extend")
def extend(page: PageDep, job_id: JobIdPath, form: FormDep) -> Response:
    """Add runs with further seeds."""
    count = get_number(form, "num_seeds", lowest=1, highest=MAX_FURTHER_SEEDS)
    request = ExtendRequest(num_seeds=count)
    extend_with_seeds(page.services, job_id, request, _identify(get_text(form, "once")))
    return page.redirect(f"/jobs/{job_id}")


@router.post("/jobs/{job_id}/clone")
async def clone(page: PageDep, job_id: JobIdPath, form: FormDep) -> Response:
    """Create a job with the same request, and show it."""
    services = page.services
    request = await run_in_threadpool(build_clone_request, services, job_id, CloneRequest())
    digest = compute_clone_digest(job_id, request)
    identity = _identify(get_text(form, "once"))
    job = await services.heavy.jobs.run(creation.create_job, services, request, identity, digest)
    return page.redirect(f"/jobs/{job.id}")


@router.get("/jobs/{job_id}/delete")
def confirm_delete(page: PageDep, job_id: JobIdPath) -> Response:
    """Ask once whether to delete the job."""
    return page.render("job/confirm_delete.html.j2", shown=open_job(page, job_id))


@router.post("/jobs/{job_id}/delete")
def delete(page: PageDep, job_id: JobIdPath, _form: FormDep) -> Response:
    deletion.delete_job(page.services, job_id)
    return page.redirect("/jobs")


def _identify(once: str) -> RequestIdentity:
    """Recognize a form that is sent twice, for example by a double click."""
    is_key = once.isascii() and once.isalnum() and len(once) <= 64
    return RequestIdentity(key=once if is_key else None)

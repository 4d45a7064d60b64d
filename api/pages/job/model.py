"""What one can do with a job's model on its page: try a text, and download files."""

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.classifications.client_watch import ClientWatch
from api.classifications.service import classify_inputs
from api.files.download import stream_file
from api.jobs.service import get_job
from api.models.of_job import list_job_models
from api.pages.job.answers import Answer, Trial
from api.pages.job.page import list_tabs, render_tab
from api.pages.page import FormDep, Page, PageDep
from api.path_parameters import FileIdPath, JobIdPath
from shared.domain.errors import FileNotFound, ModelNotFound, ServiceError
from shared.domain.task import Task

router = APIRouter()


@router.post("/jobs/{job_id}/model")
async def try_text(page: PageDep, job_id: JobIdPath, form: FormDep) -> Response:
    """Answer for a text as the API does; what it refuses stands beside the field."""
    trial = Trial.from_form(form)
    answer, error = None, None
    try:
        answer = await _ask_model(page, job_id, trial)
    except ServiceError as refusal:
        if refusal.status >= 500 or isinstance(refusal, ModelNotFound) or refusal.status == 404:
            raise
        error = refusal
    response = await run_in_threadpool(
        render_tab,
        page,
        job_id,
        next(tab for tab in list_tabs() if tab.slug == "model"),
        trial=trial,
        answer=answer,
        error=None if error is None else error.message,
        status=200 if error is None else error.status,
    )
    if error is not None:
        response.headers.update(error.response_headers)
    return response


@router.get("/jobs/{job_id}/files/{file_id}")
def download_file(page: PageDep, job_id: JobIdPath, file_id: FileIdPath) -> StreamingResponse:
    """Answer with a file that the job was made of or has made, as the API does."""
    job = get_job(page.services, job_id)
    data = (job.training_file, job.validation_file, job.test_file, job.unlabelled_file)
    if file_id not in (*data, *job.result_files):
        raise FileNotFound(f"The job has no file with the ID {file_id[:80]!r}.", param="file_id")
    return stream_file(page.services, file_id)


async def _ask_model(page: Page, job_id: str, trial: Trial) -> Answer:
    services = page.services
    job = await run_in_threadpool(get_job, services, job_id)
    models = await run_in_threadpool(list_job_models, services, job_id)
    if models.published is None or not isinstance(job.task, Task):
        raise ModelNotFound("The job has no model that answers.", param="model")
    request = trial.build_request(models.published, job.task)
    heavy = services.heavy
    lane = heavy.long_classifications if request.is_long else heavy.classifications
    with ClientWatch(page.request.receive) as client:
        content = await lane.run(
            services.owner_id, classify_inputs, services, request, client.is_gone
        )
    return Answer.from_json(content, job.task)

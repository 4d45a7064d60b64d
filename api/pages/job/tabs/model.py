"""The tab of the model: try a text, take the files, see the code."""

from api.files.listing import list_existing_files
from api.models.of_job import list_job_models
from api.pages.client_code import find_service
from api.pages.job.answers import Trial
from api.pages.job.model_snippets import write_snippets
from api.pages.job.page import JobPage, Tab
from shared.domain.task import Task


def build(shown: JobPage) -> dict[str, object]:
    models = list_job_models(shown.page.services, shown.job.id)
    task = shown.job.task
    if models.published is None or not isinstance(task, Task):
        return {"model": None}
    service = find_service(shown.page)
    return {
        "model": models.published,
        "published": shown.report.get("published"),
        "task": task,
        "can_ask_all": len(models.kept) > 1,
        "trial": Trial(),
        "answer": None,
        "error": None,
        "files": list_existing_files(shown.page.services, shown.job.result_files),
        "code": write_snippets(service, models.published, task, shown.job.resolved_recipe),
    }


def has_model(shown: JobPage) -> bool:
    if shown.job.fine_tuned_model is None:
        return False
    return list_job_models(shown.page.services, shown.job.id).published is not None


TAB = Tab("model", "Model", 80, "job/model.html.j2", build, has_model)

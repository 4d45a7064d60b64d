"""The two files that describe a published model: README.md (model card) and evenkeel.json."""

import json

from jinja2 import Environment, PackageLoader

from shared.db.tables import Job, Run
from shared.domain.stored import dump_stored
from shared.domain.task import TaskType
from shared.domain.wording import format_count
from shared.report import StabilityReport
from shared.report.formatting import format_baseline_title, format_spread
from worker.jobs.markdown import escape_markdown, format_code, format_yaml


def render_model_card(identifier: str, job: Job, report: StabilityReport, run: Run) -> str:
    """Return the model's README: its use, the report over all seeds, the recipe, the data.

    ``run`` is the one whose model it describes: the best run, or the distillation.
    """
    is_distilled = report.published is not None and report.published.kind == "distilled"
    is_pair_task = job.task.text_pair_column is not None
    example = '{"text": "first text", "text_pair": "second text"}' if is_pair_task else '"a text"'
    template = _make_environment().get_template("model_card.md.j2")
    return template.render(
        model_id=identifier,
        job=job,
        recipe=_get_recipe(job, run),
        run=run,
        is_distilled=is_distilled,
        report=report,
        example=example,
        kinds=TaskType,
    )


def _make_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("worker"),
        autoescape=False,
        trim_blocks=False,
        keep_trailing_newline=True,
    )
    environment.filters["score"] = lambda value: "–" if value is None else f"{value:.4f}"
    environment.filters["spread"] = lambda std: "–" if std is None else format_spread(std, 4)
    environment.filters["count"] = format_count
    environment.filters["baseline"] = format_baseline_title
    environment.filters["plain"] = escape_markdown
    environment.filters["code"] = format_code
    environment.filters["yaml"] = format_yaml
    return environment


def format_provenance(job: Job, report: StabilityReport, run: Run) -> str:
    """Return the text of ``evenkeel.json``: how the model was made, and the report."""
    provenance = {
        "job_id": job.id,
        "run_id": run.id,
        "base_model": job.model,
        "base_model_revision": None if job.hub_model is None else job.hub_model.commit,
        "base_model_sha256": job.base_model_sha256,
        "base_weights_sha256": job.base_weights_sha256,
        "task": dump_stored(job.task),
        "split": dump_stored(job.split),
        "recipe": _get_recipe(job, run) or None,
        "teachers": run.teachers,
        "init_seed": run.init_seed,
        "data_seed": run.data_seed,
        "weights_sha256": run.weights_sha256,
        "environment": run.environment,
        "report": report.model_dump(mode="json"),
    }
    return json.dumps(provenance, indent=2, ensure_ascii=False) + "\n"


def _get_recipe(job: Job, run: Run) -> dict[str, object]:
    """Return the settings that the run was trained with; empty if the job has none."""
    recipe = run.recipe or job.resolved_recipe
    return {} if recipe is None else dump_stored(recipe)

"""The two files that describe a published model: README.md (model card) and evenkeel.json."""

import json

from jinja2 import Environment, PackageLoader

from shared.db.tables import Job, Run
from shared.domain.stored import dump_stored
from shared.domain.task import TaskType
from shared.report import StabilityReport
from shared.report.formatting import format_baseline_title


def render_model_card(identifier: str, job: Job, report: StabilityReport, best: Run) -> str:
    """Return the model's README: its use, the report over all seeds, the recipe, the data."""
    is_pair_task = job.task.text_pair_column is not None
    example = '{"text": "first text", "text_pair": "second text"}' if is_pair_task else '"a text"'
    template = _make_environment().get_template("model_card.md.j2")
    return template.render(
        model_id=identifier,
        job=job,
        recipe={} if job.resolved_recipe is None else dump_stored(job.resolved_recipe),
        run=best,
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
    environment.filters["baseline"] = format_baseline_title
    environment.filters["cell"] = lambda text: (
        str(text).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
    )
    return environment


def format_provenance(job: Job, report: StabilityReport, best: Run) -> str:
    """Return the text of ``evenkeel.json``: how the model was made, and the report."""
    recipe = None if job.resolved_recipe is None else dump_stored(job.resolved_recipe)
    provenance = {
        "job_id": job.id,
        "run_id": best.id,
        "base_model": job.model,
        "task": dump_stored(job.task),
        "split": dump_stored(job.split),
        "recipe": recipe,
        "init_seed": best.init_seed,
        "data_seed": best.data_seed,
        "weights_sha256": best.weights_sha256,
        "environment": best.environment,
        "report": report.model_dump(mode="json"),
    }
    return json.dumps(provenance, indent=2, ensure_ascii=False) + "\n"

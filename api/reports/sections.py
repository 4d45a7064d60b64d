"""What a page shows of a job, read from its rows alone: it needs neither the job's files, nor its
base model, nor its published model.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from api.reports.facts import describe_job
from shared.db.files import files_of_job
from shared.db.metrics import Metrics
from shared.db.runs import Runs
from shared.db.tables import Job, Run
from shared.domain.stored import dump_stored
from shared.report.builder import build_full_report
from shared.report.figures import SeedCurve
from shared.report.page import JobSection


def read_section(
    session: Session,
    job: Job,
    *,
    title: str | None = None,
    metric: str | None = None,
    with_curves: bool = True,
) -> JobSection:
    """Read the section of a job. Its title is the preset and its metric the job's own, unless
    others are given.
    """
    runs = Runs(session).list_by_job(job.id, with_results=True)
    report = build_full_report(session, job, runs, metric=metric)
    recipe = job.resolved_recipe or job.request.recipe
    name = title or recipe.preset
    return JobSection(
        title=name,
        report=report,
        recipe=dump_stored(recipe),
        facts=describe_job(job, runs, report, _list_filenames(session, job)),
        curves=_read_curves(session, runs, report.metric, name) if with_curves else (),
    )


def _list_filenames(session: Session, job: Job) -> dict[str, str]:
    return {file.id: file.filename for file in files_of_job(session, job)}


def _read_curves(
    session: Session, runs: Sequence[Run], metric: str, title: str
) -> tuple[SeedCurve, ...]:
    started = [run for run in runs if run.step > 0]
    run_ids, metrics = [run.id for run in started], Metrics(session)
    losses = metrics.get_series_by_run(run_ids, "valid_loss")
    scores = metrics.get_series_by_run(run_ids, f"valid_{metric}")
    return tuple(
        SeedCurve(
            job=title,
            seed=run.seed,
            degenerate=bool(run.degenerate),
            valid_loss=losses.get(run.id, []),
            valid_score=scores.get(run.id, []),
            best_step=run.best_step,
        )
        for run in started
    )

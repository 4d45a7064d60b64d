"""The choice of what a job publishes: its best run, the ensemble of its sound runs, or one model.

docs/decisions/0024-published-ensembles.md has the reasons for the rule, and its costs.
"""

import shutil
import statistics
from collections.abc import Sequence

from shared.db.tables import Job, Run
from shared.domain.publication import EnsembleResult, Publication
from shared.domain.wording import format_count
from shared.metrics.row_noise import estimate_row_noise
from shared.report.formatting import format_number, format_spread
from worker.context import WorkerContext
from worker.jobs.distillation import (
    build_distilled_result,
    explain_missing_distillation,
    find_distilled_run,
)
from worker.jobs.ensemble_scores import list_sound_runs, score_ensemble
from worker.runs.disk_space import PUBLISHED_COPIES, SPARE_BYTES

MIN_AUTO_MEMBERS = 3  # two members have no majority
MAX_AUTO_MEMBERS = 10  # a classification costs one forward pass per member
_EXPLICIT_KEEP = (
    "Because the request sets artifacts.keep, the best run is published unless artifacts.publish "
    "says otherwise."
)
_TOLERANCE = 1e-9  # scores that differ by rounding alone are equal


def decide_publication(
    context: WorkerContext,
    job: Job,
    runs: Sequence[Run],
    distillations: Sequence[Run],
    model_bytes: int,
) -> Publication:
    """Score the ensemble of the job's sound runs and choose what to publish.

    ``model_bytes`` is the size of one run's model. Raises storage errors.
    """
    artifacts = job.request.artifacts
    ensemble = score_ensemble(context, job, runs)
    if artifacts.keep == "none":
        return Publication(ensemble=ensemble)
    if artifacts.publish == "best_run":
        return Publication(
            kind="best_run", reason="The request asks for the best run.", ensemble=ensemble
        )
    if artifacts.publish == "distilled":
        return _decide_distilled(job, runs, distillations, ensemble)
    is_asked = artifacts.publish == "ensemble"
    obstacle = find_obstacle(ensemble, list_sound_runs(runs))
    if ensemble is None or obstacle is not None:
        return Publication(
            kind="best_run", reason=obstacle, denied=is_asked or None, ensemble=ensemble
        )
    if is_asked:
        return Publication(
            kind="ensemble", reason="The request asks for the ensemble.", ensemble=ensemble
        )
    if "keep" in artifacts.model_fields_set:
        return Publication(kind="best_run", reason=_EXPLICIT_KEEP, ensemble=ensemble)
    return _decide_by_scores(context, job, runs, ensemble, model_bytes)


def _decide_distilled(
    job: Job,
    runs: Sequence[Run],
    distillations: Sequence[Run],
    ensemble: EnsembleResult | None,
) -> Publication:
    """Publish the distilled model, or the best run if there is none."""
    distilled = find_distilled_run(distillations)
    if distilled is None:
        return Publication(
            kind="best_run",
            reason=explain_missing_distillation(runs, distillations),
            denied=True,
            wanted="distilled",
            ensemble=ensemble,
        )
    return Publication(
        kind="distilled",
        reason="The request asks for a distilled model.",
        ensemble=ensemble,
        distilled=build_distilled_result(job, distilled),
    )


def find_obstacle(ensemble: EnsembleResult | None, sound: Sequence[Run]) -> str | None:
    """Return why the ensemble cannot be published at all, or None."""
    if len(sound) < 2:
        return "An ensemble needs at least two runs that succeeded and are not degenerate."
    without_weights = [run for run in sound if run.artifacts is None]
    if ensemble is None or len(ensemble.run_ids) < len(sound) or without_weights:
        return (
            "The models or predictions of earlier runs were not kept, so the ensemble of all runs "
            "cannot be served."
        )
    if ensemble.validation is None and ensemble.test is None:
        return (
            "The runs were validated on different folds, so there are no rows on which to score "
            "their ensemble."
        )
    return None


def _decide_by_scores(
    context: WorkerContext,
    job: Job,
    runs: Sequence[Run],
    ensemble: EnsembleResult,
    model_bytes: int,
) -> Publication:
    """Choose by the validation scores, then by what the ensemble costs."""
    scores = [run.validation_score for run in list_sound_runs(runs)]
    is_better, reason = compare_validation_scores(
        ensemble.get_split("validation").get(job.metric),
        scores,
        job.metric,
        rows=job.dataset.rows.validation,
    )
    if not is_better:
        return Publication(kind="best_run", reason=reason, ensemble=ensemble)
    cost = find_excessive_cost(
        len(ensemble.run_ids),
        model_bytes,
        memory_bytes=context.settings.classifier_bytes,
        free_bytes=_measure_free_bytes(context),
    )
    if cost is not None:
        return Publication(kind="best_run", reason=cost, denied=True, ensemble=ensemble)
    return Publication(kind="ensemble", reason=reason, ensemble=ensemble)


def compare_validation_scores(
    ensemble: float | None, runs: Sequence[float | None], metric: str, *, rows: int
) -> tuple[bool, str]:
    """Return whether the ensemble is to be preferred to the best of the runs, and why.

    The best run's score is the highest of several on the rows that chose it, so the ensemble may
    be up to one standard deviation of the runs below it, but not below their mean; on ``rows`` so
    few that either difference is within their noise, it is no reason against the ensemble.
    """
    defined = [score for score in runs if score is not None]
    if ensemble is None or len(defined) < MIN_AUTO_MEMBERS:
        return False, (
            f"An ensemble is published automatically from {MIN_AUTO_MEMBERS} runs with a "
            "validation score."
        )
    best, mean, std = max(defined), statistics.fmean(defined), statistics.stdev(defined)
    noise = estimate_row_noise(metric, mean, rows)
    numbers = (
        f"On the validation rows its {metric} is {format_number(ensemble)}, that of the best run "
        f"{format_number(best)}, and that of the {len(defined)} runs {format_number(mean)} ± "
        f"{format_spread(std)}; {format_count(rows, 'row')} determine a score to about "
        f"{format_spread(noise)}."
    )
    if ensemble + noise + _TOLERANCE >= max(mean, best - std):
        return True, numbers
    return False, (
        f"The ensemble scores lower by more than chance explains. {numbers}"
        if ensemble + noise >= mean
        else f"The ensemble scores below the mean of the runs. {numbers}"
    )


def find_excessive_cost(
    members: int, model_bytes: int, *, memory_bytes: int, free_bytes: int | None
) -> str | None:
    """Return which cost of the ensemble is too high to be accepted unasked, or None.

    ``free_bytes`` is None if the models are not stored on this machine's disk.
    """
    kept_bytes = members * model_bytes
    if members > MAX_AUTO_MEMBERS:
        return f"An ensemble of {members} runs needs {members} passes for each classification."
    if kept_bytes > memory_bytes:
        return (
            f"The {members} models have {kept_bytes >> 20} MB, more than the "
            f"{memory_bytes >> 20} MB that the API keeps in memory (EVENKEEL_CLASSIFIER_BYTES)."
        )
    # the models are on the disk already: as much again must stay free for the next job
    needed = kept_bytes + PUBLISHED_COPIES * model_bytes + SPARE_BYTES
    if free_bytes is not None and free_bytes < needed:
        return (
            f"Keeping the {members} models needs {needed >> 20} MB of free disk space, but only "
            f"{free_bytes >> 20} MB are free."
        )
    return None


def _measure_free_bytes(context: WorkerContext) -> int | None:
    """Return the free space of the disk that holds the models; None if it is not this one."""
    folder = context.settings.resolved_cache_dir
    folder.mkdir(parents=True, exist_ok=True)
    if not context.storage.is_on_same_disk(folder):
        return None
    return shutil.disk_usage(folder).free

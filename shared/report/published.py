"""Scores of what a job can publish and of what it has published, and the sentence about them."""

from shared.domain.publication import DistilledResult, EnsembleResult
from shared.report.details import DistilledScores, EnsembleScores, PublishedScore
from shared.report.formatting import format_count, format_number
from shared.report.schemas import JobResults


def build_ensemble_scores(results: JobResults) -> EnsembleScores | None:
    """Return the scores of the ensemble in the report's metric; None if it was not scored."""
    ensemble = None if results.publication is None else results.publication.ensemble
    if ensemble is None:
        return None
    by_split = _select_scores(ensemble, results.metric)
    return EnsembleScores(
        members=len(ensemble.run_ids),
        run_ids=ensemble.run_ids,
        score=by_split[results.split],
        validation_score=by_split["validation"],
        test_score=by_split["test"],
        disagreement=ensemble.disagreement.get(results.split),
    )


def build_distilled_scores(results: JobResults) -> DistilledScores | None:
    """Return the scores of the distilled model in the report's metric; None if there is none."""
    distilled = None if results.publication is None else results.publication.distilled
    if distilled is None:
        return None
    by_split = _select_scores(distilled, results.metric)
    return DistilledScores(
        run_id=distilled.run_id,
        teachers=distilled.teachers,
        unlabelled_texts=distilled.unlabelled_texts,
        score=by_split[results.split],
        validation_score=by_split["validation"],
        test_score=by_split["test"],
    )


def _select_scores(
    scored: EnsembleResult | DistilledResult, metric: str
) -> dict[str, float | None]:
    """Return the score in this metric by split."""
    return {split: scored.get_split(split).get(metric) for split in ("validation", "test")}


def get_best_run_score(results: JobResults) -> float | None:
    """Return the best run's score on the report's split."""
    runs = (run for run in results.runs if run.run_id == results.best_run_id)
    return next((run.score for run in runs), None)


def build_published_score(results: JobResults) -> PublishedScore | None:
    """Return the score of what the published model answers with; None if nothing is published."""
    publication = results.publication
    if publication is None:  # an open job, or one that ended before ensembles were scored
        if results.fine_tuned_model is None:
            return None
        return PublishedScore(kind="best_run", score=get_best_run_score(results), reason=None)
    if publication.kind is None:
        return None
    score = get_best_run_score(results)
    if publication.kind == "ensemble" and (ensemble := build_ensemble_scores(results)):
        score = ensemble.score
    elif publication.kind == "distilled" and (distilled := build_distilled_scores(results)):
        score = distilled.score
    return PublishedScore(kind=publication.kind, score=score, reason=publication.reason)


def format_published_model(results: JobResults) -> str:
    """Say that an ensemble or a distilled model is published, and its score; empty if the best
    run is.
    """
    published, ensemble = build_published_score(results), build_ensemble_scores(results)
    distilled = build_distilled_scores(results)
    if published is None or published.kind == "best_run":
        return ""
    if published.kind == "ensemble":
        model = f"the ensemble of {format_count(ensemble.members if ensemble else 0, 'run')}"
    else:
        model = f"distilled from {format_count(len(distilled.teachers) if distilled else 0, 'run')}"
    return (
        f" The published model is {model}: {results.metric} {format_number(published.score)} on "
        f"the {results.split} rows, where the best run has "
        f"{format_number(get_best_run_score(results))}."
    )

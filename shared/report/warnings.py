"""Warnings of the report: what to know before relying on its numbers, and why a number is null."""

from collections.abc import Iterator

from shared.report.base import Interval
from shared.report.cautions import make_caution, merge_cautions
from shared.report.distribution import Z95
from shared.report.findings import ReportFindings
from shared.report.formatting import (
    capitalize_first,
    choose_verb,
    format_count,
    format_fraction,
    format_interval,
    format_number,
    format_percent,
)
from shared.report.published import build_ensemble_scores
from shared.report.schemas import Caution, JobResults
from shared.report.verdict import STABLE_STD

FAILED_RUNS_PREDICATE = (
    "failed without a score. If the recipe caused it, for example by a NaN loss, the other scores "
    "are too favorable; each run's error gives the reason."
)


def build_warnings(findings: ReportFindings) -> list[Caution]:
    """Return every caution of the job: those it was stored with, and those of its runs."""
    found = [
        *_warn_missing_runs(findings),
        *_warn_undefined_scores(findings),
        *_warn_single_score(findings),
        *_warn_zero_spread(findings),
        *_warn_same_rows(findings),
        *_warn_few_rows(findings),
        *_warn_selection_effect(findings),
        *_warn_denied_ensemble(findings),
        *_warn_dependent_folds(findings),
    ]
    return merge_cautions(findings.results.warnings, found)


def _warn_missing_runs(findings: ReportFindings) -> Iterator[Caution]:
    for code, amount, predicate in (
        ("runs_open", findings.open_runs, _describe_open_runs(findings)),
        ("failed_runs", findings.failed, FAILED_RUNS_PREDICATE),
        ("cancelled_runs", findings.cancelled, _describe_cancelled_runs(findings)),
        ("discarded_runs", findings.discarded, _describe_discarded_runs(findings)),
    ):
        if amount:
            runs = capitalize_first(format_fraction(amount, findings.results.planned, "run"))
            yield make_caution(code=code, message=f"{runs} {predicate}")


def _describe_open_runs(findings: ReportFindings) -> str:
    verb = choose_verb(findings.open_runs, "is", "are")
    return f"{verb} still open: every number may change."


def _describe_cancelled_runs(findings: ReportFindings) -> str:
    verb = choose_verb(findings.cancelled, "was", "were")
    return f"{verb} cancelled: the distribution covers fewer {findings.run_noun}s than planned."


def _describe_discarded_runs(findings: ReportFindings) -> str:
    verb = choose_verb(findings.discarded, "was", "were")
    return f"{verb} discarded early as less promising. {_describe_kept_runs(findings)}"


def _describe_kept_runs(findings: ReportFindings) -> str:
    effect = findings.discard_effect
    text = "The distribution covers the kept runs, so its mean is above that of a random run."
    if (
        effect is None
        or effect.mean_started is None
        or effect.mean_kept is None
        or effect.difference is None
    ):
        return text
    return (
        f"{text} At step {effect.step}, where they were chosen, the mean validation "
        f"{findings.results.metric} was {format_number(effect.mean_kept)} for the {effect.kept} "
        f"kept runs and {format_number(effect.mean_started)} for all {effect.started}: the choice "
        f"alone adds {format_number(effect.difference)}."
    )


def _warn_undefined_scores(findings: ReportFindings) -> Iterator[Caution]:
    without = findings.n - findings.scored_runs
    if findings.n == 0:
        yield make_caution(
            code="undefined_statistics",
            message="No run has succeeded, so mean, std, quartiles and intervals are null.",
        )
    elif without:
        runs = format_fraction(without, findings.n, "succeeded run")
        covered = f"the other {findings.scored_runs}" if findings.scored_runs else "no run"
        yield make_caution(
            code="undefined_scores",
            message=f"{findings.results.metric} is undefined for {runs}. n counts all "
            f"succeeded runs; the distribution covers {covered}.",
        )


def _warn_single_score(findings: ReportFindings) -> Iterator[Caution]:
    if findings.scored_runs == 1:
        yield make_caution(
            code="undefined_statistics",
            message="A single score has no spread, so std, ci95 and bootstrap_ci95 are null. Run "
            "more seeds.",
        )


def _warn_zero_spread(findings: ReportFindings) -> Iterator[Caution]:
    if (equal := findings.equal_scores) is not None:
        scores = "Both" if findings.scored_runs == 2 else f"All {findings.scored_runs}"
        yield make_caution(
            code="zero_spread",
            message=f"{scores} scores are equal, so std is 0 and the intervals of the mean have no "
            f"width. This does not mean that other {findings.run_noun}s score the same: up to "
            f"{format_percent(equal.differing_share)} of all {findings.run_noun}s may differ "
            "(95% bound).",
        )


def _warn_same_rows(findings: ReportFindings) -> Iterator[Caution]:
    if findings.results.split == "validation" and (findings.scored_runs or findings.open_runs):
        scored = build_ensemble_scores(findings.results)
        ensemble = "" if scored is None else ", that of their ensemble included,"
        yield make_caution(
            code="checkpoint_chosen_on_same_rows",
            message="Each run's checkpoint is chosen by its score on these validation rows, so "
            f"the scores{ensemble} are somewhat too high. For unbiased scores, add a test file or "
            "a test fraction.",
        )


def _warn_few_rows(findings: ReportFindings) -> Iterator[Caution]:
    """Warn of the uncertainty from few rows, which is easily forgotten beside the spread over
    seeds because all seeds share the rows.
    """
    results, mean = findings.results, findings.distribution.mean
    if not results.evaluation_rows or mean is None:
        return
    statement = (
        _describe_row_error(results, results.evaluation_rows, mean)
        if findings.rows_interval is None
        else _describe_row_interval(results.metric, mean, findings.rows_interval)
    )
    if statement:
        rows = format_count(results.evaluation_rows, f"{results.split} row")
        yield make_caution(
            code="small_evaluation_set",
            message=f"The scores are measured on {rows}. {statement} from the choice of rows "
            f"alone, which the intervals over {findings.run_noun}s do not include.",
        )


def _describe_row_interval(metric: str, mean: float, bounds: Interval) -> str:
    """Describe an interval that reaches far from the mean; empty for another. A score near 0 or 1
    has an interval that reaches far to one side only.
    """
    reach = max(mean - bounds[0], bounds[1] - mean)
    if reach <= Z95 * STABLE_STD:
        return ""
    score = format_number(mean)
    return f"A mean {metric} of {score} has a 95% interval of {format_interval(bounds)}"


def _describe_row_error(results: JobResults, rows: int, mean: float) -> str:
    """Describe a standard error that is large; empty for another."""
    if results.regression:
        # of a correlation of normal variables (Fisher 1915); a rough guide for R² as well. That of
        # a correlation of 1 would be 0, so no more counts than the lower end of Wilson's interval
        # of a share of 1
        strength = max(mean, 0.0) if results.metric == "r2" else abs(mean)
        correlation = min(strength, rows / (rows + Z95**2))
        error = (1 - correlation**2) / rows**0.5
        text = f"A mean {results.metric} of {format_number(mean)} has a standard error of about"
    else:
        error = 0.5 / rows**0.5  # of an accuracy of one half, the worst case
        text = "With so few rows, even accuracy has a standard error of up to"
    return f"{text} {format_number(error)}" if error > STABLE_STD else ""


def _warn_selection_effect(findings: ReportFindings) -> Iterator[Caution]:
    """Warn that the published run is the best of n by validation: its score is often quoted as
    the recipe's.
    """
    results, mean = findings.results, findings.distribution.mean
    best = next((run for run in results.runs if run.run_id == results.best_run_id), None)
    score = None if best is None else best.score
    if results.split != "validation" or findings.scored_runs < 2 or score is None or mean is None:
        return
    if score > mean:
        yield make_caution(
            code="selection_effect",
            message=f"The best run's score of {format_number(score)} is the highest of "
            f"{findings.scored_runs} on the rows that chose it, {format_number(score - mean)} "
            "above their mean. Expect a lower score on new rows; the recipe's value is the mean.",
        )


def _warn_denied_ensemble(findings: ReportFindings) -> Iterator[Caution]:
    publication = findings.results.publication
    if publication is None or not publication.denied:
        return
    is_distilled = publication.wanted == "distilled"
    yield make_caution(
        code="distilled_not_published" if is_distilled else "ensemble_not_published",
        message="The best run is published instead of "
        f"{'a distilled model' if is_distilled else 'the ensemble'}. {publication.reason}",
    )


def _warn_dependent_folds(findings: ReportFindings) -> Iterator[Caution]:
    folds = {run.fold for run in findings.results.runs if run.fold is not None}
    if len(folds) > 1:
        yield make_caution(
            code="dependent_folds",
            message=f"The runs cover {len(folds)} folds, whose training rows overlap. Their "
            "scores are not independent, so the intervals of the mean are somewhat too narrow "
            "(Bengio & Grandvalet 2004).",
        )

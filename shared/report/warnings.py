"""Warnings of the report: what to know before relying on its numbers, and why a number is null."""

from collections.abc import Iterator

from shared.report.findings import ReportFindings
from shared.report.formatting import (
    capitalize_first,
    choose_verb,
    format_count,
    format_fraction,
    format_number,
)
from shared.report.schemas import Caution, JobResults
from shared.report.verdict import STABLE_STD

FAILED_RUNS_PREDICATE = (
    "failed without a score. If the recipe caused it, for example by a NaN loss, the other scores "
    "are too favorable; each run's error gives the reason."
)


def build_warnings(findings: ReportFindings) -> list[Caution]:
    return [
        *_warn_missing_runs(findings),
        *_warn_undefined_scores(findings),
        *_warn_single_score(findings),
        *_warn_zero_spread(findings),
        *_warn_same_rows(findings),
        *_warn_few_rows(findings),
        *_warn_selection_effect(findings),
        *_warn_dependent_folds(findings),
    ]


def _warn_missing_runs(findings: ReportFindings) -> Iterator[Caution]:
    for code, amount, predicate in (
        ("runs_open", findings.open_runs, _describe_open_runs(findings)),
        ("failed_runs", findings.failed, FAILED_RUNS_PREDICATE),
        ("cancelled_runs", findings.cancelled, _describe_cancelled_runs(findings)),
        ("discarded_runs", findings.discarded, _describe_discarded_runs(findings)),
    ):
        if amount:
            runs = capitalize_first(format_fraction(amount, findings.results.planned, "run"))
            yield Caution(code=code, message=f"{runs} {predicate}")


def _describe_open_runs(findings: ReportFindings) -> str:
    verb = choose_verb(findings.open_runs, "is", "are")
    return f"{verb} still open: every number may change."


def _describe_cancelled_runs(findings: ReportFindings) -> str:
    verb = choose_verb(findings.cancelled, "was", "were")
    return f"{verb} cancelled: the distribution covers fewer seeds than planned."


def _describe_discarded_runs(findings: ReportFindings) -> str:
    verb = choose_verb(findings.discarded, "was", "were")
    return f"{verb} discarded early as less promising. {_describe_kept_runs(findings)}"


def _describe_kept_runs(findings: ReportFindings) -> str:
    effect = findings.discard_effect
    text = "The distribution covers the kept runs, so its mean is above that of a random seed."
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
        yield Caution(
            code="undefined_statistics",
            message="No run has succeeded, so mean, std, quartiles and intervals are null.",
        )
    elif without:
        runs = format_fraction(without, findings.n, "succeeded run")
        covered = f"the other {findings.scored_runs}" if findings.scored_runs else "no run"
        yield Caution(
            code="undefined_scores",
            message=f"{findings.results.metric} is undefined for {runs}. n counts all "
            f"succeeded runs; the distribution covers {covered}.",
        )


def _warn_single_score(findings: ReportFindings) -> Iterator[Caution]:
    if findings.scored_runs == 1:
        yield Caution(
            code="undefined_statistics",
            message="A single score has no spread, so std, ci95 and bootstrap_ci95 are null. Run "
            "more seeds.",
        )


def _warn_zero_spread(findings: ReportFindings) -> Iterator[Caution]:
    if findings.distribution.std == 0:
        yield Caution(
            code="zero_spread",
            message=f"All {findings.scored_runs} scores are equal, so std is 0 and the interval "
            "of the mean has no width. This does not mean that the score is exact.",
        )


def _warn_same_rows(findings: ReportFindings) -> Iterator[Caution]:
    if findings.results.split == "validation" and findings.scored_runs:
        yield Caution(
            code="checkpoint_chosen_on_same_rows",
            message="Each run's checkpoint was chosen by its score on these validation rows, so "
            "the scores are somewhat too high. For unbiased scores, add a test file or a test "
            "fraction.",
        )


def _warn_few_rows(findings: ReportFindings) -> Iterator[Caution]:
    """Warn of the uncertainty from few rows, which is easily forgotten beside the spread over
    seeds because all seeds share the rows.
    """
    results, mean = findings.results, findings.distribution.mean
    if not results.evaluation_rows or mean is None:
        return
    error, statement = _estimate_error_from_rows(
        results, results.evaluation_rows, mean, findings.standard_error
    )
    if error > STABLE_STD:
        rows = format_count(results.evaluation_rows, f"{results.split} row")
        yield Caution(
            code="small_evaluation_set",
            message=f"The scores are measured on {rows}. {statement} {format_number(error)} from "
            "the choice of rows alone, which the intervals over seeds do not include.",
        )


def _estimate_error_from_rows(
    results: JobResults, rows: int, mean: float, known: float | None
) -> tuple[float, str]:
    """Return the standard error, and the beginning of a sentence that ends with it."""
    score = format_number(mean)
    if known is not None:
        return known, f"A mean {results.metric} of {score} has a standard error of"
    if results.regression:
        # of a correlation of normal variables (Fisher 1915); a rough guide for R² as well
        error = (1 - min(mean**2, 1.0)) / rows**0.5
        return error, f"A correlation of {score} has a standard error of about"
    error = 0.5 / rows**0.5  # of an accuracy of one half, the worst case
    return error, "With so few rows, even accuracy has a standard error of up to"


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
        yield Caution(
            code="selection_effect",
            message=f"The best run's score of {format_number(score)} is the highest of "
            f"{findings.scored_runs} on the rows that chose it, {format_number(score - mean)} "
            "above their mean. Expect a lower score on new rows; the recipe's value is the mean.",
        )


def _warn_dependent_folds(findings: ReportFindings) -> Iterator[Caution]:
    folds = {run.fold for run in findings.results.runs if run.fold is not None}
    if len(folds) > 1:
        yield Caution(
            code="dependent_folds",
            message=f"The runs cover {len(folds)} folds, whose training rows overlap. Their "
            "scores are not independent, so the intervals of the mean are somewhat too narrow "
            "(Bengio & Grandvalet 2004).",
        )

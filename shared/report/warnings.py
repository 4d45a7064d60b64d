"""Warnings of the report: what to know before relying on its numbers, and why a number is null."""

from collections.abc import Iterator

from shared.report.formatting import capitalize_first, format_count, format_fraction, format_number
from shared.report.schemas import Caution
from shared.report.verdict import STABLE_STD, ReportFindings


def build_warnings(findings: ReportFindings) -> list[Caution]:
    return [
        *_warn_missing_runs(findings),
        *_warn_undefined_scores(findings),
        *_warn_zero_spread(findings),
        *_warn_same_rows(findings),
        *_warn_few_rows(findings),
        *_warn_selection_effect(findings),
        *_warn_dependent_folds(findings),
    ]


def _warn_missing_runs(findings: ReportFindings) -> Iterator[Caution]:
    meanings = (
        ("runs_open", findings.open_runs, "not ended yet: every number here may still change."),
        (
            "failed_runs",
            findings.failed,
            "failed and left no score. If the recipe made them fail (a loss that became "
            "NaN, say), the others "
            "flatter it; each run's error says why.",
        ),
        (
            "cancelled_runs",
            findings.cancelled,
            "cancelled: the distribution is over fewer seeds than planned.",
        ),
        (
            "discarded_runs",
            findings.discarded,
            f"discarded part-way as less promising: {_describe_survivors(findings)}",
        ),
    )
    for code, amount, meaning in meanings:
        if amount:
            who = capitalize_first(format_fraction(amount, findings.results.planned, "run"))
            yield Caution(code=code, message=f"{who} {meaning}")


def _describe_survivors(findings: ReportFindings) -> str:
    effect = findings.discard_effect
    said = (
        "the distribution is of the survivors, and its mean above that of a seed drawn at random."
    )
    if (
        effect is None
        or effect.mean_started is None
        or effect.mean_kept is None
        or effect.difference is None
    ):
        return said
    return (
        f"{said} At step {effect.step}, where the choice was made, the {effect.kept} kept "
        "had a mean validation "
        f"{findings.results.metric} of {format_number(effect.mean_kept)}, all "
        f"{effect.started} of {format_number(effect.mean_started)}: the choice "
        f"alone made {format_number(effect.difference)}."
    )


def _warn_undefined_scores(findings: ReportFindings) -> Iterator[Caution]:
    without = findings.n - findings.scored_runs
    if findings.n == 0:
        yield Caution(
            code="undefined_statistics",
            message="No run has succeeded: mean, std, quartiles and intervals are null.",
        )
    elif without:
        others = f"the other {findings.scored_runs}" if findings.scored_runs else "no run"
        yield Caution(
            code="undefined_scores",
            message=f"{findings.results.metric} is undefined for "
            f"{format_fraction(without, findings.n, 'finished run')}, counted "
            f"in n all the same; the distribution is over {others}.",
        )
    if findings.scored_runs == 1:
        yield Caution(
            code="undefined_statistics",
            message=(
                "One score has no spread: std, ci95 and bootstrap_ci95 are null. Run more seeds."
            ),
        )


def _warn_zero_spread(findings: ReportFindings) -> Iterator[Caution]:
    if findings.distribution.std == 0:
        yield Caution(
            code="zero_spread",
            message=f"All {findings.scored_runs} scores are equal, so that std is 0 and "
            "the interval of the mean has no "
            "width. That is what equal answers look like, not a measurement without error.",
        )


def _warn_same_rows(findings: ReportFindings) -> Iterator[Caution]:
    if findings.results.split == "validation" and findings.scored_runs:
        yield Caution(
            code="checkpoint_chosen_on_same_rows",
            message="Each run's checkpoint was chosen by its score on these validation "
            "rows, so the scores are "
            "somewhat too good. Give a test file or a test fraction for scores on rows "
            "that chose nothing.",
        )


def _warn_few_rows(findings: ReportFindings) -> Iterator[Caution]:
    """Spread over seeds is one uncertainty, few rows the other, which is easily forgotten
    because all seeds share the rows.
    """
    results, error, mean = findings.results, findings.standard_error, findings.distribution.mean
    if not results.evaluation_rows or mean is None:
        return
    if error is not None:
        carries = f"A mean {results.metric} of {format_number(mean)} carries a standard error of"
    elif (
        results.regression
    ):  # of a correlation of normal variables (Fisher 1915); for R² a guide as well
        error = (1 - min(mean**2, 1.0)) / results.evaluation_rows**0.5
        carries = f"A correlation of {format_number(mean)} carries a standard error of about"
    else:
        error = 0.5 / results.evaluation_rows**0.5  # of an accuracy of one half, the worst case
        carries = "On so few even a plain accuracy carries a standard error of up to"
    if error > STABLE_STD:
        yield Caution(
            code="small_evaluation_set",
            message="The scores are measured on "
            f"{format_count(results.evaluation_rows, f'{results.split} row')}. {carries} "
            f"{format_number(error)} from the choice of rows alone, which the intervals "
            "over seeds do not contain.",
        )


def _warn_selection_effect(findings: ReportFindings) -> Iterator[Caution]:
    """The published run is the best of n by validation; quoting its score as the recipe's is
    the usual mistake.
    """
    results, mean = findings.results, findings.distribution.mean
    best = next((run for run in results.runs if run.run_id == results.best_run_id), None)
    if (
        results.split != "validation"
        or findings.scored_runs < 2
        or best is None
        or best.score is None
        or mean is None
    ):
        return
    if best.score > mean:
        yield Caution(
            code="selection_effect",
            message=f"The best run's {format_number(best.score)} is the highest of "
            f"{findings.scored_runs} on the rows that chose "
            f"it, {format_number(best.score - mean)} above their mean: expect less of it "
            "on new rows. What the recipe is "
            "worth is the mean.",
        )


def _warn_dependent_folds(findings: ReportFindings) -> Iterator[Caution]:
    folds = {run.fold for run in findings.results.runs if run.fold is not None}
    if len(folds) > 1:
        yield Caution(
            code="dependent_folds",
            message=f"The runs are of {len(folds)} folds, whose training rows overlap: "
            "their scores are not independent, and the "
            "intervals of the mean somewhat too narrow (Bengio & Grandvalet 2004).",
        )

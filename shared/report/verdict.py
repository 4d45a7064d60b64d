"""The report's verdict: a code and a few sentences, which say no more than the seeds support.

The rule, the first that applies:

========================  =========================================================================
code                      when
========================  =========================================================================
provisional               a run is still open
all_degenerate            every succeeded run is degenerate: that their scores agree shows no
                          stability
some_degenerate           at least one succeeded run is degenerate
no_result                 no run succeeded, or none has a defined score
not_better_than_baseline  the mean is not above the score of every baseline
not_enough_seeds          fewer than ``MIN_SEEDS`` scores
unstable                  the standard deviation over the seeds is above ``STABLE_STD``
not_better_than_baseline  the standard deviation is small, but the mean's 95% interval reaches
                          down to the best baseline
some_failed               the standard deviation is small, but a run failed and is missing from it
too_few_rows              all scores are equal, but one other prediction in a single seed would
                          put the standard deviation above ``STABLE_STD``
stable                    none of these
========================  =========================================================================

Many leaked rows turn the verdict afterwards (``shared.report.leakage``).
"""

from shared.report.distribution import std_interval, wilson_interval
from shared.report.findings import ReportFindings
from shared.report.formatting import (
    capitalize_first,
    choose_verb,
    format_count,
    format_fraction,
    format_number,
    format_percent,
    format_spread,
)
from shared.report.leakage import qualify_by_leak
from shared.report.published import format_published_model
from shared.report.schemas import Verdict
from shared.report.verdict_notes import (
    format_baseline_comparison,
    format_baseline_score,
    format_missing_runs,
)

STABLE_STD = 0.02
"""Two points of whatever the metric is (a share, a correlation, R²): a convention of this
report, stated in its text. Recipes and models are commonly preferred over one another for
differences of about this size; if the seed alone moves the score by more, a single run does not
support such a choice.
"""
MIN_SEEDS = 5
"""With fewer, the 95% interval of a standard deviation reaches up to 3.7 (4 seeds), 6.3 (3) or
32 times (2) the estimate; with five it is 2.9.
"""


def decide_report_verdict(findings: ReportFindings) -> Verdict:
    """Apply the first rule that fits (module docstring)."""
    verdict = qualify_by_leak(findings, _judge_runs(findings))
    published = "" if findings.open_runs else format_published_model(findings.results)
    return verdict.model_copy(update={"text": verdict.text + published})


def _judge_runs(findings: ReportFindings) -> Verdict:
    for rule in (
        _judge_open_runs,
        _judge_degenerate_runs,
        _judge_missing_scores,
        _judge_baselines,
        _judge_seed_count,
    ):
        if (found := rule(findings)) is not None:
            return found
    return _judge_spread(findings)


def _judge_open_runs(findings: ReportFindings) -> Verdict | None:
    if not findings.open_runs:
        return None
    open_runs = capitalize_first(
        format_fraction(findings.open_runs, findings.results.planned, "run")
    )
    verb = choose_verb(findings.open_runs, "is", "are")
    text = f"{open_runs} {verb} still open; there is no verdict yet."
    if findings.distribution.mean is not None:
        text += f" So far: {findings.format_scores()}."
    if findings.degenerate:
        text += f" {_format_degenerate(findings, 'succeeded run')}."
    return Verdict(code="provisional", text=text)


def _judge_degenerate_runs(findings: ReportFindings) -> Verdict | None:
    if not findings.degenerate:
        return None
    meaning = f"{_format_degenerate(findings, 'run')}: {_describe_degenerate(findings)}."
    if findings.degenerate < findings.n:
        return _judge_some_degenerate(findings, meaning)
    text = f"{meaning} Nothing was learned"
    if findings.n > 1:
        std = format_spread(findings.distribution.std)
        text += f": scores that agree for this reason (std {std}) do not show stability"
    return Verdict(
        code="all_degenerate",
        text=f"{text}.",
    )


def _judge_some_degenerate(findings: ReportFindings, meaning: str) -> Verdict:
    rate = wilson_interval(findings.degenerate, findings.n)
    assert rate is not None, "a degenerate run is a succeeded one"
    return Verdict(
        code="some_degenerate",
        text=f"{meaning} Of all {findings.run_noun}s, {format_percent(rate[0])} to "
        f"{format_percent(rate[1])} may be degenerate (95%). Over these {findings.run_noun}s: "
        f"{findings.format_scores()}. "
        f"Do not rely on a single run of this recipe.{format_missing_runs(findings)}"
        + format_baseline_comparison(findings),
    )


def _format_degenerate(findings: ReportFindings, noun: str) -> str:
    subject = capitalize_first(format_fraction(findings.degenerate, findings.n, noun))
    return f"{subject} {choose_verb(findings.degenerate, 'is', 'are')} degenerate"


def _describe_degenerate(findings: ReportFindings) -> str:
    metric = findings.results.metric
    if findings.results.regression:
        return (
            "on the validation rows, predictions and labels do not correlate, or "
            f"{metric} is not above 0"
        )
    return (
        "on the validation rows, all predictions are the same, or "
        f"{metric} is not above that of the best constant prediction"
    )


def _judge_missing_scores(findings: ReportFindings) -> Verdict | None:
    if findings.scored_runs:
        return None
    if findings.n:
        runs = format_fraction(findings.n, findings.n, "succeeded run")
        text = f"No score: {findings.results.metric} is undefined for {runs}."
        return Verdict(code="no_result", text=text)
    ended = {
        "failed": findings.failed,
        "cancelled": findings.cancelled,
        "discarded": findings.discarded,
    }
    causes = ", ".join(f"{amount} {how}" for how, amount in ended.items() if amount)
    text = f"No run succeeded: {causes}." if causes else "There is no run yet."
    return Verdict(code="no_result", text=text)


def _judge_baselines(findings: ReportFindings) -> Verdict | None:
    mean = findings.distribution.mean
    ahead = [
        (score, name) for score, name in findings.baselines if mean is not None and mean <= score
    ]
    if not ahead:
        return None
    better = " and ".join(format_baseline_score(score, name) for score, name in ahead)
    meaning = "Fine-tuning does not pay off here, at least with this recipe"
    if any(name == "majority" for _, name in ahead):
        meaning = "The model has learned nothing useful"
    text = (
        f"Not better than {better} on the same rows: {findings.format_scores()}. {meaning}."
        f"{format_missing_runs(findings)}"
    )
    return Verdict(code="not_better_than_baseline", text=text)


def _judge_seed_count(findings: ReportFindings) -> Verdict | None:
    if findings.scored_runs >= MIN_SEEDS:
        return None
    return Verdict(
        code="not_enough_seeds",
        text=f"{capitalize_first(findings.format_scores())}. "
        f"{format_count(findings.scored_runs, findings.run_noun)} cannot show whether this is "
        f"stable; at least {MIN_SEEDS} are needed.{_format_equal_scores(findings)}"
        f"{format_missing_runs(findings)}{format_baseline_comparison(findings)}",
    )


def _format_equal_scores(findings: ReportFindings) -> str:
    text = findings.format_equal_scores()
    return f" {text}" if text else ""


def _judge_spread(findings: ReportFindings) -> Verdict:
    """Judge at least ``MIN_SEEDS`` scores without a degenerate run by their spread."""
    std = findings.distribution.std
    assert std is not None, "fewer than two scores were ruled out before"
    baseline = format_baseline_comparison(findings)
    scores, precision = findings.format_scores(), _format_precision(findings, std)
    limit = f"{format_number(STABLE_STD)}, the limit for stable"
    if std > STABLE_STD:
        code = "unstable"
        text = f"{_describe_dependence(findings)}: {scores}; the std is above {limit}. {precision}"
    else:
        code = _choose_stable_code(findings, baseline)
        text = (
            f"The {findings.run_noun}s agree: {scores}; the std is within {limit}. {precision} "
            f"Up to {_format_highest_degenerate_rate(findings)} of all {findings.run_noun}s may "
            "still be degenerate."
        )
        if code == "too_few_rows":
            text = f"{_format_too_few_rows(findings)} {precision}"
    return Verdict(code=code, text=text + format_missing_runs(findings) + baseline)


def _choose_stable_code(findings: ReportFindings, baseline: str) -> str:
    if baseline:
        return "not_better_than_baseline"
    if findings.failed:
        return "some_failed"
    return "too_few_rows" if _compute_smallest_visible_std(findings) > STABLE_STD else "stable"


def _compute_smallest_visible_std(findings: ReportFindings) -> float:
    """Compute the std if one seed of equal scores predicted one row differently: a smaller spread
    would show as 0. Metrics that are no share of rows change by about as much. It is 0 for
    scores that differ, and for predicted numbers.
    """
    rows = findings.results.evaluation_rows
    if findings.equal_scores is None or findings.results.regression or not rows:
        return 0.0
    return float(1 / rows / findings.scored_runs**0.5)


def _format_too_few_rows(findings: ReportFindings) -> str:
    results = findings.results
    rows = format_count(results.evaluation_rows or 0, f"{results.split} row")
    return (
        f"{rows} cannot show whether this is stable: {findings.format_scores()}, but one other "
        f"prediction in a single {findings.run_noun} would give a std of about "
        f"{format_number(_compute_smallest_visible_std(findings))}, above "
        f"{format_number(STABLE_STD)}, the limit for stable."
    )


def _format_precision(findings: ReportFindings, std: float) -> str:
    """Say how precisely so many seeds determine the spread."""
    if findings.equal_scores is not None:
        return findings.format_equal_scores()
    seeds = findings.scored_runs
    low, high = map(format_spread, std_interval(std, seeds, findings.results.metric))
    runs = f"{seeds} {findings.run_noun}s"
    return f"With {runs}, its 95% interval is {low} to {high} (for normal scores)."


def _describe_dependence(findings: ReportFindings) -> str:
    is_folded = findings.run_noun == "run"
    return f"The score depends on the {'seed and the fold' if is_folded else 'seed'}"


def _format_highest_degenerate_rate(findings: ReportFindings) -> str:
    rate = wilson_interval(0, findings.n)
    assert rate is not None, "no run at all was ruled out before"
    return format_percent(rate[1])

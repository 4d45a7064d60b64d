"""The headline: one code and a few sentences, which say no more than the seeds carry.

The rule, the first that applies:

========================  ==========================================================================
code                      when
========================  ==========================================================================
provisional               a run is still open
all_degenerate            every succeeded run is degenerate: that their scores agree is no stability
some_degenerate           at least one succeeded run is degenerate
no_result                 no run succeeded, or none has a defined score
not_better_than_baseline  the mean is not above the score of every baseline
not_enough_seeds          fewer than ``MIN_SEEDS`` scores
unstable                  the standard deviation over the seeds is above ``STABLE_STD``
not_better_than_baseline  it is not, but the mean's 95 % interval reaches down to the best
                          baseline
some_failed               the standard deviation is small, but a run failed and is missing from it
stable                    none of these
========================  ==========================================================================
"""

from dataclasses import dataclass

from shared.report.details import DiscardEffect
from shared.report.distribution import Distribution, std_interval, wilson_interval
from shared.report.formatting import (
    capitalize_first,
    format_baseline,
    format_count,
    format_fraction,
    format_interval,
    format_number,
    format_percent,
)
from shared.report.schemas import JobResults, Verdict

STABLE_STD = 0.02
"""Two points of whatever the metric is (a share, a correlation, R²): a convention of this
report, named in its text. Recipes and models are commonly preferred over one another for
differences of about this size; where the seed alone moves the score by more, one run cannot
carry such a choice.
"""
MIN_SEEDS = 5
"""With fewer, the 95 % interval of a standard deviation reaches up to 3.7 (4 seeds), 6.3 (3) or
32 times (2) the estimate; with five it is 2.9.
"""


@dataclass(frozen=True)
class ReportFindings:
    """What was counted and computed, for the sentences."""

    results: JobResults
    open_runs: int
    n: int
    scored_runs: int
    """Succeeded runs with a defined score."""
    degenerate: int
    failed: int
    cancelled: int
    discarded: int
    distribution: Distribution
    standard_error: float | None
    discard_effect: DiscardEffect | None = None

    @property
    def baselines(self) -> list[tuple[float, str]]:
        """Scores and names of the baselines that have a score, the best first."""
        known = [(one.score, one.name) for one in self.results.baselines if one.score is not None]
        return sorted(known, key=lambda one: -one[0])


def decide_report_verdict(findings: ReportFindings) -> Verdict:
    """The first rule that applies (module docstring)."""
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
    text = (
        f"{format_count(findings.open_runs, 'run')} of {findings.results.planned} "
        "still to end; no verdict yet."
    )
    if findings.distribution.mean is not None:
        text += f" So far: {_format_scores(findings)}."
    if findings.degenerate:
        share = format_fraction(findings.degenerate, findings.n, "finished run")
        text += f" {capitalize_first(share)} degenerate."
    return Verdict(code="provisional", text=text)


def _judge_degenerate_runs(findings: ReportFindings) -> Verdict | None:
    if not findings.degenerate:
        return None
    metric = findings.results.metric
    sign = (
        f"no correlation of predictions and labels, or {metric} not above 0"
        if findings.results.regression
        else f"one answer for every row, or {metric} no better than the best constant answer's"
    )
    meaning = (
        f"{capitalize_first(format_fraction(findings.degenerate, findings.n, 'run'))} "
        f"{'is' if findings.degenerate == 1 else 'are'} "
        f"degenerate: on the validation rows {sign}."
    )
    rate = wilson_interval(findings.degenerate, findings.n)
    assert rate is not None, "a degenerate run is a succeeded one"
    if findings.degenerate == findings.n:
        return Verdict(
            code="all_degenerate",
            text=f"{meaning} Nothing was learned, and scores that agree for that reason (std "
            f"{format_number(findings.distribution.std)}) are no stability. Train longer "
            "or at a higher rate.",
        )
    return Verdict(
        code="some_degenerate",
        text=f"{meaning} Their share among all seeds may be {format_percent(rate[0])} "
        f"to {format_percent(rate[1])} (95 %). "
        f"Over all seeds: {_format_scores(findings)}. A single run of this recipe cannot "
        f"be relied on.{_format_missing_runs(findings)}" + _format_baseline_comparison(findings),
    )


def _judge_missing_scores(findings: ReportFindings) -> Verdict | None:
    if findings.scored_runs:
        return None
    if findings.n:
        text = (
            f"No score: {findings.results.metric} is undefined for "
            f"{format_fraction(findings.n, findings.n, 'finished run')}."
        )
        return Verdict(code="no_result", text=text)
    ended = {
        "failed": findings.failed,
        "cancelled": findings.cancelled,
        "discarded": findings.discarded,
    }
    causes = ", ".join(f"{amount} {how}" for how, amount in ended.items() if amount)
    return Verdict(
        code="no_result", text=f"No run succeeded: {causes}." if causes else "There is no run yet."
    )


def _judge_baselines(findings: ReportFindings) -> Verdict | None:
    mean = findings.distribution.mean
    ahead = [
        (score, name) for score, name in findings.baselines if mean is not None and mean <= score
    ]
    if not ahead:
        return None
    better = " and ".join(
        f"{format_baseline(name)} ({format_number(score)})" for score, name in ahead
    )
    if any(name == "majority" for _, name in ahead):
        meaning = "the model has learned nothing of use"
    else:
        meaning = "fine-tuning does not pay here, at least not with this recipe"
    return Verdict(
        code="not_better_than_baseline",
        text=(
            f"No better than {better} on the same rows: {_format_scores(findings)}; "
            f"{meaning}.{_format_missing_runs(findings)}"
        ),
    )


def _judge_seed_count(findings: ReportFindings) -> Verdict | None:
    if findings.scored_runs >= MIN_SEEDS:
        return None
    return Verdict(
        code="not_enough_seeds",
        text=f"{capitalize_first(_format_scores(findings))}. "
        f"{format_count(findings.scored_runs, 'seed')} cannot show whether this is stable; "
        "it takes at least "
        f"{MIN_SEEDS}.{_format_missing_runs(findings)}{_format_baseline_comparison(findings)}",
    )


def _judge_spread(findings: ReportFindings) -> Verdict:
    """What at least ``MIN_SEEDS`` scores without a degenerate one show, and how well so many
    pin the spread down.
    """
    std, rate = findings.distribution.std, wilson_interval(0, findings.n)
    assert std is not None, "fewer than two scores were ruled out before"
    assert rate is not None, "so was no run at all"
    low, high = std_interval(std, findings.scored_runs)
    known = (
        f"{findings.scored_runs} seeds place the std between {format_number(low)} and "
        f"{format_number(high)} (95 %, for normal scores)"
    )
    baseline = _format_baseline_comparison(findings)
    limit = f"{format_number(STABLE_STD)}, the limit for stable"
    if std > STABLE_STD:
        code = "unstable"
        text = (
            f"The seed decides much: {_format_scores(findings)}; the std is above {limit}. {known}."
        )
    else:
        code = (
            "not_better_than_baseline"
            if baseline
            else "some_failed"
            if findings.failed
            else "stable"
        )
        text = (
            f"The seeds agree: {_format_scores(findings)}; the std is within {limit}. "
            f"{known}, and do not exclude that up to "
            f"{format_percent(rate[1])} of all seeds are degenerate."
        )
    return Verdict(code=code, text=text + _format_missing_runs(findings) + baseline)


def _format_scores(findings: ReportFindings) -> str:
    """For instance ``accuracy 0.812 ± 0.014 (mean ± std, 5 seeds, 0.790 to 0.825)``."""
    scores, metric = findings.distribution, findings.results.metric
    if scores.std is None or scores.min is None or scores.max is None:
        return (
            f"{metric} {format_number(scores.mean)} "
            f"({'one seed' if findings.scored_runs else 'no seed with a score'})"
        )
    spread = (
        f"{format_count(findings.scored_runs, 'seed')}, {format_interval((scores.min, scores.max))}"
    )
    return (
        f"{metric} {format_number(scores.mean)} ± {format_number(scores.std)} (mean ± "
        f"std, {spread})"
    )


def _format_missing_runs(findings: ReportFindings) -> str:
    said = ""
    if findings.failed:
        verb = "is" if findings.failed == 1 else "are"
        said += (
            f" {format_count(findings.failed, 'run')} failed and {verb} missing from these numbers."
        )
    if findings.discarded:
        were = "was" if findings.discarded == 1 else "were"
        said += (
            f" {format_count(findings.discarded, 'run')} {were} discarded part-way: "
            "these are the survivors' numbers."
        )
    return said


def _format_baseline_comparison(findings: ReportFindings) -> str:
    """Said only where the seeds leave it open: a mean that is clearly above needs no sentence."""
    mean, bounds = findings.distribution.mean, findings.distribution.ci95
    if mean is None or not findings.baselines:
        return ""
    score, name = findings.baselines[0]
    if mean <= score:
        return f" The mean is not above {format_baseline(name)} ({format_number(score)})."
    if bounds is None or bounds[0] > score:
        return ""
    return (
        f" It is not shown to be better than {format_baseline(name)} "
        f"({format_number(score)}): the mean's 95 % interval is {format_interval(bounds)}."
    )

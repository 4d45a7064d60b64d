"""The headline: one code and one to four sentences, which say no more than the seeds carry.

The rule, the first that applies:

==========================  ==============================================================================================
code                        when
==========================  ==============================================================================================
provisional                 a run is still open
no_result                   no run succeeded, or none has a defined score
all_degenerate              every succeeded run is degenerate: their equal scores are no stability
some_degenerate             at least one succeeded run is degenerate
not_better_than_baseline    the mean is not above the majority baseline's score
not_enough_seeds            fewer than ``MIN_SEEDS`` scores
unstable                    the standard deviation over the seeds is above ``STABLE_STD``
some_failed                 the standard deviation is small, but a run failed and is missing from it
stable                      none of these
==========================  ==============================================================================================
"""

from dataclasses import dataclass

from shared.report.distribution import Distribution, std_interval, wilson_interval
from shared.report.shapes import JobResults, Verdict
from shared.report.wording import count, interval, number, of, percent, sentence

STABLE_STD = 0.02
"""Two points. Conventional fine-tuning of BERT on few rows spreads by more (Zhang et al. 2021, table 1: RTE 3.9, MRPC 1.6 to 4.9 in
the settings that fail), and recipes are told apart by differences of about this size: above it, the seed decides as much as the
recipe does."""
MIN_SEEDS = 5
"""Below this, the 95 % interval of a standard deviation reaches from about half to four times and more of the estimate."""


@dataclass(frozen=True)
class Findings:
    """What was counted and computed, for the sentences."""

    results: JobResults
    open: int
    n: int
    scored: int
    """Succeeded runs with a defined score."""
    degenerate: int
    failed: int
    cancelled: int
    discarded: int
    distribution: Distribution
    standard_error: float | None

    @property
    def majority(self) -> float | None:
        return next((baseline.score for baseline in self.results.baselines if baseline.name == "majority"), None)


def verdict(findings: Findings) -> Verdict:
    """The first rule that applies (module docstring)."""
    for rule in (_provisional, _no_result, _degenerate, _not_better_than_baseline, _not_enough_seeds):
        if (found := rule(findings)) is not None:
            return found
    return _spread(findings)


def _provisional(findings: Findings) -> Verdict | None:
    if not findings.open:
        return None
    text = f"{sentence(count(findings.open, 'run'))} of {findings.results.planned} still to end; no verdict yet."
    if findings.distribution.mean is not None:
        text += f" So far: {_scores(findings)}."
    if findings.degenerate:
        text += f" {sentence(of(findings.degenerate, findings.n, 'finished run'))} degenerate."
    return Verdict(code="provisional", text=text)


def _no_result(findings: Findings) -> Verdict | None:
    if findings.scored:
        return None
    if findings.n:
        text = f"No score: {findings.results.metric} is undefined for {of(findings.n, findings.n, 'finished run')}."
    else:
        ended = (
            (findings.failed, "failed"),
            (findings.cancelled, "were cancelled"),
            (findings.discarded, "were discarded"),
        )
        causes = ", ".join(f"{amount} {what}" for amount, what in ended if amount)
        text = f"No run of {findings.results.planned} succeeded" + (f": {causes}." if causes else ".")
    return Verdict(code="no_result", text=text)


def _degenerate(findings: Findings) -> Verdict | None:
    if not findings.degenerate:
        return None
    who = sentence(of(findings.degenerate, findings.n, "run"))
    verb = "is" if findings.degenerate == 1 else "are"
    meaning = (
        f"{who} {verb} degenerate on the validation rows: one answer for every row, or {findings.results.metric} no better than the "
        "best constant answer's."
    )
    if findings.degenerate == findings.n:
        return Verdict(
            code="all_degenerate",
            text=f"{meaning} Nothing was learned; that the scores agree (std {number(findings.distribution.std)}) is not "
            "stability. Train longer or at a higher rate.",
        )
    rate = wilson_interval(findings.degenerate, findings.n)
    chance = (
        ""
        if rate is None
        else f" The share to expect of further seeds is {percent(rate[0])} to {percent(rate[1])} (95 %)."
    )
    return Verdict(
        code="some_degenerate",
        text=f"{meaning}{chance} Over all seeds: {_scores(findings)}. A single run of this recipe is not to be relied on.",
    )


def _not_better_than_baseline(findings: Findings) -> Verdict | None:
    mean, majority = findings.distribution.mean, findings.majority
    if mean is None or majority is None or mean > majority:
        return None
    return Verdict(
        code="not_better_than_baseline",
        text=f"No better than answering the most frequent label: {_scores(findings)}, and the majority baseline has "
        f"{number(majority)} on the same rows.",
    )


def _not_enough_seeds(findings: Findings) -> Verdict | None:
    if findings.scored >= MIN_SEEDS:
        return None
    missing = f"{_failures(findings)}{_against_baseline(findings)}"
    return Verdict(
        code="not_enough_seeds",
        text=f"{sentence(_scores(findings))}. {count(findings.scored, 'seed')} cannot show whether this is stable; at least "
        f"{MIN_SEEDS} are needed.{missing}",
    )


def _spread(findings: Findings) -> Verdict:
    """Unstable, some_failed or stable, with how well so many seeds pin the standard deviation down."""
    std = findings.distribution.std
    assert std is not None, "fewer than two scores were ruled out before"
    rate = wilson_interval(0, findings.n)
    assert rate is not None
    limits = f" From {findings.scored} seeds, the true std is {interval(std_interval(std, findings.scored))} (95 %, for normal scores)"
    if std > STABLE_STD:
        code = "unstable"
        head = f"The seed decides much: {_scores(findings)}; the std is above the {number(STABLE_STD)} that counts as stable here."
        tail = f"{limits}."
    else:
        code = "some_failed" if findings.failed else "stable"
        head = f"The seeds agree: {_scores(findings)}; the std is within the {number(STABLE_STD)} that counts as stable here."
        tail = f"{limits}, and a share of degenerate runs of up to {percent(rate[1])} is not excluded."
    return Verdict(code=code, text=head + tail + _failures(findings) + _against_baseline(findings))


def _scores(findings: Findings) -> str:
    """For instance ``accuracy 0.812 ± 0.014 (mean ± std, 5 seeds, 0.790 to 0.825)``."""
    scores, metric = findings.distribution, findings.results.metric
    if scores.std is None or scores.min is None or scores.max is None:
        return f"{metric} {number(scores.mean)} (one seed)"
    spread = f"{count(findings.scored, 'seed')}, {number(scores.min)} to {number(scores.max)}"
    return f"{metric} {number(scores.mean)} ± {number(scores.std)} (mean ± std, {spread})"


def _failures(findings: Findings) -> str:
    if not findings.failed:
        return ""
    return f" {sentence(count(findings.failed, 'run'))} failed and {'is' if findings.failed == 1 else 'are'} missing from these numbers."


def _against_baseline(findings: Findings) -> str:
    """Said only where the seeds leave it open: a mean that is clearly above needs no sentence."""
    majority, bounds = findings.majority, findings.distribution.ci95
    if majority is None or bounds is None or bounds[0] > majority:
        return ""
    return (
        f" It is not shown to be better than the majority baseline ({number(majority)}): the mean's 95 % interval is "
        f"{interval(bounds)}."
    )

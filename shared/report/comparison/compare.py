"""Comparison of jobs pair by pair: the differences, their tests and a verdict in words.

Holm's adjustment over the pairs is made for each kind of test separately.
"""

from collections.abc import Sequence
from itertools import combinations

from shared.domain.errors import JobsNotComparable
from shared.report.comparison.cautions import list_comparison_cautions
from shared.report.comparison.findings import PairFindings
from shared.report.comparison.inference import (
    adjust_with_holm,
    brown_forsythe_test,
    compute_effect_size,
    difference_of_means,
    fisher_test,
    welch_interval,
    welch_test,
)
from shared.report.comparison.permutation import (
    compute_smallest_p,
    paired_permutation_test,
    permutation_test,
)
from shared.report.comparison.schemas import (
    ComparedJob,
    Comparison,
    ComparisonInput,
    HypothesisTest,
    Pair,
)
from shared.report.comparison.verdict import decide_pair_verdict


def build_comparison(jobs: Sequence[ComparisonInput], alpha: float = 0.05) -> Comparison:
    """Compare at least two jobs over their succeeded seeds, every pair of them in order.

    Raises JobsNotComparable if their metrics or splits differ. The caller ensures that the rows
    are the same.
    """
    _require_comparable(jobs)
    return Comparison(
        metric=jobs[0].report.metric,
        split=jobs[0].report.split,
        alpha=alpha,
        provisional=any(job.report.provisional for job in jobs),
        warnings=list_comparison_cautions(jobs),
        jobs=[_build_compared_job(job) for job in jobs],
        pairs=_build_pairs(jobs, alpha),
    )


def _build_pairs(jobs: Sequence[ComparisonInput], alpha: float) -> list[Pair]:
    pairs = list(combinations(jobs, 2))
    tests = _adjust_tests([_run_tests(a, b) for a, b in pairs])
    attainable = adjust_with_holm(
        [compute_smallest_p(len(a.scores), len(b.scores)) for a, b in pairs]
    )
    return [
        _build_pair(PairFindings(a, b, tuple(pair_tests), alpha, len(pairs), smallest_p))
        for (a, b), pair_tests, smallest_p in zip(pairs, tests, attainable, strict=True)
    ]


def _require_comparable(jobs: Sequence[ComparisonInput]) -> None:
    if len(jobs) < 2:
        raise ValueError("a comparison needs at least two jobs")
    first = jobs[0].report
    for report in (job.report for job in jobs[1:]):
        for field in ("metric", "split"):
            of_first, of_other = getattr(first, field), getattr(report, field)
            if of_first != of_other:
                raise JobsNotComparable(
                    f"{first.job_id} has the {field} {of_first!r}, {report.job_id} has "
                    f"{of_other!r}; compare jobs with the same {field}.",
                    param="job_ids",
                )


def _build_compared_job(job: ComparisonInput) -> ComparedJob:
    report = job.report
    return ComparedJob(
        job_id=report.job_id,
        preset=job.preset,
        n=report.n,
        mean=report.mean,
        std=report.std,
        equal_scores=report.equal_scores,
        degenerate=report.degenerate,
        failed=report.failed,
    )


def _run_tests(a: ComparisonInput, b: ComparisonInput) -> list[HypothesisTest]:
    of_a, of_b = a.scores_by_seed, b.scores_by_seed
    matching = sorted(of_a.keys() & of_b.keys(), key=str)
    return [
        welch_test(a.scores, b.scores),
        permutation_test(a.scores, b.scores),
        paired_permutation_test([of_b[key] - of_a[key] for key in matching]),
        brown_forsythe_test(a.scores, b.scores),
        fisher_test(a.unsuccessful_count, a.ended_count, b.unsuccessful_count, b.ended_count),
    ]


def _adjust_tests(pairs: list[list[HypothesisTest]]) -> list[list[HypothesisTest]]:
    """Add Holm's adjusted p to the tests, if there is more than one pair."""
    if len(pairs) == 1:
        return pairs
    families = [
        [
            test.model_copy(update={"p_holm": p})
            for test, p in zip(family, adjust_with_holm([t.p for t in family]), strict=True)
        ]
        for family in zip(*pairs, strict=True)
    ]
    return [list(tests) for tests in zip(*families, strict=True)]


def _build_pair(findings: PairFindings) -> Pair:
    a, b = findings.a.scores, findings.b.scores
    return Pair(
        a=findings.a.report.job_id,
        b=findings.b.report.job_id,
        difference=difference_of_means(a, b),
        ci95=welch_interval(a, b, findings.metric),
        effect_size=compute_effect_size(a, b),
        tests=list(findings.tests),
        verdict=decide_pair_verdict(findings),
    )

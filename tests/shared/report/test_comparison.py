"""Comparisons of arbitrary input: nothing is NaN, and the order of seeds and jobs is irrelevant."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.job_facts import JobWarning
from shared.report.comparison import ComparisonInput, build_comparison
from shared.report.comparison.inference import welch_test
from tests.shared.report.comparisons import compare, get_test
from tests.shared.reports import make_report

finite = st.floats(min_value=-1, max_value=1)
samples = st.lists(finite, max_size=6)


class TestUndefined:
    def test_no_spread_on_either_side_has_no_t(self) -> None:
        comparison = compare([0.5] * 5, [0.6] * 5)
        welch = get_test(comparison, "welch")
        assert (welch.p, welch.statistic, comparison.pairs[0].ci95) == (None, None, None)
        assert welch.reason is not None
        assert comparison.pairs[0].effect_size.cohens_d is None
        assert (
            comparison.pairs[0].verdict.code == "b_better"
        )  # every seed of b above every seed of a: permutation 2/252

    def test_spread_on_one_side_only_is_enough(self) -> None:
        # as a one-sample test: b's standard error alone, freedom n - 1
        from scipy import stats

        b = (0.60, 0.61, 0.64)
        assert welch_test((0.5, 0.5, 0.5), b).p == pytest.approx(
            stats.ttest_1samp(b, 0.5).pvalue, rel=1e-9
        )

    @pytest.mark.parametrize("scores", [[], [0.5]])
    def test_fewer_than_two_scores_have_a_reason(self, scores: list[float]) -> None:
        comparison = compare(scores, [0.5, 0.6, 0.7, 0.8])
        for name in ("welch", "permutation", "paired_permutation", "brown_forsythe"):
            assert get_test(comparison, name).p is None
            assert get_test(comparison, name).reason
        assert comparison.pairs[0].verdict.code == "not_enough_seeds"

    @settings(deadline=None, max_examples=60)
    @given(samples, samples)
    def test_never_nan(self, a: list[float], b: list[float]) -> None:
        json.loads(compare(a, b).model_dump_json(), parse_constant=pytest.fail)

    @settings(deadline=None, max_examples=60)
    @given(samples, samples, st.randoms(use_true_random=False))
    def test_order_of_the_seeds_does_not_matter(
        self, a: list[float], b: list[float], random: object
    ) -> None:
        shuffled = list(a)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        ours, theirs = compare(a, b).pairs[0], compare(shuffled, b).pairs[0]
        unpaired = {"difference", "ci95", "effect_size", "verdict"}
        assert ours.model_dump(include=unpaired) == theirs.model_dump(include=unpaired)
        assert [t for t in ours.tests if "paired" not in t.name] == [
            t for t in theirs.tests if "paired" not in t.name
        ]

    @settings(deadline=None, max_examples=60)
    @given(samples, samples)
    def test_swapping_the_jobs_swaps_the_signs(self, a: list[float], b: list[float]) -> None:
        here, there = compare(a, b).pairs[0], compare(b, a).pairs[0]
        if here.difference is not None:
            assert there.difference == -here.difference
        for name in ("welch", "permutation"):
            assert get_test(compare(a, b), name).p == pytest.approx(get_test(compare(b, a), name).p)


def test_wire_shape() -> None:
    body = json.loads(compare([0.5, 0.6], [0.7, 0.8]).model_dump_json())
    assert body.keys() >= {"object", "metric", "split", "alpha", "jobs", "pairs"}
    assert body["jobs"][0].keys() >= {
        "job_id",
        "preset",
        "n",
        "mean",
        "std",
        "degenerate",
        "failed",
    }
    assert body["pairs"][0].keys() >= {
        "a",
        "b",
        "difference",
        "ci95",
        "effect_size",
        "tests",
        "verdict",
    }
    assert body["pairs"][0]["tests"][0].keys() >= {
        "name", "alternative", "n", "statistic", "p", "p_holm", "min_p", "reason",
    }  # fmt: skip
    assert body["pairs"][0]["verdict"].keys() >= {"code", "text", "seeds_needed"}


def test_jobs_of_different_precisions_are_compared_with_a_warning() -> None:
    reports = [make_report([0.6, 0.7, 0.8], job_id=f"ftjob-{name}") for name in "ab"]

    def warned(*precisions: str) -> list[str]:
        jobs = [
            ComparisonInput(report, "debiased", precision=p)
            for report, p in zip(reports, precisions, strict=True)
        ]
        return [
            f"{warning.code}: {warning.message}"
            for warning in build_comparison(jobs).warnings
            if warning.code == "different_precision"
        ]

    assert warned("bfloat16", "bfloat16") == warned("float32", "float32") == []
    [warning] = warned("float32", "bfloat16")
    assert warning.startswith(
        "different_precision: The jobs were trained in different precisions: "
        "debiased in float32, debiased in bfloat16."
    )


def test_jobs_with_different_threads_are_compared_with_a_warning() -> None:
    report = make_report([0.6, 0.7, 0.8])

    def list_codes(*threads: int) -> list[str]:
        jobs = [ComparisonInput(report, "debiased", threads=count) for count in threads]
        return [warning.code for warning in build_comparison(jobs).warnings]

    assert "different_threads" in list_codes(1, 2)
    assert "different_threads" not in list_codes(2, 2)


def test_a_caution_that_all_jobs_share_is_named_once() -> None:
    leak = JobWarning(code="leakage", message="3 test rows have the text of a training row.")
    odd = JobWarning(code="blank_lines", message="Blank lines were skipped.")
    jobs = [
        ComparisonInput(make_report([0.6, 0.7, 0.8], warnings=warnings), preset)
        for preset, warnings in (("debiased", (leak, odd)), ("reinit", (leak,)))
    ]
    warnings = build_comparison(jobs).warnings
    assert (warnings[0].code, warnings[0].message) == ("leakage", f"All jobs: {leak.message}")
    assert [one.message for one in warnings if one.code == "leakage"] == [warnings[0].message]
    assert f"debiased: {odd.message}" in [one.message for one in warnings]

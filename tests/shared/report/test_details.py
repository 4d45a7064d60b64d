"""The forecast for more seeds, and the whole detailed report on arbitrary input."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared.reports import make_detailed_report, make_discard

finite = st.floats(min_value=-1, max_value=1)


class TestForecast:
    def test_student_t_at_the_same_spread(self) -> None:
        # std 0.1118034; t(0.975, 9) = 2.262157 (table 2.262): 2.262157 · 0.1118034/√10 = 0.0799795
        widths = make_detailed_report([0.75, 0.60, 0.90, 0.70, 0.80]).more_seeds
        assert widths is not None
        assert [width.n for width in widths] == [10, 20, 50]
        assert widths[0].half_width == pytest.approx(0.0799795, abs=1e-6)

    @pytest.mark.parametrize("scores", [[], [0.8], [0.8, 0.8]])
    def test_no_spread_no_forecast(self, scores: list[float | None]) -> None:
        assert make_detailed_report(scores).more_seeds is None


@settings(deadline=None, max_examples=80)
@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(),
            st.sampled_from(["running", "succeeded", "failed", "discarded"]),
            st.lists(finite, max_size=3),
        ),
        max_size=8,
    )
)
def test_never_nan(drawn: list[tuple[float | None, str, list[float]]]) -> None:
    report = make_detailed_report(
        [score for score, _, _ in drawn],
        [list(enumerate(curve, start=1)) for _, _, curve in drawn],
        status={index: status for index, (_, status, _) in enumerate(drawn)},
        early_discard=make_discard(start=len(drawn), at_step=2),
    )
    json.loads(report.model_dump_json(), parse_constant=pytest.fail)

"""Labels above the plot touch neither each other, nor a leader, nor the plot below them."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.report import Baseline, StabilityReport
from shared.report.figures.baseline_rules import list_baseline_scores, place_baseline_labels
from shared.report.figures.lanes import (
    Label,
    PlacedLabel,
    count_lanes,
    place_labels,
)
from shared.report.figures.panels import PanelGrid, shorten_text
from shared.report.figures.score_axis import build_score_axis
from shared.report.figures.text_width import estimate_text_width
from tests.shared.reports import make_report

PLOT_PX = 620
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=60)
positions = st.floats(0, PLOT_PX) | st.sampled_from([0, 1, 300, 301, 619, 620])
labels = st.lists(st.builds(Label, positions, names), max_size=5)


def check_no_contact(placed: list[PlacedLabel]) -> None:
    assert all(label.bottom > 0 for label in placed)  # above the plot, its marks and its axis
    for one, other in combinations(placed, 2):
        apart = one.right < other.left or other.right < one.left
        assert apart or one.top < other.bottom or other.top < one.bottom
    for label in placed:
        for leader in placed:
            beside = not label.left <= leader.x <= label.right
            assert beside or leader.top < label.bottom


@settings(deadline=None, max_examples=300)
@given(labels)
def test_labels_and_leaders_stay_apart(drawn: list[Label]) -> None:
    placed = place_labels(drawn, PLOT_PX)
    assert sorted((label.x, label.text) for label in placed) == sorted(
        (label.x, label.text) for label in drawn
    )
    check_no_contact(placed)


@pytest.mark.parametrize(
    ("xs", "lanes"),
    [
        ([], 0),
        ([300], 1),
        ([300, 300], 1),  # one label on either side of the leader
        ([300, 301], 1),
        ([50, 400], 1),
        ([290, 300, 310], 2),
        ([5, 10, 15], 3),
        ([605, 610, 615], 3),
    ],
)
def test_lanes_are_used_only_where_needed(xs: list[float], lanes: int) -> None:
    placed = place_labels([Label(x, f"baseline {x:.3f}") for x in xs], PLOT_PX)
    assert count_lanes(placed) == lanes
    check_no_contact(placed)


def test_a_label_at_an_end_of_the_axis_stays_inside() -> None:
    first, last = place_labels([Label(2, "majority 0.100"), Label(618, "probe 0.900")], PLOT_PX)
    assert (first.side, last.side) == ("right", "left")
    assert first.left >= 0
    assert last.right <= PLOT_PX


def make_compared_report(shift: float, baselines: dict[str, float]) -> tuple[str, StabilityReport]:
    report = make_report([0.7 + shift, 0.72 + shift, 0.9 - shift])
    named = [Baseline(name=name, score=score) for name, score in baselines.items()]
    return f"job {shift}", report.model_copy(update={"baselines": named})


@pytest.mark.parametrize("jobs", range(1, 11))
def test_baselines_of_many_jobs(jobs: int) -> None:
    reports = [
        make_compared_report(
            index / 50,
            {
                "majority": 0.7,
                "linear_probe": 0.7 + index / 200,
                "tfidf_logistic_regression": 0.71,
                "nearest_centroid_of_the_frozen_encoder": 0.72 - index / 100,
            },
        )
        for index in range(jobs)
    ]
    axis = build_score_axis(reports, PLOT_PX)
    placed = [label.placed for label in place_baseline_labels(list_baseline_scores(reports), axis)]
    assert placed
    check_no_contact(placed)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-1e6, 1), min_size=1, max_size=8), st.floats(-1e6, 1))
def test_the_axis_covers_all_scores(scores: list[float], baseline: float) -> None:
    results = make_report([*scores], metric="r2", majority=baseline)
    axis = build_score_axis([("a", results)], PLOT_PX)
    for score in (*scores, baseline):
        assert 0 <= axis.get_pixel(score) <= PLOT_PX


@given(names, st.floats(20, 400))
def test_a_shortened_text_fits(text: str, width: float) -> None:
    shortened = shorten_text(text, 13, width)
    assert estimate_text_width(shortened, 13) <= width
    assert shortened == text or shortened.endswith("…")


@pytest.mark.parametrize("panels", range(1, 11))
def test_panels_are_wide_enough_for_a_title(panels: int) -> None:
    grid = PanelGrid(panels)
    assert grid.panel_px >= estimate_text_width("n = 10, 5 at the end", 13 * 1.1)

"""Every text of a figure lies inside its picture, also in a wider font than the renderer's."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from shared.report import ConfusionMatrix, StabilityReport, build_stability_report
from shared.report.figures import (
    CSS_VARIABLES,
    DARK,
    LIGHT,
    Palette,
    build_confusion_figure,
    build_scores_figure,
)
from shared.report.figures.enclosure import get_view, iterate_text_boxes
from tests.shared.report.drawn_figures import list_texts
from tests.shared.reports import make_report, make_results

DEJAVU_PX = 148.0
"""Width of "3 seeds, 3 degenerate" in DejaVu Sans at 13 pixels, rounded up."""
NAMES = ["stabilized", "W" * 60, "مصنف المشاعر طويل الاسم جدا للغاية", "情感分类器" * 9, "﷽" * 4]


def check_inside(svg: str) -> None:
    root = ElementTree.fromstring(svg)
    view, boxes = get_view(root), list(iterate_text_boxes(root))
    assert boxes
    for box in boxes:
        assert view.left <= box.left < box.right <= view.right
        assert view.top <= box.top < box.bottom <= view.bottom


def make_folded_report(scores: list[float]) -> StabilityReport:
    results = make_results(scores)
    runs = tuple(replace(run, fold=index % 3) for index, run in enumerate(results.runs))
    return build_stability_report(replace(results, runs=runs))


@pytest.mark.parametrize("palette", [LIGHT, DARK, CSS_VARIABLES], ids=["light", "dark", "page"])
@pytest.mark.parametrize("name", NAMES)
def test_labels_lie_inside(name: str, palette: Palette) -> None:
    report = make_report([0.5] * 3, degenerate=[0, 1, 2])
    check_inside(build_scores_figure([(name, report)], palette).to_svg())
    confusion = ConfusionMatrix(labels=[name, "b"], matrix=[[1, 2], [3, 4]], run_id="ftrun-0")
    check_inside(build_confusion_figure(confusion, name, palette).to_svg())


def test_a_long_metric_lies_inside() -> None:
    report = make_report([0.5, 0.6]).model_copy(update={"metric": "weighted_" * 20})
    check_inside(build_scores_figure([("a", report)]).to_svg())


def test_a_label_has_room_in_a_wider_font() -> None:
    svg = build_scores_figure([("a", make_report([0.5] * 3, degenerate=[0, 1, 2]))]).to_svg()
    boxes = list(iterate_text_boxes(ElementTree.fromstring(svg)))
    assert max(box.right - box.left for box in boxes if box.right < 146) > DEJAVU_PX


def test_runs_of_folds_are_not_called_seeds() -> None:
    drawn = list_texts(build_scores_figure([("a", make_folded_report([0.5, 0.6, 0.7]))]))
    assert "3 runs" in drawn
    assert not any("seed" in text for text in drawn)

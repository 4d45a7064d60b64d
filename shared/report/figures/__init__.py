"""The report's pictures: one Vega-Lite specification a figure, to be drawn on a page or rendered to SVG and PNG."""

from shared.report.figures.best_of_n import best_of_n_figure
from shared.report.figures.confusion import confusion_figure
from shared.report.figures.curves import SeedCurve, loss_curves_figure
from shared.report.figures.fan import fan_figure
from shared.report.figures.figure import CSS_VARIABLES, DARK, LIGHT, Figure, Palette
from shared.report.figures.scores import scores_figure
from shared.report.figures.step_size import step_size_figure

__all__ = [
    "CSS_VARIABLES",
    "DARK",
    "LIGHT",
    "Figure",
    "Palette",
    "SeedCurve",
    "best_of_n_figure",
    "confusion_figure",
    "fan_figure",
    "loss_curves_figure",
    "scores_figure",
    "step_size_figure",
]

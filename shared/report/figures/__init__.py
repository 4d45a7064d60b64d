"""Figures of the report: one Vega-Lite specification each, drawn on a page or rendered to SVG
and PNG.
"""

from shared.report.figures.best_of_n import build_best_of_n_figure
from shared.report.figures.confusion import build_confusion_figure
from shared.report.figures.curves import SeedCurve, build_loss_curves_figure
from shared.report.figures.fan import build_fan_figure
from shared.report.figures.figure import CSS_VARIABLES, DARK, LIGHT, Figure, Palette
from shared.report.figures.scores import build_scores_figure
from shared.report.figures.step_size import build_step_size_figure

__all__ = [
    "CSS_VARIABLES",
    "DARK",
    "LIGHT",
    "Figure",
    "Palette",
    "SeedCurve",
    "build_best_of_n_figure",
    "build_confusion_figure",
    "build_fan_figure",
    "build_loss_curves_figure",
    "build_scores_figure",
    "build_step_size_figure",
]

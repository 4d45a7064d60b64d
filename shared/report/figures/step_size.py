"""Figure of the step sizes of runs without bias correction, relative to corrected Adam."""

from typing import TYPE_CHECKING

from shared.domain.wording import format_count
from shared.report.figures.figure import LIGHT, Figure, Palette, finish_figure
from shared.report.figures.panels import FIGURE_PX, ROW_PX
from shared.report.figures.titles import build_title

if TYPE_CHECKING:
    import altair


def compute_step_excess(step: int, beta1: float = 0.9, beta2: float = 0.999) -> float:
    """Compute r(t) = (1 - β1^t) / √(1 - β2^t), the step without bias correction over the one
    with it (Zhang et al. 2021, 4).
    """
    return float((1 - beta1**step) / (1 - beta2**step) ** 0.5)


def build_step_size_figure(
    total_steps: int, beta1: float = 0.9, beta2: float = 0.999, palette: Palette = LIGHT
) -> Figure:
    """Plot r(t) over a run of ``total_steps``."""
    values = [
        {"step": step, "excess": compute_step_excess(step, beta1, beta2)}
        for step in _choose_steps(total_steps)
    ]
    largest, last = max(value["excess"] for value in values), values[-1]["excess"]
    chart = _build_step_layers(values, total_steps, palette).properties(
        width=ROW_PX,
        height=180,
        title=build_title(
            f"Step size without bias correction, over {format_count(total_steps, 'step')}",
            f"At most {largest:.1f} times, at the last step {last:.1f} times that of corrected "
            "Adam. Dashed: equal.",
            FIGURE_PX,
        ),
    )
    return finish_figure(chart, palette)


def _build_step_layers(
    values: list[dict[str, float]], total_steps: int, palette: Palette
) -> "altair.LayerChart | altair.FacetChart":
    import altair as alt

    x_scale = alt.Scale(domain=[0, total_steps], nice=False)
    y_scale = alt.Scale(domain=[0, 7], nice=False)
    x = alt.X("step:Q", title="optimizer step", scale=x_scale)
    y = alt.Y("excess:Q", title="step size, times the corrected one", scale=y_scale)
    curve = alt.Chart(alt.InlineData(values=values)).mark_line(color=palette.bad, strokeWidth=2.5)
    even = alt.Chart(alt.InlineData(values=[{"excess": 1}])).mark_rule(
        color=palette.muted, strokeDash=[5, 4], strokeWidth=1.5
    )
    return alt.layer(even.encode(y=y), curve.encode(x=x, y=y))


def _choose_steps(total_steps: int) -> list[int]:
    """Choose every step of the steep beginning, then about 400 evenly, and the last."""
    stride = max(1, total_steps // 400)
    return sorted(
        {*range(1, total_steps + 1, stride), *range(1, min(60, total_steps) + 1), total_steps}
    )

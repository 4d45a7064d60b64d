"""Figure of how much too large BERTAdam's steps are, for runs without bias correction."""

from shared.report.figures.figure import LIGHT, Figure, Palette, finish_figure


def compute_step_excess(step: int, beta1: float = 0.9, beta2: float = 0.999) -> float:
    """Compute r(t) = (1 - β1^t) / √(1 - β2^t), the step without bias correction over the one
    with it (Zhang et al. 2021, 4).
    """
    return float((1 - beta1**step) / (1 - beta2**step) ** 0.5)


def build_step_size_figure(
    total_steps: int, beta1: float = 0.9, beta2: float = 0.999, palette: Palette = LIGHT
) -> Figure:
    """Plot r(t) over a run of ``total_steps``."""
    import altair as alt

    stride = max(1, total_steps // 400)
    steps = sorted(
        {*range(1, total_steps + 1, stride), *range(1, min(60, total_steps) + 1), total_steps}
    )
    values = [{"step": step, "excess": compute_step_excess(step, beta1, beta2)} for step in steps]
    x = alt.X(
        "step:Q", title="optimiser step", scale=alt.Scale(domain=[0, total_steps], nice=False)
    )
    y = alt.Y(
        "excess:Q",
        title="step size, times the corrected one",
        scale=alt.Scale(domain=[0, 7], nice=False),
    )
    curve = (
        alt.Chart(alt.InlineData(values=values))
        .mark_line(color=palette.bad, strokeWidth=2.5)
        .encode(x=x, y=y)
    )
    even = (
        alt.Chart(alt.InlineData(values=[{"excess": 1}]))
        .mark_rule(color=palette.muted, strokeDash=[5, 4], strokeWidth=1.5)
        .encode(y=y)
    )
    chart = alt.layer(even, curve).properties(
        width=620,
        height=180,
        title=alt.TitleParams(
            f"Step size without bias correction, over the {total_steps} steps of a run",
            subtitle="At most "
            f"{max(compute_step_excess(t, beta1, beta2) for t in steps):.1f} times, at the "
            "last step still "
            f"{compute_step_excess(total_steps, beta1, beta2):.1f} times that of corrected "
            "Adam. Dashed: 1, no excess.",
        ),
    )
    return finish_figure(chart, palette)

"""A figure as a value: a Vega-Lite specification with its data, and how it is rendered."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from shared.report.figures.enclosure import enclose_texts

if TYPE_CHECKING:
    import altair

# metrically equal fonts, so that a browser lays text out as measured
FONT = "Arial, Helvetica, Liberation Sans, sans-serif"
TEXT_PX, TITLE_PX = 13, 16
"""Size of all texts of a figure but its title; no text is smaller."""


@dataclass(frozen=True)
class Palette:
    """Colors by meaning. ``good`` and ``bad`` differ in lightness and for every common color
    blindness (Okabe & Ito); no figure relies on color alone.
    """

    paper: str
    ink: str
    muted: str
    grid: str
    good: str
    bad: str


LIGHT = Palette(
    paper="#ffffff", ink="#1b1f24", muted="#5c6670", grid="#e4e7eb", good="#0072b2", bad="#d55e00"
)
DARK = Palette(
    paper="#14171a", ink="#e8eaed", muted="#a2abb5", grid="#2c3238", good="#56b4e9", bad="#f0924c"
)
CSS_VARIABLES = Palette(**{name: f"var(--{name})" for name in asdict(LIGHT)})
"""Palette for an SVG in a page that defines ``--paper``, ``--ink`` and so on, and may change
them with its theme.
"""


@dataclass(frozen=True)
class Figure:
    spec: dict[str, Any]
    """A complete Vega-Lite specification: no data is fetched."""

    @property
    def title(self) -> str:
        """The title on one line."""
        text = self.spec["title"]["text"]
        return text if isinstance(text, str) else " ".join(text)

    def to_svg(self) -> str:
        import vl_convert

        return enclose_texts(str(vl_convert.vegalite_to_svg(self.spec)))

    def to_png(self, scale: float = 2.0) -> bytes:
        """Render at ``scale`` times the size. A palette of CSS variables cannot be rendered."""
        import vl_convert

        return bytes(vl_convert.svg_to_png(self.to_svg(), scale=scale))


def finish_figure(chart: "altair.TopLevelMixin", palette: Palette) -> Figure:
    """Apply the common style: quiet axes, left-aligned titles, no frame."""
    is_inline = palette is CSS_VARIABLES
    styled = (
        chart.configure(
            font=FONT,
            background="transparent" if is_inline else palette.paper,
            padding={"left": 2, "right": 6, "top": 6, "bottom": 6} if is_inline else 12,
        )
        .configure_view(stroke=None)
        .configure_axis(**_style_axes(palette))
        .configure_title(**_style_titles(palette))
        .configure_legend(**_style_legends(palette))
        .configure_header(
            labelColor=palette.ink,
            labelFontSize=TEXT_PX,
            labelFontWeight=600,
            titleColor=palette.muted,
        )
    )
    return Figure(spec=styled.to_dict(validate=False))


def _style_axes(palette: Palette) -> dict[str, Any]:
    return {
        "domainColor": palette.muted,
        "tickColor": palette.muted,
        "gridColor": palette.grid,
        "labelColor": palette.ink,
        "titleColor": palette.muted,
        "labelFontSize": TEXT_PX,
        "titleFontSize": TEXT_PX,
        "titleFontWeight": "normal",
        "titlePadding": 10,
        "labelLimit": 240,
    }


def _style_titles(palette: Palette) -> dict[str, Any]:
    return {
        "anchor": "start",
        "color": palette.ink,
        "subtitleColor": palette.muted,
        "fontSize": TITLE_PX,
        "fontWeight": 600,
        "subtitleFontSize": TEXT_PX,
        "subtitlePadding": 6,
        "offset": 14,
    }


def _style_legends(palette: Palette) -> dict[str, Any]:
    return {
        "orient": "bottom",
        "titleColor": palette.muted,
        "labelColor": palette.ink,
        "titleFontWeight": "normal",
        "labelFontSize": TEXT_PX,
        "symbolSize": 110,
        "labelLimit": 320,
    }

"""Child process that draws a report: JSON on standard input, HTML or PNG on standard output.

The JavaScript engine that draws the figures takes a few hundred megabytes, which are freed when
the process ends.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import TypeAdapter

from shared.infra.child_process import build_module_command
from shared.report.comparison import Comparison
from shared.report.page import JobSection, render_report, render_summary_png
from shared.report.page.inline_figures import draw_figures, draw_plots
from shared.report.training_curves import TrainingPlot

RENDER_TIMEOUT_S = 60
PageFormat = Literal["html", "png", "figures", "curves"]
"""``figures`` are SVG documents by section, as JSON; ``curves`` are those of plots by measure."""


@dataclass(frozen=True)
class Drawing:
    """What to draw: one job, or the jobs of a comparison."""

    sections: list[JobSection]
    comparison: Comparison | None = None
    format: PageFormat = "html"
    plots: list[TrainingPlot] = field(default_factory=list)
    """For ``curves``."""


_DRAWING_ADAPTER = TypeAdapter(Drawing)


def serialize_drawing(drawing: Drawing) -> bytes:
    """Return the JSON that the child process reads: equal drawings have equal bytes."""
    return _DRAWING_ADAPTER.dump_json(drawing)


def draw_in_child(drawing: bytes, environment: Mapping[str, str]) -> bytes:
    """Draw a serialized drawing in a child process.

    Raises subprocess.SubprocessError if the process fails or exceeds the timeout.
    """
    completed = subprocess.run(
        build_module_command("api.reports.page_process"),
        input=drawing,
        stdout=subprocess.PIPE,
        env=environment,
        check=True,
        timeout=RENDER_TIMEOUT_S,
    )
    return completed.stdout


def draw(drawing: Drawing) -> bytes:
    if drawing.format == "png":
        return render_summary_png([(job.title, job.report) for job in drawing.sections])
    if drawing.format == "figures":
        return json.dumps(draw_figures(drawing.sections)).encode()
    if drawing.format == "curves":
        return json.dumps(draw_plots(drawing.plots)).encode()
    return render_report(drawing.sections, drawing.comparison).encode()


def main() -> None:
    sys.stdout.buffer.write(draw(_DRAWING_ADAPTER.validate_json(sys.stdin.buffer.read())))


if __name__ == "__main__":
    main()

"""``python -m api.reports.page_process``: sections of a report as JSON on standard input, the
page on standard output.

A process of its own for whoever serves: the figures are drawn by a JavaScript engine of a few
hundred megabytes, which goes with it.
"""

import subprocess
import sys
from collections.abc import Sequence

from pydantic import TypeAdapter

from shared.infra.child_process import python_module
from shared.report.page import JobSection, render_report

RENDER_TIMEOUT_S = 60
_SECTIONS_ADAPTER = TypeAdapter(list[JobSection])


def render_report_in_child(sections: Sequence[JobSection], environment: dict[str, str]) -> str:
    """``render_report`` of the sections, in a child. Raises subprocess.SubprocessError where it
    does not come to its end.
    """
    done = subprocess.run(
        python_module("api.reports.page_process"),
        input=_SECTIONS_ADAPTER.dump_json(list(sections)),
        stdout=subprocess.PIPE,
        env=environment,
        check=True,
        timeout=RENDER_TIMEOUT_S,
    )
    return done.stdout.decode()


def main() -> None:
    page = render_report(_SECTIONS_ADAPTER.validate_json(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(page.encode())


if __name__ == "__main__":
    main()

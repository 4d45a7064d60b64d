"""Child process that renders a report: sections as JSON on standard input, HTML on standard output.

The JavaScript engine that draws the figures takes a few hundred megabytes, which are freed when
the process ends.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence

from pydantic import TypeAdapter

from shared.infra.child_process import build_module_command
from shared.report.page import JobSection, render_report

RENDER_TIMEOUT_S = 60
_SECTIONS_ADAPTER = TypeAdapter(list[JobSection])


def render_report_in_child(sections: Sequence[JobSection], environment: Mapping[str, str]) -> str:
    """Render the sections in a child process.

    Raises subprocess.SubprocessError if the process fails or exceeds the timeout.
    """
    completed = subprocess.run(
        build_module_command("api.reports.page_process"),
        input=_SECTIONS_ADAPTER.dump_json(list(sections)),
        stdout=subprocess.PIPE,
        env=environment,
        check=True,
        timeout=RENDER_TIMEOUT_S,
    )
    return completed.stdout.decode()


def main() -> None:
    page = render_report(_SECTIONS_ADAPTER.validate_json(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(page.encode())


if __name__ == "__main__":
    main()

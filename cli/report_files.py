"""``evenkeel report``: the stability report as text, or as the service's HTML, PNG or CSV file."""

from pathlib import Path

from cli.client import Client
from cli.output_files import write_output
from cli.tables import format_report, make_console


def write_report(
    client: Client, job_id: str, *, html: Path | None, png: Path | None, csv: Path | None
) -> None:
    """Write the report to the given files; print it if there are none."""
    console = make_console()
    if html is png is csv is None:
        console.print(format_report(client.get_stability_report(job_id)))
    if csv is not None:
        write_output(csv, [client.download_report(job_id, "csv")])
    if png is not None:
        write_output(png, [client.download_report(job_id, "png")])
    if html is not None:
        write_output(html, [client.download_report(job_id, "html")])
    for path in filter(None, (html, png, csv)):
        console.print(f"Wrote {path}", markup=False, soft_wrap=True)

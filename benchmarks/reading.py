"""Answer other requests while files are read: ``python -m benchmarks.reading``.

One API process in a temporary home lists files at a fixed rate, while another client uploads a
file again and again, previews it, or plans a job on it. Each of these reads the whole file.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event

from benchmarks.api_process import run_api
from benchmarks.open_loop import measure_latency
from benchmarks.results import Result, Table, format_verdict
from benchmarks.speed_page import publish_result
from cli.client import Client
from shared.datasets.readers.rows import DEFAULT_LIMITS
from shared.db.migrate import apply_migrations
from shared.encoders.catalogue import OFFLINE_ENCODER
from shared.infra.settings import count_cpu_cores

RATE, CONNECTIONS = 100.0, 20
GOAL_MS = 100
PATH = "/v1/files?limit=1"
Summary = dict[str, float | int]
Action = Callable[[Client], object]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure all cases and publish the result."""
    options = _parse_arguments(argv)
    with tempfile.TemporaryDirectory(prefix="evenkeel-reading-") as folder:
        home = Path(folder)
        url = f"sqlite:///{home / 'evenkeel.db'}"
        apply_migrations(url)
        with run_api(home, url) as port:
            address = f"http://127.0.0.1:{port}"
            summaries = {
                name: _measure_beside(port, address, action, options.seconds)
                for name, action in _list_cases(home, address, options.rows).items()
            }
    publish_result(_build_result(summaries, options), dry=options.dry)


def _list_cases(home: Path, address: str, rows: int) -> dict[str, Action | None]:
    """Write the files and return what the other client does, by name."""
    digits, cell, table = (home / name for name in ("digits.csv", "cell.csv", "table.csv"))
    digits.write_text(f"text,label\n{'1' * 100_000}x,a\nshort,b\n", encoding="utf-8")
    longest = DEFAULT_LIMITS.max_cell_chars
    cell.write_text(f"text,label\n{'ab, ' * (longest // 4 - 1)},a\nshort,b\n", encoding="utf-8")
    with table.open("w", encoding="utf-8") as target:
        target.write("text,label\n")
        target.writelines(f"review number {row} of many,label {row % 7}\n" for row in range(rows))
    with Client(address) as client:
        file_id = client.upload_file(table).id
    job = {"training_file": file_id, "model": OFFLINE_ENCODER, "recipe": {"max_steps": 10}}
    return {
        "nothing": None,
        "upload of 100,000 digits": lambda client: client.upload_file(digits),
        f"upload of a cell of {longest:,} characters": lambda client: client.upload_file(cell),
        f"upload of {rows:,} rows": lambda client: client.upload_file(table),
        f"preview of {rows:,} rows": lambda client: client.preview_file(
            file_id, model=OFFLINE_ENCODER, n=10
        ),
        f"dry run on {rows:,} rows": lambda client: client.plan_job(job),
    }


def _measure_beside(port: int, address: str, action: Action | None, seconds: float) -> Summary:
    """Measure the latency of light requests while the action is repeated."""
    stop = Event()
    with ThreadPoolExecutor(1) as pool:
        repeated: Future[int] = pool.submit(_repeat, address, action, stop)
        sample = asyncio.run(
            measure_latency(
                port, PATH, rate=RATE, seconds=seconds, connections=CONNECTIONS, conditional=False
            )
        )
        stop.set()
        count = repeated.result()
    return sample.build_summary() | {"repeats": count}


def _repeat(address: str, action: Action | None, stop: Event) -> int:
    if action is None:
        stop.wait()
        return 0
    count = 0
    with Client(address) as client:
        while not stop.is_set():
            action(client)
            count += 1
            time.sleep(0.01)
    return count


def _build_result(summaries: Mapping[str, Summary], options: argparse.Namespace) -> Result:
    met = all(
        summary["p99_ms"] <= GOAL_MS and not summary["errors"] for summary in summaries.values()
    )
    columns = ("meanwhile", "times", "p50 ms", "p90 ms", "p99 ms", "max ms", "errors")
    fields = ("repeats", "p50_ms", "p90_ms", "p99_ms", "max_ms", "errors")
    rows = [
        [name, *(f"{summary[field]:g}" for field in fields)] for name, summary in summaries.items()
    ]
    text = (
        f"{RATE:g} GET requests per second ({PATH}) over {CONNECTIONS} connections, for "
        f"{options.seconds:g} s per row, while another client does what the first column says, "
        f"again and again. Clients, API process and its reading process share "
        f"{count_cpu_cores()} cores."
    )
    return Result(
        name="reading",
        title="Other requests while files are read",
        command="python -m benchmarks.reading",
        text=[text],
        tables=[Table(columns, rows)],
        figures={**summaries, "goal_met": met},
        notes=[f"Goal: p99 ≤ {GOAL_MS} ms and no error: {format_verdict(met)}."],
    )


def _parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=200_000, help="of the table (default 200,000)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each row (default 20)")
    parser.add_argument("--dry", action="store_true", help="print the figures and write no result")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

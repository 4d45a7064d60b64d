"""The page of ``benchmarks.hostile_clients``: a table of attacks, with what is wanted and found."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from benchmarks.hostile.bystander import JOBS, Latencies
from benchmarks.hostile.memory import Memory
from benchmarks.results import RESULTS_FOLDER, describe_machine, format_machine, format_verdict

GOAL_MS = 200.0


class Measured(TypedDict):
    """One attack."""

    name: str
    wanted: str
    outcome: str
    outcome_met: bool
    seconds: float
    waited_share: float | None
    """Of the time, for which the event loop had work and no core; None if not measured."""
    latencies: Latencies
    memory: Memory
    memory_limit_mb: float | None
    reader_limit_mb: float | None


def is_met(measured: Measured) -> bool:
    """Whether outcome, latency of others and memory are as wanted."""
    memory = measured["memory"]
    growth, growth_limit = memory["peak_mb"] - memory["before_mb"], measured["memory_limit_mb"]
    reader_limit = measured["reader_limit_mb"]
    health = measured["latencies"]["/health"]
    return (
        measured["outcome_met"]
        and health["p99_ms"] <= GOAL_MS
        and not health["failed"]
        and (growth_limit is None or growth <= growth_limit)
        and (reader_limit is None or memory["readers_peak_mb"] <= reader_limit)
    )


def print_measured(measured: Measured) -> None:
    sys.stderr.write(f"{_format_row(measured)}\n")


def write_page(
    command: str, measured: Sequence[Measured], *, note: str, results: Path = RESULTS_FOLDER
) -> None:
    """Write ``hostile_clients.json`` and ``hostile_clients.md``."""
    machine = describe_machine()
    result = {"command": command, "machine": machine, "note": note, "attacks": list(measured)}
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    (results / "hostile_clients.json").write_text(text, encoding="utf-8")
    page = _format_page(command, measured, note, format_machine(machine))
    (results / "hostile_clients.md").write_text(page, encoding="utf-8")


def _format_page(command: str, measured: Sequence[Measured], note: str, machine: str) -> str:
    met = sum(map(is_met, measured))
    lines = [
        "# Hostile clients",
        "",
        "Each attack is one client's, on loopback, against an API process with the default limits",
        "and a key. Beside it an honest client opens a connection ten times a second for `/health`",
        f"and ten times for `{JOBS}` with the key; its latency counts from the moment a request",
        "was due. Attackers, honest client and service share the cores. Memory is resident: of the",
        "process before, at most, and two seconds after; of the largest process that reads files",
        "at most. “No core” is the share of the time in which the event loop had work, but other",
        "processes of the machine had the cores. Wanted throughout: `/health` p99 ≤ "
        f"{GOAL_MS:g} ms and no failure. The benchmark generates this page, whatever the outcome.",
        "",
        f"`{command}` ({machine}).{f' {note}' if note else ''}",
        "",
        "| attack | wanted | found | seconds | no core | `/health` p50 / p99 / max ms | "
        "jobs p99 ms | memory MB: before / peak / after | readers MB | goal |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *map(_format_row, measured),
        "",
        f"{met} of {len(measured)} rows meet their goal.",
    ]
    return "\n".join(lines) + "\n"


def _format_row(measured: Measured) -> str:
    health, jobs = measured["latencies"]["/health"], measured["latencies"][JOBS]
    memory = measured["memory"]
    failed = health["failed"] + jobs["failed"]
    cells = [
        measured["name"],
        measured["wanted"],
        measured["outcome"] + (f"; {failed} requests of others failed" if failed else ""),
        f"{measured['seconds']:g}",
        "–" if measured["waited_share"] is None else f"{measured['waited_share']:.0%}",
        f"{health['p50_ms']:.0f} / {health['p99_ms']:.0f} / {health['max_ms']:.0f}",
        f"{jobs['p99_ms']:.0f}",
        f"{memory['before_mb']:.0f} / {memory['peak_mb']:.0f} / {memory['after_mb']:.0f}",
        f"{memory['readers_peak_mb']:.0f}",
        format_verdict(is_met(measured)),
    ]
    return f"| {' | '.join(cells)} |"

"""The result of a speed benchmark, and the description of the machine it was measured on.

A benchmark builds a ``Result`` and hands it to ``speed_page.publish_result``.
"""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table as Printed

RESULTS_FOLDER = Path(__file__).parents[1] / "docs" / "results"
KNOWN_INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16")
"""Flags of /proc/cpuinfo that decide the speed of float32 and bfloat16."""


@dataclass(frozen=True)
class Table:
    """A table of formatted cells."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""


@dataclass(frozen=True)
class Result:
    """One benchmark's section of the speed page."""

    name: str
    """Name of the JSON file; ``speed_page.SECTION_ORDER`` gives its place on the page."""
    title: str
    command: str
    """Command that repeats the measurement, from the repository's root."""
    text: Sequence[str]
    """Markdown paragraphs before the tables: what was measured, and how."""
    tables: Sequence[Table]
    figures: Mapping[str, object]
    """The numbers behind the tables, as JSON."""
    notes: Sequence[str] = ()
    """Paragraphs after the tables."""
    machine: dict[str, str] = field(default_factory=lambda: describe_machine())


def describe_machine() -> dict[str, str]:
    """Describe what the figures depend on: processor, instructions, GPU if any, and versions."""
    machine = {
        "cores": str(os.cpu_count()),
        "processor": _get_processor_name(),
        "instructions": " ".join(_list_instructions()) or "none of " + " ".join(KNOWN_INSTRUCTIONS),
        "python": platform.python_version(),
        "torch": version("torch"),
        "transformers": version("transformers"),
    }
    gpu = _get_gpu_name()
    return machine | ({"gpu": gpu} if gpu else {})


def _list_instructions() -> list[str]:
    """List the ``KNOWN_INSTRUCTIONS`` of this processor; empty without /proc/cpuinfo."""
    flags = set(_read_cpuinfo("flags").split())
    return [flag for flag in KNOWN_INSTRUCTIONS if flag in flags]


def _get_processor_name() -> str:
    return _read_cpuinfo("model name") or platform.machine()


def _read_cpuinfo(name: str) -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
    match = re.search(rf"^{name}\s*: (.*)$", text, re.MULTILINE)
    return match[1].strip() if match else ""


def _get_gpu_name() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def print_result(result: Result) -> None:
    """Print the machine, the tables and the notes."""
    console = Console()
    console.print(
        f"[bold]{result.title}[/bold]  {format_machine(result.machine)}\n{result.command}",
        highlight=False,
    )
    for table in result.tables:
        printed = Printed(*table.columns, title=table.title or None)
        for row in table.rows:
            printed.add_row(*row)
        console.print(printed)
    for note in result.notes:
        console.print(note, highlight=False)


def format_machine(machine: Mapping[str, str]) -> str:
    """Format the machine's description as one line."""
    return ", ".join(f"{name} {value}" for name, value in machine.items())


def format_verdict(met: bool) -> str:
    """Return whether a goal is met, in words."""
    return "met" if met else "not met"

"""What the benchmarks of speed have in common: the machine in words, and a section of tables.

A benchmark makes a ``Result`` and hands it to ``speed_page.record_result``.
"""

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Printed

RESULTS_FOLDER = Path(__file__).parents[1] / "docs" / "results"
KNOWN_INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16")
"""Flags of /proc/cpuinfo on which the speed of float32 and bfloat16 rests."""


@dataclass(frozen=True)
class Table:
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""


@dataclass(frozen=True)
class Result:
    """One benchmark's outcome: a section of the page."""

    name: str
    """Of its file; ``speed_page.SECTION_ORDER`` has its place."""
    title: str
    command: str
    """By which it is measured again, from the repository's root."""
    text: Sequence[str]
    """Paragraphs before the tables: what was measured how, and what it says. Markdown."""
    tables: Sequence[Table]
    figures: dict[str, Any]
    """What the tables were made of, for programs."""
    notes: Sequence[str] = ()
    """Paragraphs after the tables."""
    machine: dict[str, str] = field(default_factory=lambda: describe_machine())


def describe_machine() -> dict[str, str]:
    """What a figure depends on: processor, its instructions, GPU if there is one, versions."""
    found = {
        "cores": str(os.cpu_count()),
        "processor": _get_processor_name(),
        "instructions": " ".join(list_instructions()) or "none of " + " ".join(KNOWN_INSTRUCTIONS),
        "python": platform.python_version(),
        "torch": version("torch"),
        "transformers": version("transformers"),
    }
    gpu = _get_gpu_name()
    return found | ({"gpu": gpu} if gpu else {})


def list_instructions() -> list[str]:
    """Those of ``INSTRUCTION_ROLES`` that this processor has; empty where the system does not
    tell.
    """
    flags = set(_read_cpuinfo("flags").split())
    return [flag for flag in KNOWN_INSTRUCTIONS if flag in flags]


def _get_processor_name() -> str:
    return _read_cpuinfo("model name") or platform.machine()


def _read_cpuinfo(name: str) -> str:
    try:
        found = re.search(
            rf"^{name}\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE
        )
    except OSError:
        return ""
    return found[1].strip() if found else ""


def _get_gpu_name() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def print_result(result: Result) -> None:
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


def format_machine(machine: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in machine.items())

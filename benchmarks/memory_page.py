"""The page of ``benchmarks.memory``, and its figures as JSON."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.memory_cases import list_cases
from benchmarks.results import (
    RESULTS_FOLDER,
    describe_machine,
    format_machine,
    format_verdict,
)

MAX_FRESH_BYTES, MAX_IDLE_BYTES, MAX_START_S, MAX_ERROR = 310_000_000, 500_000_000, 3.0, 0.25
_FILE, _PAGE = "memory.json", "memory.md"


@dataclass(frozen=True)
class StackResult:
    """Bytes of all processes of ``evenkeel up``."""

    fresh: int
    training: int
    """The most that was seen while the job was open."""
    with_trainers: int
    """After the job, before its trainers end."""
    idle: int
    """After they have ended."""
    job_seconds: float


@dataclass(frozen=True)
class StartResult:
    """Seconds until a new trainer reads its first command."""

    median: float
    seconds: list[float]
    load_average: float


@dataclass(frozen=True)
class PeakResult:
    """The memory of a trainer with one run, or one stack."""

    encoder: str
    batch_size: int
    tokens: int
    options: str
    estimate: int
    seen: int
    after: int
    """What the trainer holds some seconds after the run."""

    @property
    def error(self) -> float:
        return self.estimate / self.seen - 1

    @property
    def key(self) -> str:
        return f"{self.encoder}, {self.batch_size} x {self.tokens}, {self.options}"


def record_results(
    *,
    stack: StackResult | None = None,
    start: StartResult | None = None,
    peak: PeakResult | None = None,
) -> None:
    """Replace these results in the file, and write the page of all."""
    file = RESULTS_FOLDER / _FILE
    values: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"peaks": {}}
    values["machine"] = describe_machine()
    if stack is not None:
        values["stack"] = asdict(stack)
    if start is not None:
        values["start"] = asdict(start)
    if peak is not None:
        values["peaks"][peak.key] = asdict(peak)
        print(peak.key, f"{peak.error:+.0%}", flush=True)  # noqa: T201 (progress of a benchmark)
    file.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    page = "\n".join(_iterate_lines(values)) + "\n"
    (RESULTS_FOLDER / _PAGE).write_text(page, encoding="utf-8")


def _iterate_lines(values: Mapping[str, Any]) -> Iterator[str]:
    yield "# Memory"
    yield ""
    yield f"`python -m benchmarks.memory` ({format_machine(values['machine'])})."
    if "stack" in values:
        yield from _iterate_stack_lines(StackResult(**values["stack"]))
    if "start" in values:
        yield from _iterate_start_lines(StartResult(**values["start"]))
    if values["peaks"]:
        yield from _iterate_peak_lines([PeakResult(**peak) for peak in values["peaks"].values()])


def _iterate_stack_lines(stack: StackResult) -> Iterator[str]:
    yield from ("", "## The whole stack", "")
    yield "`evenkeel up` with a slot per core: the proportional set sizes of all its processes, in"
    yield "MB. The job has two runs of the bundled encoder, with batches of 16 texts of 64 tokens."
    yield from ("", "| state | MB | goal |", "|---|---|---|")
    rows = (
        ("fresh", stack.fresh, MAX_FRESH_BYTES),
        ("in training, at most", stack.training, None),
        ("after the job, trainers at rest", stack.with_trainers, None),
        ("after the trainers have ended", stack.idle, MAX_IDLE_BYTES),
    )
    for name, size, goal in rows:
        verdict = "" if goal is None else f"≤ {goal / 1e6:.0f}: {format_verdict(size <= goal)}"
        yield f"| {name} | {size / 1e6:,.0f} | {verdict} |"


def _iterate_start_lines(start: StartResult) -> Iterator[str]:
    yield from ("", "## The start of a trainer", "")
    verdict = format_verdict(start.median <= MAX_START_S)
    each = ", ".join(f"{seconds:.1f}" for seconds in sorted(start.seconds))
    yield f"From its first command until it reads it: {start.median:.1f} s in the median ({each})."
    yield f"Goal: ≤ {MAX_START_S:.0f} s: {verdict}. The load average was {start.load_average:.1f};"
    yield "without other work on the machine it is about 1."


def _iterate_peak_lines(peaks: list[PeakResult]) -> Iterator[str]:
    yield from ("", "## Estimates and peaks", "")
    yield "Each row is a trainer of its own, with one thread on a CPU: 8 steps, two evaluations and"
    yield "the export. The bundled encoder is real, the others have random weights (layers x"
    yield "width). All texts are equally long. *Seen* is the largest resident set (`VmHWM`),"
    yield "*after* what the trainer holds 5 seconds later, with memory given back; both in MB."
    yield ""
    yield "| encoder | rows x tokens | | estimate | seen | error | after |"
    yield "|---|---|---|---|---|---|---|"
    for peak in peaks:
        yield (
            f"| {peak.encoder} | {peak.batch_size} x {peak.tokens} | {peak.options} "
            f"| {peak.estimate / 1e6:,.0f} | {peak.seen / 1e6:,.0f} | {peak.error:+.0%} "
            f"| {peak.after / 1e6:,.0f} |"
        )
    worst = max(abs(peak.error) for peak in peaks)
    yield ""
    yield f"Goal: within {MAX_ERROR:.0%} of the peak: {format_verdict(worst <= MAX_ERROR)} by the"
    yield f"{len(peaks)} of {len(list_cases())} cases that are measured so far."

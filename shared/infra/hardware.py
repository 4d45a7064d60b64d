"""Capabilities of the training machines: what ``precision: "auto"`` of a recipe and ``threads:
"auto"`` of the service resolve to.
"""

from functools import cache
from pathlib import Path

from shared.infra.settings import Settings
from shared.recipe import AutoPrecision

CPUINFO_PATH = Path("/proc/cpuinfo")
# Linux's names of the instructions that multiply bfloat16
BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")


def resolve_threads(settings: Settings, run_count: int) -> int:
    """Return the CPU threads per trainer for a job with this many runs, pilots included.

    Without a setting these are the cores divided by the runs that can be trained at the same
    time. A single-threaded trainer never waits for other threads, so a job that fills the slots
    gets one core per run, and a job with fewer runs than slots also uses the idle cores.
    """
    if settings.threads != "auto":
        return settings.threads
    return max(1, settings.cores // min(settings.worker_slots, run_count))


def resolve_auto_precision(settings: Settings) -> AutoPrecision:
    """Return the precision by the setting, else by the configured GPUs, else by this machine's
    processor.

    Other instructions (AVX2, AVX-512 without bf16) compute bfloat16 by way of float32, which is
    no faster than float32.
    """
    if settings.precision != "auto":
        return AutoPrecision(settings.precision, "set by EVENKEEL_PRECISION")
    if settings.gpus:
        return AutoPrecision("bfloat16", "the service trains on GPUs, which compute it natively")
    flag = find_bfloat16_flag(CPUINFO_PATH)
    if flag is not None:
        return AutoPrecision("bfloat16", f"the processor multiplies it natively ({flag})")
    return AutoPrecision("float32", "the processor has no instructions that multiply bfloat16")


@cache
def find_bfloat16_flag(cpuinfo: Path) -> str | None:
    """Return the processor flag for native bfloat16; None without it, or where the system has
    no such file.
    """
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return next((flag for flag in BFLOAT16_FLAGS if flag in flags), None)

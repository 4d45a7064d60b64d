"""What the machines that train are good at: what ``precision: "auto"`` of a recipe and ``threads: "auto"`` of the service come to."""

from functools import cache
from pathlib import Path

from shared.infra.settings import Settings
from shared.recipe import AutoPrecision

CPUINFO = Path("/proc/cpuinfo")
NATIVE_BFLOAT16 = ("amx_bf16", "avx512_bf16")  # Linux's names of the instructions that multiply it


def threads_of(settings: Settings, runs: int) -> int:
    """CPU threads of each trainer, for a job of so many runs (pilots included), by the setting or else by this rule:

    the cores, divided by the runs that can be trained at the same time. A trainer of one thread loses nothing to waiting for others, so a
    job that fills the slots gives each run its own core and no more; one with fewer runs than slots has the idle cores help.
    """
    if settings.threads != "auto":
        return settings.threads
    return max(1, settings.cores // min(settings.worker_slots, runs))


def auto_precision(settings: Settings) -> AutoPrecision:
    """By the setting, else by the GPUs that the service is set up with, else by this machine's processor.

    Other instructions (AVX2, AVX-512 without bf16) compute bfloat16 by way of float32, which is no faster than float32 itself.
    """
    if settings.precision != "auto":
        return AutoPrecision(settings.precision, "so this service is set up (EVENKEEL_PRECISION)")
    if settings.gpus:
        return AutoPrecision("bfloat16", "the service trains on GPUs, which multiply it natively")
    flag = native_bfloat16(CPUINFO)
    if flag is not None:
        return AutoPrecision("bfloat16", f"the processor multiplies it natively ({flag})")
    return AutoPrecision("float32", "the processor has no instructions that multiply bfloat16")


@cache
def native_bfloat16(cpuinfo: Path) -> str | None:
    """The flag that says so; None on a processor without, and where there is no such file to ask."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return next((flag for flag in NATIVE_BFLOAT16 if flag in flags), None)

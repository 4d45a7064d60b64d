"""What ``precision: "auto"`` and ``threads: "auto"`` resolve to on different machines."""

from pathlib import Path

import pytest

from shared.infra import hardware
from shared.infra.hardware import find_bfloat16_flag, resolve_auto_precision, resolve_threads
from shared.infra.settings import Settings

CPUINFO = "processor\t: 0\nvendor_id\t: Any\nflags\t\t: fpu sse2 {}\nbugs\t\t: amx_bf16\n"


@pytest.fixture
def machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Path:
    path = tmp_path / "cpuinfo"
    path.write_text(CPUINFO.format(getattr(request, "param", "avx2")), encoding="utf-8")
    monkeypatch.setattr(hardware, "CPUINFO_PATH", path)
    return path


@pytest.mark.parametrize(
    ("machine", "found"),
    [
        ("avx2 avx512f", None),
        ("avx512f avx512_bf16", "avx512_bf16"),
        ("avx512_bf16 amx_tile amx_bf16", "amx_bf16"),
        ("avx512_bf16x", None),
    ],
    indirect=["machine"],
)
def test_the_processor_flags_decide(machine: Path, found: str | None) -> None:
    assert find_bfloat16_flag(machine) == found
    precision = resolve_auto_precision(Settings())
    assert precision.value == ("float32" if found is None else "bfloat16")
    assert (found or "no instructions") in precision.reason


def test_a_machine_without_cpuinfo_has_no_flag(tmp_path: Path) -> None:
    assert find_bfloat16_flag(tmp_path / "none") is None


def test_a_gpu_uses_bfloat16_whatever_the_processor(machine: Path) -> None:
    assert resolve_auto_precision(Settings(gpus=1)).value == "bfloat16"
    assert "GPU" in resolve_auto_precision(Settings(gpus=1)).reason


@pytest.mark.parametrize("machine", ["avx512_bf16"], indirect=True)
def test_the_setting_overrides_the_hardware(machine: Path) -> None:
    for forced in ("float32", "bfloat16"):
        for gpus in (0, 2):
            precision = resolve_auto_precision(Settings(precision=forced, gpus=gpus))
            assert precision.value == forced
            assert "EVENKEEL_PRECISION" in precision.reason


@pytest.mark.parametrize(
    ("cores", "slots", "runs", "threads"),
    [
        (8, 8, 20, 1),  # one core each
        (8, 8, 8, 1),
        (8, 8, 2, 4),  # idle cores help
        (8, 8, 3, 2),  # no core is shared
        (8, 2, 20, 4),  # fewer slots, for a model whose copies do not fit in memory
        (2, 8, 20, 1),  # at least one
        (8, 8, 1, 8),
    ],
)
def test_the_cores_are_divided_among_the_concurrent_runs(
    cores: int, slots: int, runs: int, threads: int
) -> None:
    assert resolve_threads(Settings(cores=cores, worker_slots=slots), runs) == threads


def test_a_given_number_is_used_unchanged() -> None:
    assert resolve_threads(Settings(cores=8, worker_slots=8, threads=3), 1) == 3

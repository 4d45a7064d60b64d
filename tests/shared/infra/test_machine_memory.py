"""Free memory on machines that are played by folders: with and without control groups."""

import os
import sys
from pathlib import Path

import pytest

from shared.infra.machine_memory import read_free_memory, read_resident_memory

AVAILABLE = 8_000_000 * 1024


def write_files(root: Path, **files: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / name.replace("__", ".")).write_text(text)


def make_machine(folder: Path, groups: str | None) -> tuple[Path, Path]:
    proc, cgroups = folder / "proc", folder / "cgroup"
    write_files(proc, meminfo="MemTotal: 9000000 kB\nMemAvailable:    8000000 kB\n")
    if groups is not None:
        write_files(proc / "self", cgroup=groups)
    cgroups.mkdir()
    return proc, cgroups


def test_without_groups_the_machine_decides(tmp_path: Path) -> None:
    assert read_free_memory(*make_machine(tmp_path, None)) == AVAILABLE


def test_where_the_system_is_silent_nothing_is_bounded(tmp_path: Path) -> None:
    assert read_free_memory(tmp_path / "proc", tmp_path / "cgroup") == sys.maxsize
    assert read_resident_memory(1, tmp_path / "proc") == 0


@pytest.mark.parametrize("path", ["/", "/app.slice/worker.service"])
def test_a_limit_of_version_2_counts_with_the_cache_as_free(tmp_path: Path, path: str) -> None:
    proc, cgroups = make_machine(tmp_path, f"0::{path}\n")
    write_files(
        cgroups / path.lstrip("/"),
        memory__max="1000000\n",
        memory__current="700000\n",
        memory__stat="anon 400000\ninactive_file 200000\nactive_file 100000\n",
    )
    assert read_free_memory(proc, cgroups) == 500_000


def test_a_group_above_can_have_the_lower_limit(tmp_path: Path) -> None:
    proc, cgroups = make_machine(tmp_path, "0::/app.slice/worker.service\n")
    write_files(cgroups / "app.slice", memory__max="900\n", memory__current="850\n")
    inner = cgroups / "app.slice" / "worker.service"
    write_files(inner, memory__max="max\n", memory__current="10\n")
    assert read_free_memory(proc, cgroups) == 50


def test_a_limit_of_version_1_counts(tmp_path: Path) -> None:
    proc, cgroups = make_machine(tmp_path, "3:cpuset:/\n4:memory:/docker/abc\n0::/\n")
    write_files(
        cgroups / "memory" / "docker" / "abc",
        memory__limit_in_bytes="3000\n",
        memory__usage_in_bytes="1000\n",
        memory__stat="inactive_file 1\ntotal_inactive_file 500\n",
    )
    assert read_free_memory(proc, cgroups) == 2500


def test_an_exceeded_limit_leaves_nothing(tmp_path: Path) -> None:
    proc, cgroups = make_machine(tmp_path, "0::/\n")
    write_files(cgroups, memory__max="100\n", memory__current="120\n")
    assert read_free_memory(proc, cgroups) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_this_process_holds_memory() -> None:
    before = read_resident_memory(os.getpid())
    block = bytearray(64 << 20)
    assert read_resident_memory(os.getpid()) - before > 60 << 20
    assert len(block) == 64 << 20

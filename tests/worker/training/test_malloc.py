"""Freed memory stays in the process until it is released. Checked in children, because the setting
is per process.
"""

import platform
import subprocess
import sys

import pytest

CODE = """
import resource
from worker.training.malloc import keep_freed_memory

def count_page_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(64 << 20)[::4096].count(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

count_page_faults()
before = count_page_faults()
kept = keep_freed_memory()
count_page_faults()
print(kept, before, count_page_faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_a_freed_block_is_reused_without_page_faults() -> None:
    child = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    kept, before, after = child.stdout.split()
    assert kept == "True"
    assert int(after) < int(before) / 10  # page faults


RELEASE = """
import os
from shared.infra.machine_memory import read_resident_memory
from worker.training.malloc import keep_freed_memory, release_freed_memory
import torch

keep_freed_memory()
blocks = [torch.ones(4 << 20) for _ in range(20)]
blocks.append(blocks)  # only the garbage collection finds it
del blocks
before = read_resident_memory(os.getpid())
print(release_freed_memory(), (before - read_resident_memory(os.getpid())) >> 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a function of glibc")
def test_released_memory_goes_back_to_the_system() -> None:
    child = subprocess.run(
        [sys.executable, "-c", RELEASE], capture_output=True, text=True, check=True
    )
    released, megabytes = child.stdout.split()
    assert released == "True"
    assert int(megabytes) > 300  # of 320

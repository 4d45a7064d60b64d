"""Freed memory stays in the process. Checked in a child, because the setting is per process."""

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

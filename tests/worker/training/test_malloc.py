"""Freed memory is kept by the process; in a child, since the setting is the process's."""

import platform
import subprocess
import sys

import pytest

CODE = """
import resource
from worker.training.malloc import keep_freed_memory

def faults_of_a_new_block():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(64 << 20)[::4096].count(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults_of_a_new_block()
before = faults_of_a_new_block()
kept = keep_freed_memory()
faults_of_a_new_block()
print(kept, before, faults_of_a_new_block())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_a_block_that_was_freed_is_not_fetched_from_the_system_again() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    kept, before, after = done.stdout.split()
    assert kept == "True"
    assert int(after) < int(before) / 10  # page faults

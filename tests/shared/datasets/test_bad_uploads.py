"""Every malformed upload is refused for what it is, with a message that helps and repeats
nothing of its content.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.datasets import read_table
from shared.domain.errors import ServiceError
from tests.shared.datasets.bad_uploads import BAD_UPLOADS, BadUpload, write

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("upload", BAD_UPLOADS, ids=lambda upload: upload.name)
def test_it_is_refused_for_what_it_is(upload: BadUpload, tmp_path: Path) -> None:
    with pytest.raises(ServiceError) as refusal:
        read_table(write(upload, tmp_path), upload.filename)
    assert (refusal.value.status, refusal.value.code) == (upload.status, upload.code)
    assert refusal.value.param == "file"
    assert refusal.value.message.endswith((".", ". "))
    assert len(refusal.value.message) < 250


def test_the_corpus_names_each_case_once() -> None:
    names = [upload.name for upload in BAD_UPLOADS]
    assert len(set(names)) == len(names) >= 25


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("quote never closed", "line 3"),
        ("quote never closed, large", "line 2"),
        ("text after a closing quote", "Line 2"),
        ("carriage return in a csv cell", "Line 2"),
        ("latin-1", "Line 2"),
        ("latin-1 far down", "Line 40002"),
        ("NUL in tsv", "Line 2"),
        ("column name too large", "first line"),
        ("json key too large", "Line 1"),
        ("json cut short", "Line 2"),
        ("json of scalars", "Line 2"),
    ],
)
def test_the_message_says_where(name: str, place: str, tmp_path: Path) -> None:
    upload = next(upload for upload in BAD_UPLOADS if upload.name == name)
    with pytest.raises(ServiceError) as refusal:
        read_table(write(upload, tmp_path), upload.filename)
    assert place in refusal.value.message


# A fresh process, because the peak of this one is the corpus's. VmHWM, because ru_maxrss
# outlives fork and exec.
PEAK_OF_A_READ = """
import resource, sys
from pathlib import Path
from shared.datasets import read_table
from shared.domain.errors import ServiceError
try:
    read_table(Path(sys.argv[1]), sys.argv[2])
except ServiceError as refusal:
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
    peak_of_children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(refusal.code, int(peak) // 1024, peak_of_children // 1024)
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="reads its peak memory from /proc"
)
@pytest.mark.parametrize(
    "name",
    [
        "parquet bomb",
        "parquet bomb in pages",
        "five million columns",
        "too many cells",
        "gzip bomb",
        "gzip bomb of one line",
        "gzip bomb of blank lines",
        "gzip bomb of blanks",
        "gzip bomb of an array",
        "zeros",
    ],
)
def test_a_bomb_costs_little_memory(name: str, tmp_path: Path) -> None:
    upload = next(upload for upload in BAD_UPLOADS if upload.name == name)
    command = [sys.executable, "-c", PEAK_OF_A_READ, str(write(upload, tmp_path)), upload.filename]
    answer = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    code, here, in_the_child = answer[0], int(answer[1]), int(answer[2])
    assert code == upload.code
    assert here < 400
    assert in_the_child < 400

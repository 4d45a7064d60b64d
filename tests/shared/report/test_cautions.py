"""The list of cautions: their order, and severities of codes that exist."""

from pathlib import Path

import pytest

import shared
from shared.domain.job_facts import JobWarning
from shared.report.cautions import HIGH_CODES, LOW_CODES, make_caution, merge_cautions

ROOT = Path(shared.__file__).parent.parent
PRODUCT = ("api", "shared", "worker")


@pytest.fixture(scope="module")
def source() -> str:
    """The product's code, without the table of severities."""
    files = (path for name in PRODUCT for path in (ROOT / name).rglob("*.py"))
    return "\n".join(path.read_text() for path in files if path.name != "cautions.py")


@pytest.mark.parametrize("code", sorted({*HIGH_CODES, *LOW_CODES}))
def test_a_ranked_code_is_given_somewhere(source: str, code: str) -> None:
    split = code.rpartition("_")[0]
    assert f'"{code}"' in source or f'"{split}_{{' in source, code


def test_the_worst_come_first_and_each_once() -> None:
    stored = [
        JobWarning(code="threads_by_run_count", message="Threads."),
        JobWarning(code="blank_lines", message="Blank."),
        JobWarning(code="label_not_in_test", message="No label."),
        JobWarning(code="leakage", message="Leak."),
        JobWarning(code="blank_lines", message="Blank."),
    ]
    found = [make_caution("zero_spread", "Equal."), make_caution("leakage", "Leak.")]
    merged = merge_cautions(stored, found)
    assert [(one.code, one.severity) for one in merged] == [
        ("leakage", "high"),
        ("label_not_in_test", "high"),
        ("blank_lines", "medium"),
        ("zero_spread", "medium"),
        ("threads_by_run_count", "low"),
    ]

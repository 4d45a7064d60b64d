"""A comparison on the terminal: jobs named by letters, every test, the verdict."""

from rich.console import Console

from cli.api_models import Comparison
from cli.compare import format_comparison
from shared.report.comparison import ComparisonInput, build_comparison
from tests.shared.reports import make_report

LOW, HIGH = [0.60, 0.61, 0.59, 0.62, 0.60, 0.61], [0.70, 0.71, 0.69, 0.72, 0.70, 0.71]


def shown(*scores: list[float]) -> str:
    contenders = [
        ComparisonInput(make_report(one, job_id=f"ftjob-{i}"), f"[recipe] {i}")
        for i, one in enumerate(scores)
    ]
    answer = Comparison(id="ftcmp-1", **build_comparison(contenders).model_dump())
    console = Console(width=240, highlight=False)
    with console.capture() as capture:
        console.print(format_comparison(answer))
    return capture.get()


def row(text: str, *cells: str) -> list[str]:
    """Return the remaining words of the first line that begins with ``cells``."""
    line = next(line for line in text.splitlines() if line.split()[: len(cells)] == list(cells))
    return line.split()[len(cells) :]


def test_two_jobs() -> None:
    text = shown(LOW, HIGH)
    assert row(text, "A", "ftjob-0", "[recipe]", "0") == ["6", "0.6050", "±", "0.0105", "0", "0"]
    assert "B against A" in text
    assert row(text, "permutation", "test") == [
        "0.1000",
        "0.0022",
        "0.0022",
    ]  # 2/924, which is the least
    assert row(text, "paired", "permutation", "test") == ["0.1000", "0.0312", "0.0312"]
    assert row(text, "Fisher's", "exact", "test")[:2] == ["-", "1.0000"]
    assert "[recipe] 1 is better than [recipe] 0 by 0.100 accuracy" in text
    assert "accuracy on validation, alpha 0.05; stored as ftcmp-1" in text
    assert "Holm" not in text


def test_equal_scores_have_no_spread_of_zero() -> None:
    text = shown([0.8] * 5, LOW)
    assert row(text, "A", "ftjob-0", "[recipe]", "0")[:4] == ["5", "0.8000", "(equal", "scores)"]
    assert "± 0.0000" not in text


def test_several_jobs_have_adjusted_p_and_reasons() -> None:
    text = shown(LOW, HIGH, [0.5] * 3)
    assert "p (Holm)" in text
    assert row(text, "permutation", "test")[1:3] == ["0.0022", "0.0065"]
    assert "6 matching runs with a score in both jobs are needed; there are 3" in text
    assert text.count("against") == 3

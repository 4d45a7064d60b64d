"""Formatting of numbers, counts and names in sentences."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from shared.domain.wording import choose_verb as choose_verb
from shared.domain.wording import format_count as format_count

BASELINES = {
    "majority": "the majority baseline",
    "tfidf_logistic_regression": "TF-IDF with logistic regression",
    "tfidf_ridge": "TF-IDF with ridge regression",
    "linear_probe": "a linear probe of the frozen encoder",
    "pair_probe": "a linear comparison of the two texts' embeddings",
    "pair_cosine": "the cosine of the two texts' embeddings",
}


def format_number(value: float | None) -> str:
    if value is None:
        return "undefined"
    text = f"{value:.3f}"
    return text.removeprefix("-") if float(text) == 0 else text  # no "-0.000"


def format_interval(bounds: tuple[float, float]) -> str:
    return f"{format_number(bounds[0])} to {format_number(bounds[1])}"


def format_spread(value: float | None, decimals: int = 3) -> str:
    """Format a standard deviation: one above 0 never reads as 0."""
    if value is None:
        return "undefined"
    text = f"{value:.{decimals}f}"
    return f"{value:.1g}" if value and float(text) == 0 else text


def format_percent(share: float) -> str:
    """Format a share as a percentage: only 0 and 1 read as 0% and 100%."""
    text = f"{100 * share:.0f}"
    if text == "0" and share > 0:
        text = f"{100 * share:.1g}"
    elif text == "100" and share < 1:
        text = f"{100 - float(f'{100 - 100 * share:.1g}'):.10g}"
    return f"{text}%"


def format_fraction(part: int, whole: int, noun: str) -> str:
    """Count out of a total: "5 of 6 runs", or "the only run" for 1 of 1."""
    if whole == 1 and part == 1:
        return f"the only {noun}"
    return (
        f"all {whole} {noun}s"
        if part == whole and whole > 1
        else f"{part} of {format_count(whole, noun)}"
    )


def format_sizes(sizes: Sequence[int]) -> str:
    """Format sample sizes: "5" if all are equal, else "5, 4 and 5"."""
    texts = [str(size) for size in sizes]
    return texts[0] if len(set(texts)) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def capitalize_first(text: str) -> str:
    """Capitalize the first letter only."""
    return text[:1].upper() + text[1:]


def format_baseline(name: str) -> str:
    """Name a baseline in a sentence."""
    return BASELINES.get(name, name.replace("_", " "))


def format_baseline_title(name: str) -> str:
    """Name a baseline in a table, without its article."""
    return format_baseline(name).removeprefix("the ").removeprefix("a ")


def format_seeds(init_seed: int, data_seed: int, fold: int | None) -> str:
    """Name a run in a table: by its one seed, or by both seeds, and its fold."""
    seeds = str(init_seed) if init_seed == data_seed else f"{init_seed}, data {data_seed}"
    return seeds if fold is None else f"{seeds}, fold {fold}"


class _FoldedRun(Protocol):
    @property
    def fold(self) -> int | None: ...


def choose_run_noun(runs: Iterable[_FoldedRun]) -> str:
    """Choose what to call counted runs: each has a seed of its own, unless they are folds."""
    return "seed" if all(run.fold is None for run in runs) else "run"

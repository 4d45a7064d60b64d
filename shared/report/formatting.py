"""How numbers are said in sentences: three decimals, plain counts, names of the splits."""

BASELINES = {
    "majority": "the majority baseline",
    "tfidf_logistic_regression": "TF-IDF with logistic regression",
    "tfidf_ridge": "TF-IDF with ridge regression",
    "linear_probe": "a linear probe of the frozen encoder",
}


def number(value: float | None) -> str:
    if value is None:
        return "undefined"
    text = f"{value:.3f}"
    return text.removeprefix("-") if float(text) == 0 else text  # no "-0.000"


def interval(bounds: tuple[float, float]) -> str:
    return f"{number(bounds[0])} to {number(bounds[1])}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def count(amount: int, noun: str) -> str:
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"


def of(part: int, whole: int, noun: str) -> str:
    """``of(5, 6, "run")`` is "5 of 6 runs", ``of(1, 1, "run")`` "the only run"."""
    if whole == 1 and part == 1:
        return f"the only {noun}"
    return (
        f"all {whole} {noun}s" if part == whole and whole > 1 else f"{part} of {count(whole, noun)}"
    )


def sentence(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]


def baseline(name: str) -> str:
    """A baseline as sentences call it."""
    return BASELINES.get(name, name.replace("_", " "))


def baseline_title(name: str) -> str:
    """A baseline as tables call it, without its article."""
    return baseline(name).removeprefix("the ").removeprefix("a ")


def seeds_of(init_seed: int, data_seed: int, fold: int | None) -> str:
    """A run as tables call it: by its one seed, or by both, and its fold."""
    seeds = str(init_seed) if init_seed == data_seed else f"{init_seed}, data {data_seed}"
    return seeds if fold is None else f"{seeds}, fold {fold}"

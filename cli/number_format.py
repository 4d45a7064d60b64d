"""Numbers and counts in the tables of the terminal."""


def format_number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def format_count(amount: int, noun: str) -> str:
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"

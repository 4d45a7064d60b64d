"""Numbers in the tables of the terminal."""


def format_number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"

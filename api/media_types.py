"""What kind of answer a client prefers, by its ``Accept`` header."""


def prefers_html(accept: str) -> bool:
    """Return whether the header ranks HTML above JSON, as browsers do."""
    html, json = (_get_quality(accept, kind) for kind in ("text/html", "application/json"))
    return html > json


def _get_quality(accept: str, kind: str) -> float:
    """Return the weight of a media type that the header names; 0 if it does not."""
    for entry in accept.split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        if name != kind:
            continue
        weights = (part[2:] for part in parameters if part.startswith("q="))
        try:
            return float(next(weights, "1"))
        except ValueError:
            return 0.0
    return 0.0

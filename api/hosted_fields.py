"""Fields and values of OpenAI's hosted API that are known here and not supported.

An error about one of them says so, instead of calling it unknown.
"""

_SUPERVISED_ONLY = "describe the training under method.supervised"
_IN_HYPERPARAMETERS = "give it in hyperparameters"

_ADVICE_BY_FIELD = {
    "integrations": "leave it out and read the metrics of the runs from "
    "/v1/fine_tuning/jobs/{job_id}/runs",
    "method.dpo": _SUPERVISED_ONLY,
    "method.reinforcement": _SUPERVISED_ONLY,
    "n_epochs": _IN_HYPERPARAMETERS,
    "batch_size": _IN_HYPERPARAMETERS,
    "learning_rate_multiplier": _IN_HYPERPARAMETERS,
}
_ADVICE_BY_VALUE = {
    ("method.type", "dpo"): 'set it to "supervised"',
    ("method.type", "reinforcement"): 'set it to "supervised"',
    **{
        ("purpose", purpose): 'use "fine-tune" for a data set'
        for purpose in ("assistants", "batch", "vision")
    },
}


def describe_unsupported_field(path: str) -> str | None:
    """Return what to do about a field of the hosted API; None for a field it does not have."""
    advice = _ADVICE_BY_FIELD.get(path)
    return None if advice is None else f"{path} is not supported here; {advice}"


def describe_unsupported_value(path: str, value: object) -> str | None:
    """Return what to do about a value of the hosted API; None for any other value."""
    advice = _ADVICE_BY_VALUE.get((path, value)) if isinstance(value, str) else None
    return None if advice is None else f'{path} "{value}" is not supported here; {advice}'

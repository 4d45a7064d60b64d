"""IDs of models on the hub, and which of them an installation allows (``EVENKEEL_HUB_MODELS``)."""

import re

from shared.domain.errors import HubNotAllowed

MAX_ID_LENGTH = 96
# as on the hub; no name has two hyphens or dots in a row, so `--` can join names in a path
_NAME = r"(?![^/]*(--|\.\.))[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
_ID_PATTERN = re.compile(rf"({_NAME}/)?{_NAME}")
REVISION_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,99}"
COMMIT_PATTERN = re.compile(r"[0-9a-f]{40}")
OFF = "off"
ANY = "any"
DEFAULT_REVISION = "main"


def is_hub_id(model: str) -> bool:
    """Return whether ``model`` can be an ID on the hub: ``owner/name`` or a canonical name."""
    return len(model) <= MAX_ID_LENGTH and _ID_PATTERN.fullmatch(model) is not None


def is_allowed(policy: str, model: str) -> bool:
    """Return whether the setting allows this ID.

    ``policy`` is ``off``, ``any``, or a list of owners and IDs separated by commas.
    """
    if policy in (OFF, ANY):
        return policy == ANY
    owner, slash, _ = model.partition("/")
    entries = parse_entries(policy)
    return model in entries or (bool(slash) and owner in entries)


def parse_entries(policy: str) -> list[str]:
    """Return the owners and IDs that a list names."""
    return [entry for entry in (part.strip() for part in policy.split(",")) if entry]


def check_policy(policy: str) -> str:
    """Return the setting in its stored form. Raises ValueError for an invalid one."""
    text = policy.strip()
    if text.lower() in (OFF, ANY):
        return text.lower()
    entries = parse_entries(text)
    if not entries or not all(is_hub_id(entry) for entry in entries):
        raise ValueError('must be "off", "any", or owners and model IDs separated by commas')
    return ",".join(entries)


def require_allowed(policy: str, model: str) -> None:
    """Raise HubNotAllowed unless the setting allows this ID."""
    if is_allowed(policy, model):
        return
    if policy == OFF:
        raise HubNotAllowed(
            "Models of the hub are disabled (EVENKEEL_HUB_MODELS); use a model of "
            "GET /v1/models, or have the operator allow this one.",
            param="model",
        )
    raise HubNotAllowed(
        f"EVENKEEL_HUB_MODELS does not allow {model}. It allows: "
        f"{', '.join(parse_entries(policy)[:20])}.",
        param="model",
    )

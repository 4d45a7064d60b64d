"""The head's switches, ``pair_encoding``, ``pooling`` and ``head_first``: rules and checks."""

from typing import NamedTuple

from shared.domain.errors import InvalidValue
from shared.domain.task import Task
from shared.encoders.catalogue import EncoderFacts
from shared.recipe.fields import PairEncoding, Pooling
from shared.recipe.value import RecipeRequest

ENCODED_APART = frozenset({"separate", "aligned"})
"""Values of ``pair_encoding`` under which each text of a pair is encoded by itself."""


class HeadResolution(NamedTuple):
    """Settings with a value for each of the head's switches that was automatic or left out."""

    settings: RecipeRequest
    automatic: list[str]
    """The switches that pilots may search, in the order of a recipe."""


def resolve_head(
    settings: RecipeRequest,
    request: RecipeRequest,
    facts: EncoderFacts,
    notes: dict[str, str],
    *,
    pairs: bool,
) -> HeadResolution:
    """Resolve the head's switches, with a note on each that was automatic.

    ``settings`` are the request's on top of its preset's. Raises InvalidValue for texts encoded
    apart under the family's own head, which reads one sequence.
    """
    _require_pooled_head(settings)
    if settings.head_first is None and settings.pair_encoding in {"auto", *ENCODED_APART}:
        settings = settings.model_copy(update={"head_first": "auto"})
    is_apart = settings.pair_encoding in ENCODED_APART
    if not is_apart and (given := _find_given_depth(request)):
        # a pooler, or a number of blocks to re-initialize, is said of the family's own network,
        # unless the request itself leaves the head open
        own_network = f"{given} is given, which means the family's own network."
        if request.pooling is None:
            settings = _replace_auto(settings, notes, pooling=("family", f"family: {own_network}"))
        if request.head_first is None:
            settings = _replace_auto(settings, notes, head_first=(False, f"false: {own_network}"))
    if not pairs:
        reason = "joined: it concerns pairs alone; a single text is one sequence."
        settings = _replace_auto(settings, notes, pair_encoding=("joined", reason))
    elif settings.pooling == "family":
        reason = "joined: the family's own head reads both texts as one sequence."
        settings = _replace_auto(settings, notes, pair_encoding=("joined", reason))
    automatic = _list_searched_switches(settings)
    if settings.pair_encoding == "auto":
        settings = _replace_auto(settings, notes, pair_encoding=_choose_pair_encoding(facts))
    if settings.pooling == "auto" or _lacks_pooling(settings):
        pooling, notes["pooling"] = _choose_pooling(settings, facts)
        settings = settings.model_copy(update={"pooling": pooling})
    if settings.head_first == "auto":
        is_apart = settings.pair_encoding in ENCODED_APART
        notes["head_first"] = _explain_head_first(is_apart=is_apart)
        settings = settings.model_copy(update={"head_first": is_apart})
    return HeadResolution(settings, automatic)


def _list_searched_switches(settings: RecipeRequest) -> list[str]:
    """Return the automatic switches that have two possible values beside the given ones."""
    names = ["pooling"] if settings.pair_encoding not in ENCODED_APART else []
    if settings.pair_encoding == "auto":  # which also decides whether the head is fitted first
        names = ["pair_encoding", "pooling", "head_first"]
    return [name for name in names if getattr(settings, name) == "auto"]


def _require_pooled_head(settings: RecipeRequest) -> None:
    if settings.pair_encoding in ENCODED_APART and settings.pooling == "family":
        raise InvalidValue(
            "recipe.pooling is family, whose head cannot compare two separately encoded texts. "
            "Set it to mean or cls, or recipe.pair_encoding to joined.",
            param="recipe.pooling",
        )


def _replace_auto(
    settings: RecipeRequest,
    notes: dict[str, str],
    **values: tuple[Pooling | PairEncoding | bool, str],
) -> RecipeRequest:
    """Set values where the settings say ``auto``, and note why."""
    changes = {name: pair for name, pair in values.items() if getattr(settings, name) == "auto"}
    notes.update({name: note for name, (_, note) in changes.items()})
    return settings.model_copy(update={name: value for name, (value, _) in changes.items()})


def _find_given_depth(request: RecipeRequest) -> str | None:
    """Return the setting by which the request says what to re-initialize; None if it does not."""
    if request.reinit_layers not in (None, "auto"):
        return "reinit_layers"
    return "reinit_pooler" if request.reinit_pooler else None


def _lacks_pooling(settings: RecipeRequest) -> bool:
    return settings.pair_encoding in ENCODED_APART and settings.pooling is None


def _choose_pair_encoding(facts: EncoderFacts) -> tuple[PairEncoding, str]:
    if facts.pooling is None:
        return "joined", f"joined: {facts.name} does not say that it is a sentence encoder."
    return "aligned", (
        f"aligned: {facts.name} is a sentence encoder, made to compare texts encoded apart."
    )


def _choose_pooling(settings: RecipeRequest, facts: EncoderFacts) -> tuple[Pooling, str]:
    if settings.pair_encoding not in ENCODED_APART:
        return "family", f"family: the head that comes with {facts.name}'s family."
    if facts.pooling is not None:
        return facts.pooling, f"{facts.pooling}: as {facts.name} pools its states."
    return "mean", "mean: two texts encoded apart are compared by the means of their states."


def _explain_head_first(*, is_apart: bool) -> str:
    if is_apart:
        return "true: how similar two texts are says something before any training."
    return "false: a head on one sequence is drawn; set it to true to fit it first."


def require_pairs(request: RecipeRequest, task: Task) -> None:
    """Raise InvalidValue if the recipe encodes pairs apart but the task has single texts."""
    if request.pair_encoding in ENCODED_APART and task.text_pair_column is None:
        raise InvalidValue(
            f"recipe.pair_encoding is {request.pair_encoding}, but the task has single texts. "
            "Leave it out, or name the second text's column in task.text_pair_column.",
            param="recipe.pair_encoding",
        )

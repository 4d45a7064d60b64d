"""Refusal of unknown query parameters and form fields.

If they were ignored, a caller could take a misspelled parameter for one that was applied.
"""

import re
from collections import Counter
from collections.abc import Iterator, Set

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from shared.domain.errors import InvalidRequest
from shared.domain.nearest_name import find_nearest_name
from shared.domain.wording import join_words

MAX_SHOWN_NAME = 80
MAX_METADATA_PAIRS = 16
_METADATA_PATTERN = re.compile(r"metadata\[(.{1,64})\]", re.DOTALL)

METADATA_PARAMETER = {
    "name": "metadata",
    "in": "query",
    "required": False,
    "description": "Filter by metadata: `metadata[key]=value`; a job must match every given pair. "
    "`metadata=null` selects jobs without metadata.",
    "style": "deepObject",
    "explode": True,
    "schema": {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "propertyNames": {"minLength": 1, "maxLength": 64},
        "maxProperties": MAX_METADATA_PAIRS,
    },
}
"""OpenAPI definition of what ``read_metadata_filter`` reads; a signature cannot express it."""


async def read_metadata_filter(request: Request) -> dict[str, str] | None:
    """Return the pairs of ``metadata[key]=value``; None for ``metadata=null``.

    A route that depends on this function accepts such parameters.
    """
    if "metadata" in request.query_params:
        return None
    matches = (
        (_METADATA_PATTERN.fullmatch(name), value)
        for name, value in request.query_params.multi_items()
    )
    return {match[1]: value for match, value in matches if match is not None}


async def check_query_parameters(request: Request) -> None:
    """Raise InvalidRequest for a query parameter that the request's route does not declare."""
    if not request.query_params:
        return
    dependants = _list_dependants(request)
    known = {field.alias for dependant in dependants for field in dependant.query_params}
    by_metadata = any(dependant.call is read_metadata_filter for dependant in dependants)
    if by_metadata:
        _check_metadata_count(request)
    for name in request.query_params:
        if by_metadata and name == "metadata":
            _check_metadata_parameter(request)
        elif name not in known and not (by_metadata and _METADATA_PATTERN.fullmatch(name)):
            shown = name[:MAX_SHOWN_NAME]
            offered = known | ({"metadata"} if by_metadata else set())
            cure = _suggest_name(name, offered, "query parameter")
            raise InvalidRequest(f"Unknown query parameter {shown}. {cure}", param=shown)


def _check_metadata_count(request: Request) -> None:
    """Raise InvalidRequest for more pairs, each a condition of the query, than a job has."""
    count = sum(map(bool, map(_METADATA_PATTERN.fullmatch, request.query_params)))
    if count > MAX_METADATA_PAIRS:
        raise InvalidRequest(
            f"The filter has {count:,} metadata pairs, but a job has at most {MAX_METADATA_PAIRS}.",
            param="metadata",
        )


def _check_metadata_parameter(request: Request) -> None:
    if request.query_params.getlist("metadata") != ["null"] or any(
        map(_METADATA_PATTERN.fullmatch, request.query_params)
    ):
        raise InvalidRequest(
            "metadata must be metadata[key]=value, or metadata=null alone to select jobs without "
            "metadata.",
            param="metadata",
        )


async def check_form_fields(request: Request) -> None:
    """Raise InvalidRequest for a form field that the route does not declare or that is repeated."""
    known = {
        field.alias for dependant in _list_dependants(request) for field in dependant.body_params
    }
    form = await request.form()  # already parsed, for the route's own parameters
    for name, count in Counter(name for name, _ in form.multi_items()).items():
        if name not in known:
            shown = name[:MAX_SHOWN_NAME]
            cure = _suggest_name(name, known, "form field")
            raise InvalidRequest(f"Unknown form field {shown}. {cure}", param=shown)
        if count > 1:
            raise InvalidRequest(
                f"The form field {name} is sent {count} times; send it once.", param=name
            )


def _suggest_name(name: str, known: Set[str], noun: str) -> str:
    """Say which known name was probably meant, or else which there are."""
    if not known:
        return f"This operation has no {noun}s."
    nearest = find_nearest_name(name[:MAX_SHOWN_NAME], known)
    if nearest is not None:
        return f"Did you mean {nearest}?"
    return f"This operation has the {noun}{'s' * (len(known) > 1)} {join_words(sorted(known))}."


def _list_dependants(request: Request) -> list[Dependant]:
    """List the parameters of the request's route: its own and those of its dependencies."""
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    return list(_iterate_dependants(route.dependant))


def _iterate_dependants(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for dependency in dependant.dependencies:
        yield from _iterate_dependants(dependency)

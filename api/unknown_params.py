"""What a request says and no route reads is refused by name: a misspelt parameter dropped in
silence looks like one obeyed.
"""

import re
from collections import Counter
from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from shared.domain.errors import InvalidRequest

_METADATA_PATTERN = re.compile(r"metadata\[(.{1,64})\]", re.DOTALL)

METADATA_PARAMETER = {
    "name": "metadata",
    "in": "query",
    "required": False,
    "description": (
        "Only what carries each of these, as `metadata[key]=value`; `metadata=null` "
        "for what carries nothing."
    ),
    "style": "deepObject",
    "explode": True,
    "schema": {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "propertyNames": {"minLength": 1, "maxLength": 64},
        "maxProperties": 16,
    },
}
"""What ``read_metadata_filter`` reads, for the OpenAPI document: the framework cannot tell it
from a function's signature.
"""


async def read_metadata_filter(request: Request) -> dict[str, str] | None:
    """The ``metadata[key]=value`` of a list, None for ``metadata=null``; a route that depends
    on it takes such parameters.
    """
    if "metadata" in request.query_params:
        return None
    pairs = (
        (_METADATA_PATTERN.fullmatch(name), value)
        for name, value in request.query_params.multi_items()
    )
    return {match[1]: value for match, value in pairs if match is not None}


async def check_query_parameters(request: Request) -> None:
    """Raises InvalidRequest for a query parameter that the request's route does not declare."""
    if not request.query_params:
        return
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    parts = list(_iterate_dependants(route.dependant))
    known = {field.alias for part in parts for field in part.query_params}
    by_metadata = any(part.call is read_metadata_filter for part in parts)
    for name in request.query_params:
        if by_metadata and name == "metadata":
            _check_metadata_parameter(request)
        elif name not in known and not (by_metadata and _METADATA_PATTERN.fullmatch(name)):
            raise InvalidRequest(f"Unknown query parameter {name[:80]}.", param=name[:80])


def _check_metadata_parameter(request: Request) -> None:
    if request.query_params.getlist("metadata") != ["null"] or any(
        map(_METADATA_PATTERN.fullmatch, request.query_params)
    ):
        raise InvalidRequest(
            "Filter by metadata[key]=value, or by metadata=null alone for what has no metadata.",
            param="metadata",
        )


async def check_form_fields(request: Request) -> None:
    """Raises InvalidRequest for a form field that the request's route does not declare, and for
    one that comes twice.
    """
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known = {
        field.alias for part in _iterate_dependants(route.dependant) for field in part.body_params
    }
    form = await request.form()  # parsed already, for the route's own parameters
    for name, times in Counter(name for name, _ in form.multi_items()).items():
        if name not in known:
            raise InvalidRequest(f"Unknown form field {name[:80]}.", param=name[:80])
        if times > 1:
            raise InvalidRequest(
                f"The form field {name} comes {times} times; send it once.", param=name
            )


def _iterate_dependants(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for part in dependant.dependencies:
        yield from _iterate_dependants(part)

"""The OpenAPI document: what the routes and their models say, completed by what no single route
can say of itself.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.openapi.errors import describe_error_responses
from api.openapi.examples import add_examples
from api.openapi.fields import describe_fields
from api.openapi.links import add_links
from api.openapi.nullability import remove_null_schemas
from api.openapi.service_metadata import describe_service
from shared.infra.settings import Settings

JsonNode = dict[str, Any]


def get_operation_id(route: APIRoute) -> str:
    """The operation's id: the name of the function that carries it out, which clients made from
    the document call it by.
    """
    return route.name


def install_openapi(app: FastAPI, settings: Settings) -> None:
    """Have ``app`` serve the completed document; it is made when it is first asked for."""
    plain = app.openapi

    def get_document() -> JsonNode:
        if app.openapi_schema is None:
            _complete_document(plain(), settings)
        document: JsonNode = app.openapi_schema or {}
        return document

    app.openapi = get_document  # type: ignore[method-assign]


def _complete_document(document: JsonNode, settings: Settings) -> None:
    remove_null_schemas(document)
    describe_error_responses(document)
    describe_fields(document)
    describe_service(document, settings)
    add_links(document)
    add_examples(document)

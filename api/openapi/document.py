"""The OpenAPI document: FastAPI's own, completed with errors, links, examples and metadata."""

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.openapi.errors import describe_error_responses
from api.openapi.examples import add_examples
from api.openapi.inherited_descriptions import inherit_descriptions
from api.openapi.links import add_links
from api.openapi.nodes import JsonNode
from api.openapi.nullability import remove_null_schemas
from api.openapi.service_metadata import describe_service
from shared.infra.settings import Settings


def get_operation_id(route: APIRoute) -> str:
    """Return the name of the route's function; generated clients name their methods after it."""
    return route.name


def install_openapi(app: FastAPI, settings: Settings) -> None:
    """Make ``app`` serve the completed document, which is built on the first request for it."""
    build_document = app.openapi

    def get_document() -> JsonNode:
        if app.openapi_schema is None:
            _complete_document(build_document(), settings)
        document: JsonNode = app.openapi_schema or {}
        return document

    app.openapi = get_document  # type: ignore[method-assign]


def _complete_document(document: JsonNode, settings: Settings) -> None:
    remove_null_schemas(document)
    describe_error_responses(document)
    inherit_descriptions(document)
    describe_service(document, settings)
    add_links(document)
    add_examples(document)

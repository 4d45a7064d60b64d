"""The OpenAPI document: what the routes and their models say, completed by what no single route can say of itself."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.openapi.errors import describe_refusals
from api.openapi.examples import add_examples
from api.openapi.fields import describe_fields
from api.openapi.links import add_links
from api.openapi.nullability import describe_requests
from api.openapi.service_metadata import describe_surroundings
from shared.infra.settings import Settings

Node = dict[str, Any]


def operation_name(route: APIRoute) -> str:
    """The operation's id: the name of the function that carries it out, which clients made from the document call it by."""
    return route.name


def install(app: FastAPI, settings: Settings) -> None:
    """Have ``app`` serve the completed document; it is made when it is first asked for."""
    plain = app.openapi

    def openapi() -> Node:
        if app.openapi_schema is None:
            _complete(plain(), settings)
        document: Node = app.openapi_schema or {}
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: Node, settings: Settings) -> None:
    describe_requests(document)
    describe_refusals(document)
    describe_fields(document)
    describe_surroundings(document, settings)
    add_links(document)
    add_examples(document)

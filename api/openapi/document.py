"""The OpenAPI document: what the routes and their models say, completed by what no single route can say of itself."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.openapi.fields import describe_fields
from api.openapi.refusals import describe_refusals
from api.openapi.wire import describe_requests
from shared.settings import Settings

Node = dict[str, Any]


def operation_name(route: APIRoute) -> str:
    """The operation's id: the name of the function that carries it out, which clients made from the document call it by."""
    return route.name


def install(app: FastAPI, settings: Settings) -> None:
    """Have ``app`` serve the completed document; it is made when it is first asked for."""
    plain = app.openapi

    def openapi() -> Node:
        if app.openapi_schema is None:
            document = plain()
            describe_requests(document)
            describe_refusals(document)
            describe_fields(document)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]

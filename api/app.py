"""Assembly of the app: services, routers, error handlers, middleware. Importing does no work.

CONTRIBUTING.md ("Add an endpoint") lists every place that a new endpoint needs.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.formparsers import MultiPartParser

from api import errors
from api.access.control import AccessControl
from api.classifications.routes import router as classifications
from api.comparisons.routes import router as comparisons
from api.dependencies import create_services
from api.files.routes import router as files
from api.health.routes import router as health
from api.jobs.action_routes import router as job_actions
from api.jobs.model_resolver import ModelResolver
from api.jobs.routes import router as jobs
from api.middleware.body_limits import (
    MAX_BYTES_IN_MEMORY,
    MAX_FIELD_BYTES,
    MAX_FORM_FIELDS,
    MAX_FORM_FILES,
)
from api.middleware.guard import RequestGuard
from api.middleware.request_id import RequestIdMiddleware
from api.models.routes import router as models
from api.openapi import document
from api.openapi.document import get_operation_id
from api.openapi.service_metadata import get_version
from api.operations.routes import router as operations
from api.pages import assets, error_pages
from api.pages.screens import list_routers
from api.recipes.routes import router as recipes
from api.reports.routes import router as reports
from api.runs.routes import router as runs
from api.unknown_params import check_query_parameters
from api.uploads.routes import router as uploads
from shared.infra.settings import Settings

ROUTERS = (
    files,
    uploads,
    jobs,
    job_actions,
    runs,
    reports,
    comparisons,
    recipes,
    models,
    classifications,
    operations,
)
"""In the order of the OpenAPI document, which follows a user's work from data to predictions."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the ASGI application; without ``settings`` they come from the environment."""
    app_settings = settings or Settings()
    MultiPartParser.spool_max_size = MAX_BYTES_IN_MEMORY  # Starlette has no other way to say it
    app = _create_bare_app(app_settings)
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(check_query_parameters)])
    app.include_router(health)
    for router in (assets.router, *list_routers()):
        app.include_router(router, include_in_schema=False)  # for people; the API begins at /v1
    errors.install_error_handlers(app)
    error_pages.install_page_of_unexpected_errors(app)
    document.install_openapi(app, app_settings)
    app.state.access = AccessControl(app_settings)
    app.add_middleware(RequestGuard, settings=app_settings, access=app.state.access)
    app.add_middleware(error_pages.ErrorPages)
    app.add_middleware(RequestIdMiddleware)
    return app


def _create_bare_app(settings: Settings) -> FastAPI:
    """Return an app without routes that creates the services when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services = create_services(settings)
        app.state.services = services
        resolver = ModelResolver(services)
        resolver.start()
        yield
        resolver.request_stop()
        services.readers.close()  # also ends what the resolver waits for
        resolver.join()
        services.close()

    create = (
        partial(FastAPIOffline, redoc_url=None)  # its /docs loads nothing from the internet
        if settings.api_docs
        else partial(FastAPI, openapi_url=None, docs_url=None, redoc_url=None)
    )
    return create(
        title="Evenkeel",
        summary="Stability-first fine-tuning of BERT-like encoders on small data sets.",
        version=get_version(),
        lifespan=lifespan,
        redirect_slashes=False,
        form_limits={
            "max_files": MAX_FORM_FILES,
            "max_fields": MAX_FORM_FIELDS,
            "max_part_size": MAX_FIELD_BYTES,
        },
        generate_unique_id_function=get_operation_id,
    )

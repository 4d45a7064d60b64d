"""The application: parts, routers in the order of the flow, errors. Nothing happens at import."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline

from api import errors
from api.classifications.routes import router as classifications
from api.comparisons.routes import router as comparisons
from api.dependencies import create_services
from api.files.routes import router as files
from api.health.routes import router as health
from api.jobs.action_routes import router as moves
from api.jobs.routes import router as jobs
from api.middleware import RequestGuard, RequestIdMiddleware
from api.models.routes import router as models
from api.openapi import document
from api.openapi.document import get_operation_id
from api.operations.routes import router as operations
from api.recipes.routes import router as recipes
from api.reports.routes import router as reports
from api.runs.routes import router as runs
from api.unknown_params import check_query_parameters
from api.uploads.routes import router as uploads
from shared.infra.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """The ASGI application for ``settings`` (default: from the environment)."""
    chosen = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.services = create_services(chosen)
        yield
        app.state.services.close()

    app = FastAPIOffline(  # a FastAPI whose /docs needs nothing of the internet
        redoc_url=None,
        title="Evenkeel",
        summary="Stability-first fine-tuning of BERT-like encoders on small data sets.",
        version="0.1.0",
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=get_operation_id,
    )
    for router in (
        files,
        uploads,
        jobs,
        moves,
        runs,
        reports,
        comparisons,
        recipes,
        models,
        classifications,
        operations,
    ):
        app.include_router(router, dependencies=[Depends(check_query_parameters)])
    app.include_router(health)
    errors.install_error_handlers(app)
    document.install_openapi(app, chosen)
    app.add_middleware(RequestGuard, settings=chosen)
    app.add_middleware(RequestIdMiddleware)
    return app

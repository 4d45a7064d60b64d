"""The application: parts, routers in the order of the flow, errors. Nothing happens at import."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline

from api import errors
from api.classifications.routes import router as classifications
from api.comparisons.routes import router as comparisons
from api.dependencies import make_parts
from api.files.routes import router as files
from api.health.routes import router as health
from api.jobs.action_routes import router as moves
from api.jobs.routes import router as jobs
from api.middleware import Gate, RequestId
from api.models.routes import router as models
from api.openapi import document
from api.openapi.document import operation_name
from api.operations.routes import router as operations
from api.recipes.routes import router as recipes
from api.reports.routes import router as reports
from api.runs.routes import router as runs
from api.unknown_params import refuse_unknown_query
from api.uploads.routes import router as uploads
from shared.infra.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """The ASGI application for ``settings`` (default: from the environment)."""
    chosen = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.parts = make_parts(chosen)
        yield
        app.state.parts.close()

    app = FastAPIOffline(  # a FastAPI whose /docs needs nothing of the internet
        redoc_url=None,
        title="Evenkeel",
        summary="Stability-first fine-tuning of BERT-like encoders on small data sets.",
        version="0.1.0",
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=operation_name,
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
        app.include_router(router, dependencies=[Depends(refuse_unknown_query)])
    app.include_router(health)
    errors.install(app)
    document.install(app, chosen)
    app.add_middleware(Gate, settings=chosen)
    app.add_middleware(RequestId)
    return app

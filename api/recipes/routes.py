"""Routes below /v1/fine_tuning/recipes: the presets, resolved for a model and a data set size."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api import hub
from api.dependencies import AppServices, ServicesDep
from api.errors import document_errors
from api.jobs.planning.start_model import StartModel, resolve_start_model
from api.models.uploaded import resolve_model_name
from api.pagination import Listing, build_listing
from api.recipes.schemas import RecipeObject
from shared.domain.errors import ModelInUse, ModelNotAllowed, RecipeNotFound
from shared.encoders.catalogue import OFFLINE_ENCODER
from shared.encoders.hub.ids import REVISION_PATTERN
from shared.infra.hardware import resolve_auto_precision
from shared.recipe import PRESET_DESCRIPTIONS, PRESETS, RecipeRequest, resolve_recipe
from shared.recipe.fields import Preset

router = APIRouter(prefix="/v1/fine_tuning/recipes", tags=["recipes"])
MAX_SHOWN_NAME = 80

RecipeNamePath = Annotated[str, Path(description="Name of the preset, as in `recipe.preset`.")]
ModelQuery = Annotated[
    str,
    Query(
        min_length=1,
        max_length=256,
        description="Base or fine-tuned model, or a model of the hub, to resolve the recipe for.",
    ),
]
RevisionQuery = Annotated[
    str | None,
    Query(
        pattern=f"^{REVISION_PATTERN}$",
        description="Branch, tag or commit of a model of the hub; `main` by default.",
    ),
]
TrainRowsQuery = Annotated[
    int,
    Query(
        ge=1,
        le=10_000_000,
        description="Number of training rows to resolve the length of training for; validation and "
        "test rows do not count.",
    ),
]


@router.get("", responses=document_errors(ModelNotAllowed, ModelInUse, *hub.MODEL_ERRORS))
def list_recipes(
    services: ServicesDep,
    model: ModelQuery = OFFLINE_ENCODER,
    model_revision: RevisionQuery = None,
    train_rows: TrainRowsQuery = 1000,
) -> Listing[RecipeObject]:
    """List the presets, each resolved as for a job with this model and number of rows."""
    start = _find_start_model(services, model, model_revision)
    return build_listing(
        [_build_recipe_object(services, name, start, train_rows) for name in PRESETS]
    )


@router.get(
    "/{name}",
    responses=document_errors(RecipeNotFound, ModelNotAllowed, ModelInUse, *hub.MODEL_ERRORS),
)
def retrieve_recipe(
    services: ServicesDep,
    name: RecipeNamePath,
    model: ModelQuery = OFFLINE_ENCODER,
    model_revision: RevisionQuery = None,
    train_rows: TrainRowsQuery = 1000,
) -> RecipeObject:
    """Return one preset, resolved as for a job with this model and number of rows."""
    preset = next((preset for preset in PRESETS if preset == name), None)
    if preset is None:
        raise RecipeNotFound(
            f"No preset is named {name[:MAX_SHOWN_NAME]!r}; the presets are {', '.join(PRESETS)}.",
            param="name",
        )
    start = _find_start_model(services, model, model_revision)
    return _build_recipe_object(services, preset, start, train_rows)


def _find_start_model(services: AppServices, model: str, revision: str | None) -> StartModel:
    return resolve_start_model(services, resolve_model_name(services, model), revision)


def _build_recipe_object(
    services: AppServices, name: Preset, start: StartModel, train_rows: int
) -> RecipeObject:
    resolution = resolve_recipe(
        RecipeRequest(preset=name),
        start.facts,
        train_rows,
        resolve_auto_precision(services.settings),
    )
    return RecipeObject(
        id=name,
        description=PRESET_DESCRIPTIONS[name],
        settings=PRESETS[name],
        model=start.facts.name,
        resolved_model_revision=None if start.hub_model is None else start.hub_model.commit,
        train_rows=train_rows,
        resolved_recipe=resolution.recipe,
        recipe_notes=resolution.notes,
        automatic=resolution.automatic,
    )

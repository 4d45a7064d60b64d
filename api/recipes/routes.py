"""/v1/fine_tuning/recipes: the presets, with a value for every setting."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import ConfigDict

from api.dependencies import AppServices, ServicesDep
from api.errors import document_errors
from api.jobs.planning.encoder_facts import get_encoder_facts
from api.pagination import Identified, Listing, build_listing
from shared.domain.errors import ModelInUse, ModelNotAllowed, RecipeNotFound
from shared.encoders.catalogue import OFFLINE_ENCODER
from shared.infra.hardware import auto_precision
from shared.recipe import PRESET_DESCRIPTIONS, PRESETS, Recipe, RecipeRequest, resolve_recipe
from shared.recipe.fields import Preset

router = APIRouter(prefix="/v1/fine_tuning/recipes", tags=["recipes"])

ModelQuery = Annotated[
    str,
    Query(
        min_length=1,
        max_length=256,
        description="The base model, or a fine-tuned one, to resolve for.",
    ),
]
TrainRowsQuery = Annotated[
    int,
    Query(
        ge=1,
        le=10_000_000,
        description="Training rows, without those split off, to resolve the length for.",
    ),
]


class RecipeObject(Identified):
    """A preset as a job's `recipe.preset` names it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["fine_tuning.recipe"] = "fine_tuning.recipe"
    description: str
    """What it is for."""
    settings: dict[str, Any]
    """What the preset itself says; any of it can be overridden in a job's `recipe`."""
    model: str
    """The model that it is resolved for."""
    train_rows: int
    """The training rows that its length is resolved for."""
    resolved_recipe: Recipe
    """A value for everything, for this model and so many training rows, by the rules."""
    recipe_notes: dict[str, str]
    """Why each automatic value is what it is."""
    automatic: list[str]
    """Settings that a job's pilots would still find out; their values here are the rules'."""


@router.get("", responses=document_errors(ModelNotAllowed, ModelInUse))
def list_recipes(
    services: ServicesDep, model: ModelQuery = OFFLINE_ENCODER, train_rows: TrainRowsQuery = 1000
) -> Listing[RecipeObject]:
    """The presets, each resolved as a job from this model on so many rows would have it."""
    return build_listing(
        [_build_recipe_object(services, name, model, train_rows) for name in PRESETS]
    )


@router.get("/{name}", responses=document_errors(RecipeNotFound, ModelNotAllowed, ModelInUse))
def retrieve_recipe(
    services: ServicesDep,
    name: str,
    model: ModelQuery = OFFLINE_ENCODER,
    train_rows: TrainRowsQuery = 1000,
) -> RecipeObject:
    """One preset, resolved as a job from this model on so many rows would have it."""
    known = next((preset for preset in PRESETS if preset == name), None)
    if known is None:
        raise RecipeNotFound(
            f"No recipe is named {name[:80]!r}; there are {', '.join(PRESETS)}.", param="name"
        )
    return _build_recipe_object(services, known, model, train_rows)


def _build_recipe_object(
    services: AppServices, name: Preset, model: str, train_rows: int
) -> RecipeObject:
    facts = get_encoder_facts(services, model)
    found = resolve_recipe(
        RecipeRequest(preset=name), facts, train_rows, auto_precision(services.settings)
    )
    return RecipeObject(
        id=name,
        description=PRESET_DESCRIPTIONS[name],
        settings=PRESETS[name],
        model=model,
        train_rows=train_rows,
        resolved_recipe=found.recipe,
        recipe_notes=found.notes,
        automatic=found.automatic,
    )

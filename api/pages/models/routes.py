"""The models: what jobs can start from, and what they have published."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response

from api.models.deletion import remove_model
from api.models.listing import find_model, list_all_models
from api.pages.models.view import ModelOrder, ModelSearch, ModelSource, select_models
from api.pages.page import FormDep, Page, PageDep, get_text
from api.pages.screens import NavigationEntry
from shared.domain.errors import FileInUse, ModelInUse, ServiceError

router = APIRouter()
NAVIGATION = NavigationEntry("Models", "/models", order=30)
MAX_SHOWN: Final = 500

TextQuery = Annotated[str, Query(alias="q", max_length=200)]
SourceQuery = Annotated[ModelSource, Query(alias="source")]
OrderQuery = Annotated[ModelOrder, Query(alias="sort")]
ModelQuery = Annotated[str, Query(max_length=256)]


@router.get("/models")
def show_models(
    page: PageDep,
    text: TextQuery = "",
    source: SourceQuery = ModelSource.ANY,
    order: OrderQuery = ModelOrder.GIVEN,
) -> Response:
    """Show the models that the search finds."""
    search = ModelSearch(text.strip(), source, order)
    lists = select_models(list_all_models(page.services), search)
    kept = {"q": search.text, "source": search.source}
    query = urlencode({name: value for name, value in kept.items() if value})
    return page.render(
        "models/models.html.j2",
        search=search,
        sources=list(ModelSource),
        fine_tuned=lists.fine_tuned[:MAX_SHOWN],
        starts=lists.starts[:MAX_SHOWN],
        hidden=sum(max(0, len(models) - MAX_SHOWN) for models in lists),
        sort_url=f"/models?{query}{'&' if query else ''}",
    )


@router.get("/models/delete")
def confirm_delete(page: PageDep, model: ModelQuery) -> Response:
    """Ask once whether to delete a model."""
    return _render_confirmation(page, model)


@router.post("/models/delete")
def delete(page: PageDep, form: FormDep) -> Response:
    model = get_text(form, "model")
    try:
        remove_model(page.services, model)
    except (ModelInUse, FileInUse) as error:
        return _render_confirmation(page, model, error)
    return page.redirect("/models")


def _render_confirmation(page: Page, model: str, error: ServiceError | None = None) -> Response:
    return page.render(
        "models/confirm_delete.html.j2",
        status=200 if error is None else error.status,
        model=find_model(page.services, model),
        error=error,
    )

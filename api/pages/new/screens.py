"""What each step of a new job shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Response
from starlette.concurrency import run_in_threadpool

from api.files.reading import get_data_set, list_latest_data_sets, validate_for_task
from api.files.schemas import FileObject
from api.jobs.planning.dry_run_schemas import DryRun
from api.models.listing import list_start_models
from api.models.schemas import ModelObject
from api.pages.client_code import find_service
from api.pages.new import snippets
from api.pages.new.draft import Draft, InvalidDraft
from api.pages.new.fields import list_fields
from api.pages.new.form import (
    COLUMN_FIELDS,
    Choice,
    describe_detected,
    has_task,
    list_columns,
    list_groups,
)
from api.pages.page import Page
from api.pages.recipe_reasons import explain_recipe
from shared.datasets import Validation
from shared.domain.errors import ServiceError
from shared.domain.states import Purpose
from shared.recipe import PRESET_DESCRIPTIONS

LATEST_FILES: Final = 8
SHOWN_LABELS: Final = 12
EXAMPLE_FILENAME: Final = "reviews.csv"
UNPROCESSABLE: Final = 422


@dataclass(frozen=True)
class DataSet:
    """The file with its profile as the draft reads it, or with the stored one."""

    file: FileObject
    profile: Validation
    errors: Mapping[str, str]


def render_upload(page: Page, draft: Draft, error: ServiceError | None = None) -> Response:
    """Render the first step; the draft has no file yet."""
    service = find_service(page)
    response = page.render(
        "new/upload.html.j2",
        draft=draft,
        status=200 if error is None else error.status,
        error=None if error is None else error.message,
        latest=list_latest_data_sets(page.services, LATEST_FILES) if page.can_change else [],
        max_bytes=page.services.settings.max_upload_bytes,
        code={
            "Python": snippets.write_python_upload(service, EXAMPLE_FILENAME),
            "curl": snippets.write_curl_upload(service, EXAMPLE_FILENAME),
        },
    )
    if error is not None:
        response.headers.update(error.response_headers)
    return response


async def render_settings(
    page: Page, draft: Draft, refusal: InvalidDraft | ServiceError | None = None
) -> Response:
    """Render the profile and the form, with what was refused beside the field it is about."""
    errors = {} if refusal is None else _get_messages(refusal)
    data = await _read_data_set(page, draft, errors)
    status = 200
    if refusal is not None:
        status = refusal.status if isinstance(refusal, ServiceError) else UNPROCESSABLE
    response = await run_in_threadpool(_render_form, page, draft, data, status)
    if isinstance(refusal, ServiceError):
        response.headers.update(refusal.response_headers)
    return response


def render_plan(page: Page, draft: Draft, plan: DryRun) -> Response:
    """Render the plan of the job."""
    purposes = [run.purpose for run in plan.runs]
    return page.render(
        "new/plan.html.j2",
        draft=draft,
        plan=plan,
        file=get_data_set(page.services, draft.file_id),
        counts={purpose: purposes.count(purpose) for purpose in Purpose if purpose in purposes},
        recipe=plan.resolved_recipe or _get_rule(plan),
        reasons=explain_recipe(plan.recipe, plan.recipe_notes),
        code=_write_code(page, draft),
    )


async def _read_data_set(page: Page, draft: Draft, errors: Mapping[str, str]) -> DataSet:
    """Read the stored profile; if the draft says how to read the file, profile it anew."""
    file = await run_in_threadpool(get_data_set, page.services, draft.file_id)
    assert file.profile is not None, "a data set has a profile"
    if errors:
        return DataSet(file, file.profile, errors)
    try:
        task = draft.build_request().task
        if not has_task(draft):
            return DataSet(file, file.profile, {})
        lane = page.services.heavy.plans
        profile = await lane.run(
            page.services.owner_id, validate_for_task, page.services, file.id, task
        )
    except InvalidDraft as refused:
        return DataSet(file, file.profile, refused.messages)
    except ServiceError as error:
        if error.status != 400:
            raise
        return DataSet(file, file.profile, _get_messages(error))
    return DataSet(file, profile, errors)


def _render_form(page: Page, draft: Draft, data: DataSet, status: int) -> Response:
    with page.services.database.read() as session:
        models = list_start_models(page.services, session)
    labels = data.profile.labels or []
    return page.render(
        "new/settings.html.j2",
        status=status,
        draft=draft,
        file=data.file,
        profile=data.profile,
        errors=data.errors,
        labels=labels[:SHOWN_LABELS],
        more_labels=len(labels) - SHOWN_LABELS,
        fields=list_fields(),
        groups=list_groups(draft, data.errors),
        columns=_list_column_choices(draft, data.profile),
        detected={name: describe_detected(data.profile, name) for name in COLUMN_FIELDS},
        models=_list_model_choices(draft, models),
        presets=PRESET_DESCRIPTIONS,
        code=_write_code(page, draft),
    )


def _list_column_choices(draft: Draft, profile: Validation) -> list[Choice]:
    """List the columns, and those that the draft names though the file does not have them."""
    choices = list_columns(profile)
    known = {choice.value for choice in choices}
    given = dict.fromkeys(draft.texts[name] for name in COLUMN_FIELDS if name in draft.texts)
    return [*choices, *(Choice(value, value) for value in given if value not in known)]


def _list_model_choices(draft: Draft, models: list[ModelObject]) -> list[Choice]:
    choices = [Choice(model.id, _describe_model(model)) for model in models]
    if any(choice.value == draft.model for choice in choices):
        return choices
    return [*choices, Choice(draft.model, draft.model)]


def _describe_model(model: ModelObject) -> str:
    encoder = model.encoder
    if encoder is None:
        return model.id
    size = encoder.parameters
    parts = [
        encoder.name,
        encoder.family,
        f"{size / 1e6:,.3g} million parameters" if size else None,
        f"{encoder.max_seq_length:,} tokens" if encoder.max_seq_length else None,
    ]
    return ", ".join(part for part in parts if part)


def _get_messages(refusal: InvalidDraft | ServiceError) -> Mapping[str, str]:
    """Return what was refused by the name of the field; the empty one stands for the whole."""
    if isinstance(refusal, InvalidDraft):
        return refusal.messages
    param = refusal.param or ""
    return {param if param in list_fields() else "": refusal.message}


def _get_rule(plan: DryRun) -> Mapping[str, Any]:
    """Return the recipe of the rules, from which pilots depart."""
    assert plan.pilots is not None, "a plan without a recipe has pilots"
    rule = plan.pilots["rule"]
    assert isinstance(rule, dict)
    return rule


def _write_code(page: Page, draft: Draft) -> dict[str, str]:
    service = find_service(page)
    return {
        "Python": snippets.write_python(service, draft.body),
        "curl": snippets.write_curl(service, draft.body),
    }

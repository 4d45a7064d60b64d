"""A job that is not created yet: its file, and the settings as texts in the address of the page."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NoReturn
from urllib.parse import urlencode

from pydantic import ValidationError

from api.errors import describe_validation_errors
from api.jobs.request_schemas import JobRequest
from api.pages.new.fields import FormField, list_fields
from shared.domain.errors import InvalidRequest
from shared.encoders.catalogue import OFFLINE_ENCODER

MAX_SHOWN_NAME: Final = 80
_TYPES: Final[Mapping[type, tuple[str, ...]]] = {
    bool: ("boolean",),
    int: ("integer", "number"),
    float: ("number",),
    str: ("string",),
    list: ("array",),
    dict: ("object",),
}


class InvalidDraft(Exception):
    """Settings that no job can have."""

    def __init__(self, messages: Mapping[str, str]) -> None:
        super().__init__("; ".join(messages.values()))
        self.messages = messages
        """Message by the name of the field; that of the empty name is about the whole."""


@dataclass(frozen=True)
class Draft:
    """A job's file and settings. Templates see it as ``draft``."""

    file_id: str
    texts: Mapping[str, str]
    """What is given, by the name of the field; none of it is empty."""

    @classmethod
    def from_pairs(cls, file_id: str, pairs: Iterable[tuple[str, str]]) -> "Draft":
        """Build a draft from the fields of a form. Raises InvalidRequest for an unknown field."""
        texts: dict[str, str] = {}
        for name, value in pairs:
            if name not in list_fields():
                shown = name[:MAX_SHOWN_NAME]
                raise InvalidRequest(
                    f"The address has the unknown setting {shown}. Remove it.", param=shown
                )
            if value.strip():
                texts[name] = value.strip()
        return cls(file_id, {name: texts[name] for name in list_fields() if name in texts})

    @classmethod
    def from_request(cls, request: JobRequest) -> "Draft":
        """Build the draft whose job has this request; its webhook is left out."""
        body = request.model_dump(mode="json", exclude_unset=True)
        texts = {}
        for field in list_fields().values():
            value: Any = body
            for key in field.path:
                value = value.get(key) if isinstance(value, dict) else None
            if value is not None:
                texts[field.name] = format_value(field, value)
        return cls(request.training_file, texts)

    @property
    def query(self) -> str:
        return urlencode(self.texts)

    def get_path(self, step: str = "") -> str:
        """Return the address of a step with this draft."""
        path = f"/new/{self.file_id}/{step}".rstrip("/")
        return f"{path}?{self.query}" if self.texts else path

    @property
    def model(self) -> str:
        return self.texts.get("model", OFFLINE_ENCODER)

    @cached_property
    def body(self) -> dict[str, Any]:
        """The body of the request as JSON, with what is given, and the model."""
        body: dict[str, Any] = {"training_file": self.file_id, "model": self.model}
        for name, text in self.texts.items():
            field = list_fields()[name]
            place = body
            for key in field.path[:-1]:
                place = place.setdefault(key, {})
            place[field.path[-1]] = parse_value(field, text)
        return body

    def build_request(self) -> JobRequest:
        """Return the request. Raises InvalidDraft."""
        try:
            return JobRequest.model_validate_json(json.dumps(self.body))
        except ValidationError as error:
            raise InvalidDraft(self._describe_errors(error)) from None

    def _describe_errors(self, error: ValidationError) -> dict[str, str]:
        by_field: dict[str, list[Any]] = {}
        for problem in error.errors():
            path = [str(key) for key in problem["loc"]]
            found = (
                name for name in list_fields() if path[: name.count(".") + 1] == name.split(".")
            )
            problem["loc"] = ("body", *problem["loc"])
            by_field.setdefault(next(found, ""), []).append(problem)
        return {
            name: describe_validation_errors(problems, self.body).message
            for name, problems in by_field.items()
        }


def parse_value(field: FormField, text: str) -> object:
    """Read a text as the kind of value that the field accepts; other texts stay as they are, and
    the request is refused for them.
    """
    value = _parse_json(text)
    if field.types & set(_TYPES.get(type(value), ())):
        return value
    if "array" in field.types and ("," in text or "string" not in field.types):
        items = [item.strip() for item in text.split(",")]
        return [item if "label" in field.name else _parse_item(item) for item in items if item]
    return text


def format_value(field: FormField, value: object) -> str:
    """Return the text that ``parse_value`` reads as this value."""
    if isinstance(value, str) and parse_value(field, value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _parse_item(text: str) -> object:
    value = _parse_json(text)
    return text if value is None else value


def _parse_json(text: str) -> object:
    """Return what the text is as JSON; None if it is none, or cannot be shown as text."""
    try:
        value: object = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

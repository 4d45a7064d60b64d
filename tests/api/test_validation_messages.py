"""Messages about invalid values: in plain words, about the alternative that was meant."""

import re
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, core_schema

from api.errors import describe_validation_errors
from api.jobs.request_schemas import JobRequest
from shared.domain.errors import InvalidRequest
from shared.domain.invalid_values import describe_invalid_value
from tests.api.unions import Union, WrongValue, list_unions, list_wrong_values

UNIONS = list_unions()
CASES = [
    (union, wrong)
    for union in UNIONS
    for alternative in union.alternatives
    for wrong in list_wrong_values(alternative)
]
FOREIGN_WORDS = re.compile(
    r"Input|should|valid (str|int|num|bool|list|dict)|dictionary|instance|constrained|literal|\[key"
)


def refuse(model: type[BaseModel], body: Any) -> InvalidRequest:
    with pytest.raises(ValidationError) as raised:
        model.model_validate(body)
    errors = [{**error, "loc": ("body", *error["loc"])} for error in raised.value.errors()]
    return describe_validation_errors(errors, body)  # type: ignore[arg-type]


def build_body(model: type[BaseModel], path: tuple[str | int, ...], value: Any) -> Any:
    """Build a body with the required fields and a value at the path."""
    for part in reversed(path):
        value = [value] if isinstance(part, int) else {part: value}
    required = {name: "an id" for name, field in model.model_fields.items() if field.is_required()}
    return required | value


def list_kinds(union: Union) -> set[str]:
    return {str(alternative["type"]) for alternative in union.alternatives}


def test_all_unions_are_found() -> None:
    names = {".".join(map(str, union.path)) for union in UNIONS}
    assert {
        "input",
        "input.0",
        "task.text_column",
        "task.header",
        "task.max_seq_length",
        "split.group_by",
        "recipe.learning_rate",
        "recipe.reinit_layers",
        "recipe.class_weights",
        "hyperparameters.n_epochs",
        "method.supervised.hyperparameters.max_steps",
        "text_pair_column",
    } <= names


@pytest.mark.parametrize(
    ("union", "wrong"),
    CASES,
    ids=[f"{union.model.__name__}-{union.path}-{str(wrong.value)[:20]}" for union, wrong in CASES],
)
def test_an_error_is_about_the_alternative_that_was_meant(union: Union, wrong: WrongValue) -> None:
    error = refuse(union.model, build_body(union.model, union.path, wrong.value))
    place = ".".join(map(str, (*union.path, *wrong.place)))
    assert error.param == place
    assert wrong.text in error.message
    assert place in error.message
    assert not FOREIGN_WORDS.search(error.message)
    assert "1 more" not in error.message


@pytest.mark.parametrize("union", UNIONS, ids=lambda union: f"{union.model.__name__}-{union.path}")
def test_a_value_of_no_alternative_s_kind_is_told_all_of_them(union: Union) -> None:
    kinds = list_kinds(union)
    values = {"boolean": True, "array": [[]], "object": {"a": []}, "number": 1.5}
    accepted = kinds | ({"array"} if union.path[-1] == 0 else set())
    for kind, value in values.items():
        if kind in accepted:
            continue
        error = refuse(union.model, build_body(union.model, union.path, value))
        assert error.param == ".".join(map(str, union.path))
        assert " must be " in error.message
        assert " or " in error.message
        assert not FOREIGN_WORDS.search(error.message)


@pytest.mark.parametrize(
    ("changes", "param", "message"),
    [
        (
            {"recipe": {"class_weights": {"pos": -1}}},
            "recipe.class_weights.pos",
            "recipe.class_weights.pos must be greater than 0.",
        ),
        (
            {"recipe": {"reinit_layers": [0, 99]}},
            "recipe.reinit_layers.1",
            "recipe.reinit_layers.1 must be less than 96.",
        ),
        (
            {"recipe": {"learning_rate": "fast"}},
            "recipe.learning_rate",
            'recipe.learning_rate must be a number or "auto".',
        ),
        (
            {"recipe": {"max_steps": "many"}},
            "recipe.max_steps",
            'recipe.max_steps must be a whole number or "auto".',
        ),
        (
            {"task": {"text_column": 1.5}},
            "task.text_column",
            "task.text_column must be a string or a whole number.",
        ),
        (
            {"task": {"header": "yes"}},
            "task.header",
            'task.header must be "auto", true or false.',
        ),
        ({"webhook": "x"}, "webhook", "webhook must be an object."),
        (
            {"validation_file": 3, "test_file": 4},
            "validation_file",
            "validation_file must be a string (1 more field is invalid).",
        ),
        (
            {"validation_file": 3, "test_file": 4, "seed": "x"},
            "validation_file",
            "validation_file must be a string (2 more fields are invalid).",
        ),
        (
            {"metadata": {"k" * 65: "v"}},
            "metadata",
            "A key of metadata must have at most 64 characters.",
        ),
        (
            {"integrations": []},
            "integrations",
            "integrations is not supported here; leave it out and read the metrics of the runs "
            "from /v1/fine_tuning/jobs/{job_id}/runs.",
        ),
        (
            {"method": {"type": "dpo"}},
            "method.type",
            'method.type "dpo" is not supported here; set it to "supervised".',
        ),
        (
            {"method": {"reinforcement": {"grader": {}}}},
            "method.reinforcement",
            "method.reinforcement is not supported here; describe the training under "
            "method.supervised.",
        ),
        (
            {"method": {"type": "magic"}},
            "method.type",
            'method.type must be "supervised".',
        ),
        (
            {"a[b]": 1},
            "a[b]",
            "Unknown field a[b]. The API's reference, at /docs, lists the known fields.",
        ),
        (
            {"int": 1},
            "int",
            "Unknown field int. The API's reference, at /docs, lists the known fields.",
        ),
        ({"training_file": None}, "training_file", "training_file must be a string."),
    ],
    ids=str,
)
def test_a_message_says_what_is_wrong_and_where(
    changes: dict[str, Any], param: str, message: str
) -> None:
    error = refuse(JobRequest, {"training_file": "file-a", **changes})
    assert (error.param, error.message) == (param, message)


CONTEXT: dict[str, Any] = {
    **dict.fromkeys(("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length"), 2),
    **{"pattern": "^a$", "expected_schemes": "https", "expected": "'a' or 'b'"},
}
"""Context of errors: every bound that a type may have."""


@pytest.mark.parametrize("type_", get_args(core_schema.ErrorType))
def test_no_error_type_has_the_words_of_the_library(type_: str) -> None:
    error = ErrorDetails(
        type=type_,
        loc=("field",),
        msg="Input should be a valid thing",
        input=None,
        ctx=CONTEXT,
    )
    words = describe_invalid_value([error])
    assert words.split()[0] in ("must", "is", "has", "contains")
    assert not FOREIGN_WORDS.search(words)


def test_every_error_type_of_the_request_schemas_has_words_of_its_own() -> None:
    reachable = {
        *("string_type", "int_type", "int_from_float", "float_type", "bool_type", "list_type"),
        *("dict_type", "model_type", "literal_error", "enum", "finite_number", "int_parsing"),
        *("greater_than", "greater_than_equal", "less_than", "less_than_equal", "bool_parsing"),
        *("string_too_short", "string_too_long", "too_short", "too_long", "float_parsing"),
        *("string_pattern_mismatch", "string_unicode", "int_parsing_size", "json_invalid"),
        *("model_attributes_type",),
    }
    for type_ in reachable:
        error = ErrorDetails(type=type_, loc=("field",), msg="", input=None, ctx=CONTEXT)
        assert describe_invalid_value([error]) != "is invalid", type_

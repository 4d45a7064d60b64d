"""The OpenAPI document explains every operation, field and error, and its examples are what the
schemas say.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

from api.app import create_app
from api.errors import MethodNotAllowed, RouteNotFound
from api.openapi.error_examples import ERROR_EXAMPLES
from api.openapi.examples import EXAMPLES_PATH
from api.openapi.links import RESPONSE_LINKS
from api.openapi.service_metadata import TAG_DESCRIPTIONS
from shared.datasets.errors import UnreadableFile
from shared.db.migrate import DatabaseTooNew
from shared.domain.errors import ServiceError
from shared.infra.settings import Settings

Node = dict[str, Any]
DOCUMENT: Node = create_app(Settings(api_key=None)).openapi()
OPERATIONS: dict[str, Node] = {
    operation["operationId"]: {**operation, "path": path, "method": method}
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
OF_NO_OPERATION = {ServiceError, UnreadableFile, RouteNotFound, MethodNotAllowed, DatabaseTooNew}
"""Families, and what is told where there is no operation: at other addresses, at the start."""


def resolved(node: Node) -> Node:
    if "$ref" not in node:
        return node
    found: Any = DOCUMENT
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def family(error: type[ServiceError]) -> Iterator[type[ServiceError]]:
    yield error
    for below in error.__subclasses__():
        yield from family(below)


def problems_of(value: Any, schema: Node) -> list[str]:
    whole = {**schema, "components": DOCUMENT["components"]}
    return [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(whole).iter_errors(value)
    ]


def examples_of(content: Node) -> list[tuple[str, Node, Any]]:
    """(media type, schema, value) of each example."""
    return [
        (kind, body.get("schema", {}), example["value"])
        for kind, body in content.items()
        for example in body.get("examples", {}).values()
    ]


def test_every_route_is_an_operation_of_its_own_name() -> None:
    assert len(OPERATIONS) == sum(len(methods) for methods in DOCUMENT["paths"].values()) == 47
    assert {tag for operation in OPERATIONS.values() for tag in operation["tags"]} == set(
        TAG_DESCRIPTIONS
    )
    assert [tag["name"] for tag in DOCUMENT["tags"]] == list(TAG_DESCRIPTIONS)
    assert all(tag["description"] for tag in DOCUMENT["tags"])


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_says_what_it_does_and_shows_it(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert len(operation["description"].split()) >= 4, operation["description"]
    success = operation["responses"]["200"]
    assert success["description"] not in ("", "Successful Response")
    assert examples_of(success["content"])
    if "requestBody" in operation:
        assert examples_of(operation["requestBody"]["content"])
    assert [
        parameter["name"]
        for parameter in operation.get("parameters", ())
        if not parameter["description"]
    ] == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_examples_are_what_the_schemas_say(name: str) -> None:
    operation = OPERATIONS[name]
    checked = 0
    for content in (
        operation["responses"]["200"]["content"],
        operation.get("requestBody", {}).get("content", {}),
    ):
        for kind, schema, value in examples_of(content):
            if kind == "application/json":
                assert problems_of(value, schema) == []
            elif kind == "multipart/form-data":
                assert set(value) <= set(resolved(schema)["properties"])
            else:
                assert isinstance(value, str)
            checked += 1
    assert checked


def test_the_check_of_examples_can_fail() -> None:
    schema = {"$ref": "#/components/schemas/FileDeleted"}
    assert problems_of({"id": "file-1", "object": "file", "deleted": False}, schema) == [
        "$.deleted: True was expected"
    ]


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_lists_its_errors_with_an_example_of_each(name: str) -> None:
    operation = OPERATIONS[name]
    errors = {
        status: resolved(answer)
        for status, answer in operation["responses"].items()
        if status >= "400"
    }
    assert {"400", "403", "500"} <= set(errors)
    assert ("401" in errors) == operation["path"].startswith("/v1")
    assert ("413" in errors) >= ("requestBody" in operation)
    assert ("503" in errors) == (name != "health")
    for status, answer in errors.items():
        content = answer["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/ErrorResponse"}
        for code, example in content["examples"].items():
            assert f"`{code}`: " in answer["description"]
            assert example["value"]["error"]["code"] == code
            assert problems_of(example["value"], content["schema"]) == []
            assert set(example["value"]["error"]) == {"message", "type", "param", "code"}
        assert "x-request-id" in answer["headers"]
        assert ("retry-after" in answer["headers"]) == (status in ("429", "503"))


def test_every_error_that_there_is_has_an_example_and_is_explained() -> None:
    errors = set(family(ServiceError)) - OF_NO_OPERATION
    assert set(ERROR_EXAMPLES) == {
        error for error in errors if error.__module__.startswith(("shared.", "api."))
    }
    assert all(error.__doc__ != ServiceError.__doc__ and error.__doc__ for error in ERROR_EXAMPLES)
    listed = {
        code
        for operation in OPERATIONS.values()
        for status, answer in operation["responses"].items()
        if status >= "400"
        for code in resolved(answer)["content"]["application/json"]["examples"]
    }
    assert listed == {error.code for error in ERROR_EXAMPLES}


def test_the_framework_s_own_error_is_gone() -> None:
    assert not {"HTTPValidationError", "ValidationError"} & set(DOCUMENT["components"]["schemas"])
    unreadable = {name for name, operation in OPERATIONS.items() if "422" in operation["responses"]}
    assert unreadable == {"create_file", "complete_upload"}


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_every_field_is_described(name: str) -> None:
    fields = DOCUMENT["components"]["schemas"][name].get("properties", {})
    assert [field for field, schema in fields.items() if not schema.get("description")] == []


def test_nothing_of_a_request_but_json_can_be_null() -> None:
    for operation in OPERATIONS.values():
        for parameter in operation.get("parameters", ()):
            assert "null" not in str(parameter["schema"].get("anyOf", ""))


def test_answers_that_are_no_json() -> None:
    kinds = {
        name: set(operation["responses"]["200"]["content"]) - {"application/json"}
        for name, operation in OPERATIONS.items()
    }
    assert {name: of for name, of in kinds.items() if of} == {
        "file_content": {"application/octet-stream"},
        "list_events": {"text/event-stream"},
        "run_logs": {"text/plain"},
        "stability_csv": {"text/csv"},
        "stability_html": {"text/html"},
    }
    for name in ("file_content", "stability_csv"):
        assert "application/json" not in OPERATIONS[name]["responses"]["200"]["content"]


def test_the_key_is_needed_where_the_service_has_one() -> None:
    with_key = create_app(Settings.model_validate({"api_key": "a-key-of-the-tests"})).openapi()
    for path, methods in with_key["paths"].items():
        for operation in methods.values():
            assert operation["security"] == ([{"key": []}] if path.startswith("/v1") else [])
    assert OPERATIONS["list_files"]["security"] == [{"key": []}, {}]
    assert DOCUMENT["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert "a-key-of-the-tests" not in str(with_key)


def test_ways_lead_from_operations_to_operations() -> None:
    for name, ways in RESPONSE_LINKS.items():
        assert set(OPERATIONS[name]["responses"]["200"]["links"]) == {
            way.operation_id for way in ways
        }
        for way in ways:
            target = OPERATIONS[way.operation_id]
            parameters = {parameter["name"] for parameter in target.get("parameters", ())}
            assert {way.parameter, *way.path_parameters} - {None} <= parameters
            if way.field is not None:
                [body] = target["requestBody"]["content"].values()
                assert way.field in resolved(body["schema"])["properties"]


def test_no_trace_of_the_machine_that_the_examples_come_from() -> None:
    text = EXAMPLES_PATH.read_text(encoding="utf-8")
    assert "/tmp" not in text
    assert "/work" not in text


def test_the_document_is_served_and_so_is_a_page_that_shows_it() -> None:
    http = TestClient(create_app(Settings(api_key=None)))
    assert http.get("/openapi.json").json() == json.loads(json.dumps(DOCUMENT))
    page = http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "/openapi.json" in page.text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert (
        len(loaded) >= 3
    )  # script, styles, icon: all from here, for a machine without the internet
    assert [http.get(address).status_code for address in loaded] == [200] * len(loaded)
    assert all(address.startswith("/") for address in loaded)

"""The OpenAPI document describes every operation, parameter, field and error, with examples."""

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
from shared.domain.limit_errors import RetryLater
from shared.encoders.archive.errors import UnusableArchive
from shared.infra.settings import Settings

Node = dict[str, Any]
DOCUMENT: Node = create_app(Settings(api_key=None)).openapi()
OPERATIONS: dict[str, Node] = {
    operation["operationId"]: {**operation, "path": path, "method": method}
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
UNDOCUMENTED_ERRORS = {
    ServiceError,
    RetryLater,
    UnreadableFile,
    UnusableArchive,
    RouteNotFound,
    MethodNotAllowed,
    DatabaseTooNew,
}
"""Base classes, and errors outside of operations: unknown addresses, start of the service."""


def resolve(node: Node) -> Node:
    if "$ref" not in node:
        return node
    found: Any = DOCUMENT
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def iterate_error_family(error: type[ServiceError]) -> Iterator[type[ServiceError]]:
    yield error
    for subclass in error.__subclasses__():
        yield from iterate_error_family(subclass)


def list_schema_problems(value: Any, schema: Node) -> list[str]:
    whole = {**schema, "components": DOCUMENT["components"]}
    return [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(whole).iter_errors(value)
    ]


def list_examples(content: Node) -> list[tuple[str, Node, Any]]:
    """Return (media type, schema, value) of each example."""
    return [
        (kind, body.get("schema", {}), example["value"])
        for kind, body in content.items()
        for example in body.get("examples", {}).values()
    ]


def test_every_route_is_an_operation_with_a_tag() -> None:
    assert len(OPERATIONS) == sum(len(methods) for methods in DOCUMENT["paths"].values()) == 51
    assert {tag for operation in OPERATIONS.values() for tag in operation["tags"]} == set(
        TAG_DESCRIPTIONS
    )
    assert [tag["name"] for tag in DOCUMENT["tags"]] == list(TAG_DESCRIPTIONS)
    assert all(tag["description"] for tag in DOCUMENT["tags"])


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_descriptions_and_examples(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert len(operation["description"].split()) >= 4, operation["description"]
    success = operation["responses"]["200"]
    assert success["description"] not in ("", "Successful Response")
    assert list_examples(success["content"])
    if "requestBody" in operation:
        assert list_examples(operation["requestBody"]["content"])
    assert [
        parameter["name"]
        for parameter in operation.get("parameters", ())
        if not parameter.get("description")
    ] == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_examples_match_the_schemas(name: str) -> None:
    operation = OPERATIONS[name]
    checked_count = 0
    for content in (
        operation["responses"]["200"]["content"],
        operation.get("requestBody", {}).get("content", {}),
    ):
        for kind, schema, value in list_examples(content):
            if kind == "application/json":
                assert list_schema_problems(value, schema) == []
            elif kind == "multipart/form-data":
                assert set(value) <= set(resolve(schema)["properties"])
            else:
                assert isinstance(value, str)
            checked_count += 1
    assert checked_count


def test_an_example_that_does_not_match_is_found() -> None:
    schema = {"$ref": "#/components/schemas/FileDeleted"}
    assert list_schema_problems({"id": "file-1", "object": "file", "deleted": False}, schema) == [
        "$.deleted: True was expected"
    ]


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_lists_its_errors_with_an_example_of_each(name: str) -> None:
    operation = OPERATIONS[name]
    errors = {
        status: resolve(response)
        for status, response in operation["responses"].items()
        if status >= "400"
    }
    assert {"400", "403", "500"} <= set(errors)
    assert ("401" in errors) == operation["path"].startswith("/v1")
    assert ("413" in errors) >= ("requestBody" in operation)
    assert ("503" in errors) == ("507" in errors) == (name != "health")
    for status, response in errors.items():
        content = response["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/ErrorResponse"}
        for code, example in content["examples"].items():
            assert f"`{code}`: " in response["description"]
            assert example["value"]["error"]["code"] == code
            assert list_schema_problems(example["value"], content["schema"]) == []
            assert set(example["value"]["error"]) == {"message", "type", "param", "code"}
        assert "x-request-id" in response["headers"]
        assert ("retry-after" in response["headers"]) == (status in ("429", "503", "507"))


def test_every_error_is_described_and_has_an_example() -> None:
    errors = set(iterate_error_family(ServiceError)) - UNDOCUMENTED_ERRORS
    assert set(ERROR_EXAMPLES) == {
        error for error in errors if error.__module__.startswith(("shared.", "api."))
    }
    assert all(error.__doc__ != ServiceError.__doc__ and error.__doc__ for error in ERROR_EXAMPLES)
    listed = {
        code
        for operation in OPERATIONS.values()
        for status, response in operation["responses"].items()
        if status >= "400"
        for code in resolve(response)["content"]["application/json"]["examples"]
    }
    assert listed == {error.code for error in ERROR_EXAMPLES}


def test_the_framework_s_error_is_removed() -> None:
    assert not {"HTTPValidationError", "ValidationError"} & set(DOCUMENT["components"]["schemas"])
    unreadable = {name for name, operation in OPERATIONS.items() if "422" in operation["responses"]}
    assert unreadable == {"create_file", "complete_upload"}


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_every_field_is_described(name: str) -> None:
    fields = DOCUMENT["components"]["schemas"][name].get("properties", {})
    assert [field for field, schema in fields.items() if not schema.get("description")] == []


def test_parameters_cannot_be_null() -> None:
    for operation in OPERATIONS.values():
        for parameter in operation.get("parameters", ()):
            assert "null" not in str(parameter["schema"].get("anyOf", ""))


def test_responses_other_than_json_are_listed() -> None:
    kinds = {
        name: set(operation["responses"]["200"]["content"]) - {"application/json"}
        for name, operation in OPERATIONS.items()
    }
    assert {name: others for name, others in kinds.items() if others} == {
        "comparison_html": {"text/html"},
        "comparison_png": {"image/png"},
        "file_content": {"application/octet-stream"},
        "list_events": {"text/event-stream"},
        "run_logs": {"text/plain"},
        "stability_csv": {"text/csv"},
        "stability_html": {"text/html"},
        "stability_png": {"image/png"},
    }
    for name in ("file_content", "stability_csv", "stability_png", "comparison_png"):
        assert "application/json" not in OPERATIONS[name]["responses"]["200"]["content"]


def test_security_depends_on_the_api_key() -> None:
    with_key = create_app(Settings.model_validate({"api_key": "a-key-of-the-tests"})).openapi()
    for path, methods in with_key["paths"].items():
        for operation in methods.values():
            assert len(operation["security"]) == path.startswith("/v1")
    assert OPERATIONS["list_files"]["security"] == [{"key": ["read"]}, {}]
    assert OPERATIONS["delete_file"]["security"] == [{"key": ["submit"]}, {}]
    assert DOCUMENT["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert "a-key-of-the-tests" not in str(with_key)


def test_links_lead_to_existing_operations() -> None:
    for name, links in RESPONSE_LINKS.items():
        assert set(OPERATIONS[name]["responses"]["200"]["links"]) == {
            link.operation_id for link in links
        }
        for link in links:
            target = OPERATIONS[link.operation_id]
            parameters = {parameter["name"] for parameter in target.get("parameters", ())}
            assert {link.parameter, *link.path_parameters} - {None} <= parameters
            if link.field is not None:
                [body] = target["requestBody"]["content"].values()
                assert link.field in resolve(body["schema"])["properties"]


def test_examples_do_not_show_the_recording_machine() -> None:
    text = EXAMPLES_PATH.read_text(encoding="utf-8")
    assert "/tmp" not in text
    assert "/work" not in text


def test_the_document_and_its_page_are_served() -> None:
    http = TestClient(create_app(Settings(api_key=None)), base_url="http://localhost")
    assert http.get("/openapi.json").json() == json.loads(json.dumps(DOCUMENT))
    page = http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "/openapi.json" in page.text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    # script, styles and icon are served locally, for machines without internet access
    assert len(loaded) >= 3
    assert [http.get(address).status_code for address in loaded] == [200] * len(loaded)
    assert all(address.startswith("/") for address in loaded)

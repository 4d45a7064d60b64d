"""Bad requests to every operation, each with the status, code and parameter of its refusal."""

from collections.abc import Iterator
from typing import NamedTuple

from fastapi.testclient import TestClient

from tests.security.conftest import Keys, authorize
from tests.security.operation_table import ROWS, Things, make_missing_things
from tests.security.test_key_matrix import OPERATIONS, Operation

JSON = {"content-type": "application/json"}


class Refusal(NamedTuple):
    status: int
    code: str
    param: str | None = None


INVALID = Refusal(400, "invalid_request")
BROKEN_BODIES = {
    "half": b'{"a": ',
    "list": b"[1, 2]",
    "text": b'"a"',
    "NaN": b'{"a": NaN}',
    "huge number": b'{"a": 1e999}',
    "twice": b'{"a": 1, "a": 2}',
    "NUL": b'{"a": "\\u0000"}',
    "surrogate": b'{"a": "\\ud800"}',
    "no UTF-8": b'{"a": "\xff"}',
    "deep": b"[" * 200 + b"]" * 200,
    "many": b"[" + b"1," * 30_000 + b"1]",
}
BROKEN_IDS = {
    "blank": "%20",
    "long": "a" * 400,
    "letters": "%F0%9F%92%A9",
    "controls": "a%1B%5B2J",
    "dots": "..%2e",
}
NOT_FOUND = {
    "file_id": "file_not_found",
    "job_id": "job_not_found",
    "upload_id": "upload_not_found",
    "comparison_id": "comparison_not_found",
    "model": "model_not_found",
    "name": "recipe_not_found",
    "run_id": "run_not_found",
}
BAD_QUERIES = {
    "limit=0": "limit",
    "limit=-1": "limit",
    "limit=x": "limit",
    "limit=1e3": "limit",
    "limit=100000000": "limit",
    f"after={'a' * 200}": "after",
    "nothing=1": "nothing",
}
BAD_WEBHOOKS = (
    "ftp://example.org/a",
    "example.org",
    "http://",
    "http://me:pw@example.org/",
    "http://example.org:99999/",
    "http://exa mple.org/",
    "http://ex\u00e4mple.org/",
    "javascript:alert(1)",
    "file:///etc/passwd",
)
PRIVATE_WEBHOOKS = (
    "http://127.0.0.1/",
    "http://169.254.169.254/latest",
    "http://[::1]/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://127.1/",
    "http://10.0.0.1/",
)
BAD_JOBS: tuple[tuple[dict[str, object], str], ...] = (
    ({"training_file": 7}, "training_file"),
    ({"training_file": None}, "training_file"),
    ({"training_file": ["a"]}, "training_file"),
    ({"seed": -1}, "seed"),
    ({"seed": 1.5}, "seed"),
    ({"seed": "1"}, "seed"),
    ({"suffix": "a" * 65}, "suffix"),
    ({"metadata": {"a": 1}}, "metadata.a"),
    ({"metadata": "a"}, "metadata"),
    ({"recipe": {"learning_rate": -1}}, "recipe.learning_rate"),
    ({"recipe": {"learning_rate": "fast"}}, "recipe.learning_rate"),
    ({"recipe": {"max_steps": 0}}, "recipe.max_steps"),
    ({"recipe": {"train_batch_size": 0}}, "recipe.train_batch_size"),
    ({"recipe": {"nothing": 1}}, "recipe.nothing"),
    ({"recipe": []}, "recipe"),
    ({"runs": {"num_seeds": 0}}, "runs.num_seeds"),
    ({"runs": {"num_seeds": 10**9}}, "runs.num_seeds"),
    ({"runs": {"seeds": []}}, "runs.seeds"),
    ({"task": {"type": "poetry"}}, "task.type"),
    ({"task": {"max_seq_length": 0}}, "task.max_seq_length"),
    ({"artifacts": {"keep": "some"}}, "artifacts.keep"),
    ({"nothing": 1}, "nothing"),
)


class Bad(NamedTuple):
    """A bad request."""

    method: str
    path: str
    wanted: Refusal
    content: bytes | None = None
    json: object = None


def list_parameters(operation: Operation) -> list[str]:
    return [name for name in vars(make_missing_things()) if f"{{{name}}}" in operation.path]


def iterate_broken_bodies(things: Things) -> Iterator[tuple[str, Bad]]:
    for operation in OPERATIONS:
        first = ROWS[operation.name].calls[0](things)
        if first.json is None:
            continue
        path = operation.path.format_map(vars(things))
        for name, content in BROKEN_BODIES.items():
            yield (
                f"{operation.name} {name}",
                Bad(operation.method, path, INVALID, content=content),
            )


def iterate_broken_ids(things: Things) -> Iterator[tuple[str, Bad]]:
    for operation in OPERATIONS:
        for parameter in list_parameters(operation):
            for name, value in BROKEN_IDS.items():
                path = operation.path.format_map({**vars(things), parameter: value})
                call = ROWS[operation.name].calls[0](things)
                if call.files is not None:
                    continue
                wanted = Refusal(404, NOT_FOUND[parameter])
                yield (
                    f"{operation.name} {parameter} {name}",
                    Bad(operation.method, path, wanted, json=call.json),
                )


def iterate_bad_queries(things: Things) -> Iterator[tuple[str, Bad]]:
    for operation in OPERATIONS:
        if not operation.name.startswith("list_") or operation.name in (
            "list_recipes",
            "list_models",
            "list_runs",
        ):
            continue
        path = operation.path.format_map(vars(things))
        for query, param in BAD_QUERIES.items():
            wanted = Refusal(400, "invalid_request", param)
            yield f"{operation.name} {query[:20]}", Bad("GET", f"{path}?{query}", wanted)


def iterate_bad_jobs(things: Things) -> Iterator[tuple[str, Bad]]:
    jobs = "/v1/fine_tuning/jobs"
    good = {"model": "tiny-bert", "training_file": things.file_id}
    for url in (*BAD_WEBHOOKS, *PRIVATE_WEBHOOKS):
        code = "invalid_value" if url in PRIVATE_WEBHOOKS else "invalid_request"
        wanted = Refusal(400, code, "webhook.url")
        webhook = {"url": url, "secret": "s" * 24}
        yield f"webhook {url}", Bad("POST", jobs, wanted, json={**good, "webhook": webhook})
    for fields, param in BAD_JOBS:
        wanted = Refusal(400, "invalid_request", param)
        yield f"job {fields}", Bad("POST", jobs, wanted, json={**good, **fields})


def list_all(things: Things) -> dict[str, Bad]:
    families = (iterate_broken_bodies, iterate_broken_ids, iterate_bad_queries, iterate_bad_jobs)
    return {name: bad for family in families for name, bad in family(things)}


def test_every_bad_input_is_refused_exactly(http: TestClient, keys: Keys, things: Things) -> None:
    wrong: dict[str, str] = {}
    inputs = list_all(things)
    assert len(inputs) >= 300
    for name, bad in inputs.items():
        headers = authorize(keys.owner) | (JSON if bad.content is not None else {})
        response = http.request(
            bad.method, bad.path, content=bad.content, json=bad.json, headers=headers
        )
        error = response.json().get("error", {}) if response.status_code >= 400 else {}
        found = Refusal(response.status_code, error.get("code", ""), error.get("param"))
        wanted = (
            bad.wanted if bad.wanted.param is not None else bad.wanted._replace(param=found.param)
        )
        if found != wanted:
            wrong[name] = f"{found} instead of {wanted}: {response.text[:200]}"
    assert not wrong, "\n".join(f"{name}: {text}" for name, text in wrong.items())

"""Code that uses a job's model: with curl, with the official client, and without the service."""

from api.pages.client_code import Service, open_client, write_curl_post
from shared.domain.task import Task, TaskType
from shared.recipe import Recipe

EXAMPLE, EXAMPLE_PAIR = "a warm and funny evening", "an evening that I enjoyed"


def write_snippets(service: Service, model: str, task: Task, recipe: object) -> dict[str, str]:
    """Return the commands by name."""
    is_pair = task.text_pair_column is not None
    given: object = {"text_a": EXAMPLE, "text_b": EXAMPLE_PAIR} if is_pair else EXAMPLE
    body = {"model": model, "input": given}
    found = {
        "curl": write_curl_post(service, "/v1/classifications", body),
        "Python": _write_python(service, body),
    }
    if isinstance(recipe, Recipe) and recipe.pooling == "family":
        found["Python without the service"] = _write_transformers(task)
    return found


def _write_python(service: Service, body: dict[str, object]) -> str:
    call = [
        "answer = client.post(",
        '    "/classifications",',
        "    cast_to=object,",
        "    body={",
        *(f"        {name!r}: {value!r}," for name, value in body.items()),
        "    },",
        ")",
        'print(answer["results"])',
    ]
    return "\n".join([*open_client(service), *call])


def _write_transformers(task: Task) -> str:
    is_pair = task.text_pair_column is not None
    given: object = {"text": EXAMPLE, "text_pair": EXAMPLE_PAIR} if is_pair else EXAMPLE
    options = ", top_k=None" if task.type is TaskType.MULTI_LABEL else ""
    return "\n".join(
        [
            "# after: unzip model.zip -d model",
            "from transformers import pipeline",
            "",
            'classify = pipeline("text-classification", model="model")',
            "print(classify(",
            f"    {given!r},",
            f"    truncation=True{options},",
            "))",
        ]
    )

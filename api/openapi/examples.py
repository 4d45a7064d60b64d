"""Examples of requests and responses, recorded from a running service.

``python -m tests.openapi.record`` records them.
"""

import json
from pathlib import Path

from pydantic import JsonValue

from api.openapi.nodes import JsonNode, iterate_operations

EXAMPLES_PATH = Path(__file__).with_name("examples.json")


def add_examples(document: JsonNode) -> None:
    """Add the recorded examples to each operation's request body and successful response."""
    recorded: JsonNode = json.loads(EXAMPLES_PATH.read_text(encoding="utf-8"))
    for _, operation in iterate_operations(document):
        for name, example in recorded.get(operation["operationId"], {}).items():
            _add_example(operation["responses"]["200"]["content"], name, example["answer"])
            if "request" in example:
                _add_example(operation["requestBody"]["content"], name, example["request"])


def _add_example(content: JsonNode, name: str, value: JsonValue) -> None:
    """Add the example to the fitting media type; a string is JSON only as a last resort."""
    fitting = [kind for kind in content if (kind == "application/json") != isinstance(value, str)]
    media_type = (fitting or list(content))[0]
    content[media_type].setdefault("examples", {})[name] = {"value": value}

"""Examples of what an operation takes and answers, recorded from a service at work (``python -m
tests.openapi.record``).
"""

import json
from pathlib import Path
from typing import Any

JsonNode = dict[str, Any]
EXAMPLES_PATH = Path(__file__).with_name("examples.json")


def add_examples(document: JsonNode) -> None:
    """Put the recorded examples of each operation beside the schemas of its body and of its
    success.
    """
    recorded: JsonNode = json.loads(EXAMPLES_PATH.read_text(encoding="utf-8"))
    for methods in document["paths"].values():
        for operation in methods.values():
            for name, example in recorded.get(operation["operationId"], {}).items():
                _add_example(operation["responses"]["200"]["content"], name, example["answer"])
                if "request" in example:
                    _add_example(operation["requestBody"]["content"], name, example["request"])


def _add_example(content: JsonNode, name: str, value: Any) -> None:
    """Beside the media type that such a value has: a text is none of JSON, where there is
    another.
    """
    kinds = [
        kind for kind in content if (kind == "application/json") != isinstance(value, str)
    ] or list(content)
    content[kinds[0]].setdefault("examples", {})[name] = {"value": value}

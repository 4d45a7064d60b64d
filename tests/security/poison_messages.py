"""Messages that no part of the service sends, as raw items of the queue."""

import base64
import json
import pickle
import uuid
from typing import Any

from shared.db.jobs import RUN_WAKE

DEEP = "[" * 100_000 + "]" * 100_000


def _encode(body: object) -> str:
    return base64.b64encode(json.dumps(body).encode()).decode()


def build_message(**changes: Any) -> dict[str, Any]:
    """Build a message as the service sends it, with other values at the top level."""
    task_id = str(uuid.uuid4())
    message: dict[str, Any] = {
        "body": _encode([["ftrun-unknown"], {}, {}]),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": RUN_WAKE, "id": task_id},
        "properties": {
            "body_encoding": "base64",
            "delivery_tag": task_id,
            "delivery_info": {"exchange": "", "routing_key": "evenkeel"},
        },
    }
    return {name: value for name, value in {**message, **changes}.items() if value is not ...}


_HEADERS = build_message()["headers"]
_PROPERTIES = build_message()["properties"]

RAW_ITEMS: dict[str, bytes] = {
    "empty": b"",
    "a blank": b" ",
    "text": b"hello",
    "cut off": json.dumps(build_message()).encode()[:60],
    "binary": bytes(range(256)) * 8,
    "NUL": b"\0",
    "invalid UTF-8": b'{"body": "\xff\xfe"}',
    "a pickle": pickle.dumps({"task": RUN_WAKE}),
    "a number": b"17",
    "NaN": b"NaN",
    "null": b"null",
    "a list": b"[1, 2, 3]",
    "a string": b'"evenkeel"',
    "deep": DEEP.encode(),
    "deep in a body": json.dumps(build_message(body=DEEP)).encode(),
    "five megabytes": b'{"body": "' + b"A" * 5_000_000 + b'"}',
    "a long number": b"1" * 100_000,
    "a kombu type": b'{"__type__": "datetime", "__value__": "never"}',
    "another kombu type": b'{"__type__": "uuid", "__value__": {"hex": 1, "version": "x"}}',
    "escape codes": b"\x1b[2J\x1b]0;owned\x07",
}

DAMAGED: dict[str, dict[str, Any]] = {
    "no properties": build_message(properties=...),
    "properties null": build_message(properties=None),
    "properties a list": build_message(properties=[]),
    "no delivery tag": build_message(properties={"body_encoding": "utf-8"}),
    "an unknown encoding": build_message(properties={**_PROPERTIES, "body_encoding": "rot13"}),
    "no headers": build_message(headers=...),
    "headers null": build_message(headers=None),
    "headers a string": build_message(headers="task"),
    "no task": build_message(headers={"id": "x"}),
    "an unknown task": build_message(headers={**_HEADERS, "task": "os.system"}),
    "a task of Celery": build_message(headers={**_HEADERS, "task": "celery.chord_unlock"}),
    "a task that is a list": build_message(headers={**_HEADERS, "task": [RUN_WAKE]}),
    "no body": build_message(body=...),
    "body null": build_message(body=None),
    "a body of bad base64": build_message(body="!!!"),
    "a body of base64 of noise": build_message(body=base64.b64encode(b"\xff\x00").decode()),
    "no arguments": build_message(body=_encode([[], {}, {}])),
    "two arguments": build_message(body=_encode([["ftrun-a", "ftrun-b"], {}, {}])),
    "a number as argument": build_message(body=_encode([[7], {}, {}])),
    "an object as argument": build_message(body=_encode([[{"a": 1}], {}, {}])),
    "a long argument": build_message(body=_encode([["ftrun-" + "a" * 2_000], {}, {}])),
    "a NUL in the argument": build_message(body=_encode([["ftrun-\0"], {}, {}])),
    "a surrogate in the argument": build_message(body=_encode([["ftrun-\ud800"], {}, {}])),
    "a line break after the ID": build_message(body=_encode([["ftrun-1\n"], {}, {}])),
    "keyword arguments": build_message(body=_encode([["ftrun-a"], {"context": 1}, {}])),
    "a callback": build_message(body=_encode([["ftrun-a"], {}, {"callbacks": [{"task": "x"}]}])),
    "arguments that are no list": build_message(body=_encode({"run_id": "x"})),
    "pickle": build_message(**{"content-type": "application/x-python-serialize"}),
    "YAML": build_message(**{"content-type": "application/x-yaml"}),
    "no content type": build_message(**{"content-type": ...}),
    "a content type of a list": build_message(**{"content-type": []}),
}

_ODD: dict[str, dict[str, Any]] = {
    "a time to begin": {"eta": "never"},
    "an expiry": {"expires": "yesterday"},
    "time limits": {"timelimit": ["x", {}]},
    "a compression": {"compression": "application/x-bzip2"},
    "retries": {"retries": "many"},
    "a group": {"group": {"x": 1}, "chord": 3},
    "a root": {"root_id": [1], "parent_id": {"a": 1}},
    "an ID that is a list": {"id": [1]},
    "stamps": {"stamped_headers": 7, "stamps": "x"},
    "a shadow": {"shadow": {"a": "b"}},
    "an origin": {"origin": 5, "argsrepr": 7, "kwargsrepr": []},
    "ignored results": {"ignore_result": "perhaps", "replaced_task_nesting": "deep"},
}
STRANGE_HEADERS: dict[str, dict[str, Any]] = {
    name: build_message(headers={**_HEADERS, **headers}) for name, headers in _ODD.items()
}
"""Messages with a task and an ID, whose headers end or confuse a worker that reads them."""


def encode_all() -> list[bytes]:
    """Return every message as an item of the queue."""
    built = [*DAMAGED.values(), *STRANGE_HEADERS.values()]
    return [*RAW_ITEMS.values(), *(json.dumps(one).encode() for one in built)]

"""Attacks by requests whose work is much larger than their bytes."""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from benchmarks.hostile.attack import Attack, Outcome, Scene
from benchmarks.hostile.target import MULTIPART, Response, build_multipart

JOBS = "/v1/fine_tuning/jobs"
JSON = {"content-type": "application/json"}
EMPTY_LISTS = b"[" + b"[]," * 345_000 + b"[]]"
CPU_LIMIT_S = 0.05
FILE_LINE = b"a film that nobody remembers, told with much care and little hurry"
UPLOADS, UPLOAD_BYTES = 50, 10_000_000
PLANS, PREVIEWS = 60, 8
INVALID_UPLOADS = 500
NOT_TABLES = (
    b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40,
    b"",
    b"\0" * 5_000,
    b"PK\x03\x04" + b"\xff" * 3_000,
    b'text,label\n"never closed,a\n' * 50,
    b"\xff\xfe\xfd" * 900,
    b'{"text": "a", "label": 1}\n{"text": ' * 300,
    gzip.compress(b"\0" * 100_000),
)


def build_table(size: int, number: int = 0) -> list[bytes]:
    """Return a table of about ``size`` bytes, in parts that many tables share."""
    pair = b'"%s",good\n"%s",bad\n' % (FILE_LINE, FILE_LINE[::-1])
    return [b"text,label\nfile %d,good\n" % number, pair * (size // len(pair))]


def upload(scene: Scene, content: Sequence[bytes], name: str = "data.csv") -> Response:
    return scene.api.request(
        "POST",
        "/v1/files",
        body=build_multipart(content, name),
        headers={**MULTIPART, **scene.authorization},
    )


def _send_many(send: Callable[[int], Response], count: int) -> list[Response]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(send, range(count)))


def _count(responses: Sequence[Response]) -> Counter[int]:
    return Counter(response.status for response in responses)


def _format(statuses: Counter[int]) -> str:
    return ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))


def send_empty_lists(scene: Scene) -> Outcome:
    """Ten at once to known and unknown paths, with a key and without one."""
    statuses = Counter[int]()
    before, count = scene.api.measure_cpu(), 0
    for path in (JOBS, "/nothing/here", "/v1/files"):
        for headers in (JSON, {**JSON, **scene.authorization}):
            send = partial(scene.api.request, "POST", path, body=[EMPTY_LISTS], headers=headers)
            statuses += _count(_send_many(lambda _, send=send: send(), 10))  # type: ignore[misc]
            count += 10
    seconds = (scene.api.measure_cpu() - before) / count
    return Outcome(
        text=f"{_format(statuses)}; {seconds * 1000:.0f} ms of processor time each",
        met=set(statuses) <= {400, 401, 404, 413} and seconds <= CPU_LIMIT_S,
    )


def send_metadata_filters(scene: Scene) -> Outcome:
    def query(count: int) -> Response:
        params = "&".join(f"metadata[k{number}]=a" for number in range(count))
        return scene.api.request("GET", f"{JOBS}?{params}", headers=scene.authorization)

    found = [query(count).status for count in (16, 17, 1_500)]
    return Outcome(text=f"16, 17, 1,500: {found}", met=found == [200, 400, 400])


def send_uploads(scene: Scene) -> Outcome:
    shared = build_table(UPLOAD_BYTES)[1]
    responses = _send_many(
        lambda number: upload(scene, [build_table(0, number)[0], shared]), UPLOADS
    )
    statuses = _count(responses)
    return Outcome(text=_format(statuses), met=statuses == {200: UPLOADS})


def plan_and_preview(scene: Scene) -> Outcome:
    job = json.dumps({"training_file": scene.file_id, "dry_run": True}).encode()

    def send(number: int) -> Response:
        if number < PLANS:
            headers = {**JSON, **scene.authorization}
            return scene.api.request("POST", JOBS, body=[job], headers=headers)
        path = f"/v1/files/{scene.long_rows_id}/preview?n=100"
        return scene.api.request("GET", path, headers=scene.authorization)

    responses = _send_many(send, PLANS + PREVIEWS)
    plans, previews = _count(responses[:PLANS]), _count(responses[PLANS:])
    refused = [response for response in responses if response.status == 429]
    return Outcome(
        text=f"dry runs {_format(plans)}; previews {_format(previews)}",
        met=set(plans) <= {200, 429}
        and set(previews) <= {200, 400, 429}
        and all(int(response.headers["retry-after"]) >= 1 for response in refused),
    )


def send_bombs(scene: Scene) -> Outcome:
    """Compressed: wide rows of tiny cells, rows of many widths, nested and long JSON records."""
    wide = b"text,label\n" + (b"a," * 250_000 + b"a\n") * 120
    widths = b"text,label\n" + b"".join(b"a," * number + b"a\n" for number in range(9_000))
    nested = (b'{"text": ' + b"[" * 20_000 + b"]" * 20_000 + b', "label": "a"}\n') * 1_000
    lists = (b'{"text": [' + b"[]," * 15_000 + b'[]], "label": "a"}\n') * 1_000
    bombs = {"w.csv.gz": wide, "v.csv.gz": widths, "n.jsonl.gz": nested, "l.jsonl.gz": lists}
    found = Counter[int]()
    sizes: list[int] = []
    for name, content in bombs.items():
        packed = gzip.compress(content, 9)
        sizes.append(len(packed))
        found[upload(scene, [packed], name).status] += 1
    return Outcome(
        text=f"{_format(found)}; of {min(sizes) // 1000} to {max(sizes) // 1000} kB",
        met=set(found) <= {200, 422},
    )


def send_invalid_uploads(scene: Scene) -> Outcome:
    statuses = _count(
        _send_many(
            lambda number: upload(scene, [NOT_TABLES[number % len(NOT_TABLES)]]), INVALID_UPLOADS
        )
    )
    return Outcome(text=_format(statuses), met=set(statuses) <= {400, 415, 422, 429})


ATTACKS = (
    Attack(
        "1 MB of JSON made of 345,000 empty lists: 60 requests, ten at a time, to paths known and "
        "unknown, with a key and without",
        f"refused, ≤ {CPU_LIMIT_S * 1000:.0f} ms of processor time each",
        send_empty_lists,
    ),
    Attack("1,500 metadata filters in a query", "400 from the seventeenth", send_metadata_filters),
    Attack(f"{UPLOADS} uploads of 10 MB at once", "all stored, process ≤ +64 MB", send_uploads, 64),
    Attack(
        f"{PLANS} dry runs of one 7.9 MB file and {PREVIEWS} previews of 100 long rows",
        "200, or 429 with Retry-After",
        plan_and_preview,
    ),
    Attack(
        "gzip bombs: wide lines of tiny cells, nested lists in JSON Lines",
        "422, or rows that are refused with their numbers; in a child process of ≤ 256 MB",
        send_bombs,
        reader_mb=256,
    ),
    Attack(
        f"{INVALID_UPLOADS} invalid uploads at once",
        "415 or 422, or 429 beyond the queue; process ≤ +64 MB",
        send_invalid_uploads,
        64,
    ),
)

"""Eight clients that write at once through the API of a SQLite installation are never refused."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.make import review_csv
from tests.stack import Stack

WRITERS = 8
SHORT_REQUESTS = 320
LONG_REQUESTS = 10_000
JOBS = "/v1/fine_tuning/jobs"
RECIPE = {"max_steps": 40, "train_batch_size": 8, "learning_rate": 0.002, "reinit_layers": 1}


class Writer:
    """A client that uploads, creates, extends, cancels and deletes in turns, and counts answers."""

    def __init__(self, stack: Stack, number: int) -> None:
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{stack.port}", timeout=300)
        self._number = number
        self.statuses: Counter[int] = Counter()

    def write(self, requests: int) -> Counter[int]:
        with self._http:
            for turn in range(requests):  # bounded, were every answer a refusal
                if self.statuses.total() >= requests:
                    break
                self._play_turn(turn)
        return self.statuses

    def _play_turn(self, turn: int) -> None:
        content = review_csv(20 + self._number) + f"extra {turn},good\n".encode()
        files = {"file": ("f.csv", content)}
        uploaded = self._send("POST", "/v1/files", files=files, data={"purpose": "fine-tune"})
        request = {
            "model": "tiny-bert",
            "training_file": uploaded["id"],
            "recipe": RECIPE,
            "runs": {"num_seeds": 2},
        }
        job = f"{JOBS}/{self._send('POST', JOBS, json=request)['id']}"
        self._send("POST", f"{job}/extend", json={"num_seeds": 1})
        self._send("POST", f"{job}/pause")
        self._send("POST", f"{job}/cancel")
        self._send("DELETE", job)
        self._send("DELETE", f"/v1/files/{uploaded['id']}")

    def _send(self, method: str, path: str, **content: object) -> dict[str, str]:
        answer = self._http.request(method, path, **content)  # type: ignore[arg-type]
        self.statuses[answer.status_code] += 1
        return dict(answer.json())


def write_at_once(stack: Stack, requests: int) -> Counter[int]:
    """Return how often each status was answered."""
    each = -(-requests // WRITERS)
    with ThreadPoolExecutor(WRITERS) as pool:
        counts = pool.map(lambda number: Writer(stack, number).write(each), range(WRITERS))
        return sum(counts, Counter())


def expect_no_refusal(statuses: Counter[int], requests: int) -> None:
    assert statuses.total() >= requests
    # a job may have ended or a run be stopping when the next request comes: that is a 400
    assert set(statuses) <= {200, 400}, statuses
    assert statuses[200] > 0.8 * requests, statuses


def test_eight_writers(shared_stack: Stack) -> None:
    expect_no_refusal(write_at_once(shared_stack, SHORT_REQUESTS), SHORT_REQUESTS)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_ten_thousand_requests(shared_stack: Stack) -> None:
    expect_no_refusal(write_at_once(shared_stack, LONG_REQUESTS), LONG_REQUESTS)

"""Time limit and stall detection for running trainings."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.make import review_csv
from tests.servers import RedisServer
from tests.stack import Stack, running_stack

LIMITS = {"EVENKEEL_TIME_LIMIT_SECONDS": "60", "EVENKEEL_STALL_SECONDS": "12"}


@pytest.fixture
def limited(
    tmp_path: Path, redis: RedisServer, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stack]:
    for name, value in LIMITS.items():
        monkeypatch.setenv(name, value)
    with running_stack(
        tmp_path / "home", f"sqlite:///{tmp_path / 'test.db'}", redis, model_dir, slots=1
    ) as stack:
        yield stack


def test_the_time_limit_and_a_hanging_trainer(limited: Stack) -> None:
    file = limited.upload(review_csv(60))
    request = {"model": "tiny-bert", "runs": {"num_seeds": 1}}
    endless = limited.create(
        file["id"],
        recipe={"max_steps": 900_000, "reinit_layers": 1, "learning_rate": 6.4e-4},
        **request,
    )
    ended = limited.wait(endless["id"], 180)
    assert (ended["status"], ended["error"]["code"]) == ("failed", "time_limit"), limited.logs()

    hanging = limited.create(
        file["id"],
        recipe={"max_steps": 400, "reinit_layers": 1, "learning_rate": 6.4e-4},
        **request,
    )
    limited.wait_for_step(hanging["id"], 10)
    for trainer in limited.trainers():
        trainer.suspend()
    ended = limited.wait(hanging["id"], 180)
    assert ended["status"] == "succeeded", limited.logs()
    messages = [
        event["message"]
        for event in limited.get(f"/v1/fine_tuning/jobs/{hanging['id']}/events")["data"]
    ]
    assert any("sent nothing for 12 seconds" in message for message in messages)

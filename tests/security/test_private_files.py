"""Files of parts that run alone, under a umask that lets everybody read and write."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.stack import evenkeel
from tests.make import review_csv
from tests.servers import RedisServer
from tests.stack import Stack


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def _find_open(folder: Path, *, apart_from: tuple[Path, ...] = ()) -> list[str]:
    """Return the files and folders that anyone but the owner may use."""
    found: list[str] = []
    # unlike rglob, walk passes over a folder that is deleted before it is read
    paths = (
        Path(parent, name)
        for parent, folders, files in os.walk(folder)
        for name in [*folders, *files]
    )
    for path in paths:
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:  # a scratch file, deleted meanwhile
            continue
        if path not in apart_from and not stat.S_ISLNK(mode) and mode & 0o077:
            found.append(f"{path.relative_to(folder)} {stat.S_IMODE(mode):o}")
    return found


def test_the_files_of_api_worker_and_sweeper_are_private(
    tmp_path: Path, redis: RedisServer, model_dir: Path
) -> None:
    home = tmp_path / "home"
    url = f"sqlite:///{home}/evenkeel.db"
    home.mkdir(mode=0o755)
    upgraded = evenkeel("db", "upgrade", EVENKEEL_DATABASE_URL=url, EVENKEEL_HOME=str(home))
    assert upgraded.returncode == 0, upgraded.stderr
    stack = Stack(home, url, redis, model_dir, slots=1)
    logs = tuple(
        home / f"{part}.log" for part in ("api", "worker", "worker.maintenance.sweeper")
    )  # made by this test
    try:
        stack.start()
        file = stack.upload(review_csv(40))
        job = stack.create(
            file["id"],
            model="tiny-bert",
            recipe={"max_steps": 20, "learning_rate": 0.002, "reinit_layers": 1},
            runs={"num_seeds": 1},
            webhook={"url": "http://127.0.0.1:9/x", "secret": "a secret of sixteen"},
        )
        seen: set[str] = set()
        while stack.job(job["id"])["status"] in {"queued", "running"}:
            seen.update(_find_open(home, apart_from=logs))
        assert stack.job(job["id"])["status"] == "succeeded", stack.logs()
        assert seen | set(_find_open(home, apart_from=logs)) == set()
        names = {path.name for path in home.rglob("*")}
        assert {"evenkeel.db", "secret.key", "storage", "cache"} <= names
    finally:
        stack.close()


@pytest.mark.parametrize("command", [("db", "upgrade"), ("keys", "create", "web")])
def test_a_new_database_is_private(tmp_path: Path, command: tuple[str, ...]) -> None:
    path = tmp_path / "evenkeel.db"
    done = evenkeel(*command, EVENKEEL_DATABASE_URL=f"sqlite:///{path}")
    assert done.returncode == 0, done.stderr
    assert _find_open(tmp_path) == []
    assert path.exists()

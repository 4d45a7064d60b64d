"""Every example of README.md and of docs/ does what it says, on a real service with a real
worker.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.encoders.catalogue import OFFLINE_ENCODER
from tests.cli.stack import environment
from tests.docs.blocks import blocks_of, pages
from tests.docs.reader import Reader
from tests.docs.shell import shell
from tests.encoders import build_bert_folder
from tests.make import review_csv
from tests.servers import find_free_port, redis_server
from tests.stack import Stack, running_stack

ROOT = Path(__file__).parents[2]
EXAMPLES = {
    page.relative_to(ROOT).as_posix(): blocks_of(page.read_text(), page.name)
    for page in pages(ROOT)
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """With a tiny encoder under the name of the one that the pages use."""
    models, home = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("stack")
    _quick_learner(models / OFFLINE_ENCODER)
    with (
        redis_server() as server,
        running_stack(home, f"sqlite:///{home / 'test.db'}", server, models) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages call ``evenkeel`` and ``python3``."""
    folder = tmp_path_factory.mktemp("bin")
    for name, module in {"evenkeel": "-m cli", "python3": ""}.items():
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def _quick_learner(folder: Path) -> None:
    """A tiny encoder whose new layers are drawn widely, so that the pages' sixty steps teach it
    something.
    """
    config = build_bert_folder(folder, dropout=0.0) / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"initializer_range": 0.2}))


@pytest.mark.parametrize("page", [page for page, blocks in EXAMPLES.items() if blocks])
def test_the_examples_of_a_page(page: str, service: Stack, tools: Path, tmp_path: Path) -> None:
    if not any("evenkeel sample" in block.text for block in EXAMPLES[page]):
        (tmp_path / "reviews.csv").write_bytes(review_csv(200))
    path = os.pathsep.join([str(tools), os.environ["PATH"]])
    settings = environment(PATH=path, EVENKEEL_URL=str(service.http.base_url))
    with shell(tmp_path, settings) as opened:
        reader = Reader(tmp_path, opened, {"8000": service.port, "9000": find_free_port()})
        for block in EXAMPLES[page]:
            reader.follow(block)

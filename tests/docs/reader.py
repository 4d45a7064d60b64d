"""Somebody who reads a page from top to bottom and does what its examples say."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.docs.answers import difference
from tests.docs.blocks import RUN, Block
from tests.docs.shell import Shell, Step, steps_of


@dataclass(frozen=True)
class Reader:
    folder: Path
    shell: Shell
    ports: Mapping[str, int]
    """What is to stand for each port that the pages name."""

    def follow(self, block: Block) -> None:
        """Raises AssertionError where the example does not do what its page says."""
        if block.not_run is not None:
            return
        assert block.language in RUN, (
            f"{block.place}: a block is console or python, or says why it is not run"
        )
        if block.saved_as is not None:
            (self.folder / block.saved_as).write_text(self._here(block.text))
        elif block.language == "python":
            (self.folder / "example.py").write_text(self._here(block.text))
            self._do(Step("python3 example.py", "", 0), block)
        else:
            for step in steps_of(block.text):
                self._do(step, block)

    def _do(self, step: Step, block: Block) -> None:
        outcome = self.shell.run(self._here(step.command))
        told = f"{block.page}:{block.line + step.line}: {step.command}\n{outcome.said}"
        assert outcome.code == 0, f"{told}\nended with {outcome.code}"
        if step.shown:
            found = difference(step.shown, outcome.said)
            assert found is None, f"{told}\n{found}"
        else:
            assert not _is_refusal(outcome.said), told

    def _here(self, text: str) -> str:
        for named, port in self.ports.items():
            text = re.sub(rf"\b{named}\b", str(port), text)
        return text


def _is_refusal(said: str) -> bool:
    try:
        answer: Any = json.loads(said)
    except ValueError:
        return False
    return isinstance(answer, dict) and answer.keys() == {"error"}

"""The assertion that all tests of unfit model folders share."""

import re
from pathlib import Path

import pytest

from shared.domain.errors import ModelNotAllowed
from shared.encoders.validation import check_model_folder


def assert_refused(folder: Path, reason: str) -> str:
    """Check that a folder is refused for a reason, with a cure, in words; return the message."""
    with pytest.raises(ModelNotAllowed) as refused:
        check_model_folder(folder)
    message = refused.value.message
    assert refused.value.param == "model"
    assert message.startswith(f"{folder.name} ")
    assert re.search(reason, message), message
    assert str(folder.parent) not in message
    sentences = re.split(r"(?<=\.) (?=[A-Z])", message)
    assert len(sentences) == 2, message  # the problem and the cure
    assert message.endswith(".")
    assert len(message) < 500
    return message

"""docs/data.md names every code that a row's problem or a warning may have."""

import re
from pathlib import Path

import shared.datasets

ROOT = Path(__file__).parents[3]
FOLDER = Path(shared.datasets.__file__).parent
SPELT = re.compile(
    r"""code="(\w+)"|Unfit\([^"]*"(\w+)"|_unfit\("(\w+)"|LabelProblem\("(\w+)"|"code": "(\w+)"|return column, "(\w+)"|None, "(\w+)", f?\""""
)


def test_every_code_is_explained() -> None:
    sources = "\n".join(path.read_text() for path in FOLDER.glob("*.py"))
    spelt = {code for found in SPELT.findall(sources) for code in found if code}
    assert {
        "imbalanced",
        "nested_value",
        "chat_not_text",
        "empty_label",
        "wrong_width",
        "empty_text",
    } <= spelt
    explained = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "data.md").read_text()))
    assert spelt - explained == set()

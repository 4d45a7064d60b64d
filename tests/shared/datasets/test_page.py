"""docs/data.md names every code that a row's problem or a warning may have."""

import re
from pathlib import Path

import shared.datasets
import shared.parquet_child

ROOT = Path(__file__).parents[3]
FOLDERS = [
    Path(package.__file__ or "").parent for package in (shared.datasets, shared.parquet_child)
]
CODE = r'"(\w+)"'
SPELT = re.compile(
    "|".join(
        [
            rf"code ?= ?{CODE}",
            rf"CellProblem\(\s*{CODE}",
            rf"_make_cell_error\(\s*{CODE}",
            rf'CellError\([^"]*{CODE}',
            rf"LabelProblem\(\s*{CODE}",
            rf'"code": {CODE}',
            rf"return column, {CODE}",
            rf'None,\s*{CODE},\s*f?"',
        ]
    )
)


def test_every_code_is_explained() -> None:
    sources = "\n".join(path.read_text() for folder in FOLDERS for path in folder.rglob("*.py"))
    spelt = {code for found in SPELT.findall(sources) for code in found if code}
    assert {
        "imbalanced",
        "nested_value",
        "unsupported_type",
        "field_too_large",
        "unused_columns_ignored",
        "unused_text_columns",
        "chat_not_text",
        "empty_label",
        "wrong_width",
        "empty_text",
    } <= spelt
    explained = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "data.md").read_text()))
    assert spelt - explained == set()

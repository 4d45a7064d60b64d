"""Result files that people open: no cell is computed, and a card renders no markup of labels."""

import csv
import html
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from shared.domain.csv_cells import disarm_formula
from worker.jobs.markdown import escape_markdown, format_code, format_yaml

HOSTILE = [
    "**bold** _it_ __x__ `code` ~~gone~~",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](https://evil.test) ![](https://evil.test/p.png)",
    "https://evil.test www.evil.test me@evil.test",
    "a | b || c",
    "a\n\n# heading\n- item\n\n---\nbase_model: other",
    "``` x ```` y",
    "&lt;b&gt; &amp; \\| \\",
    "$x^2$ {{ job }} {% raw %}",
    "  blanks  ",
    "f1_macro",
    "`",
]


FORMULAS = [
    *("=1+1", "+1+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "=cmd|'/c calc'!A1"),
    *("\t=1", "\r=1", "\n=1", "  =1", "\0=1", "\uff1d1+1"),
    *("-", "--1", "+", "-a", "-1e"),
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text(text: str) -> None:
    assert disarm_formula(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["-1", "+2.5", "-.5", "-1e-5", "+3E+7", "1", "pos", "a=b", "", "not-entailment", "'=1"]
)
def test_numbers_and_other_texts_stay(text: str) -> None:
    assert disarm_formula(text) == text


def test_a_csv_cell_keeps_its_apostrophe_and_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as target:
        csv.writer(target).writerow([disarm_formula('=HYPERLINK("https://evil.test")'), -0.5])
    with path.open(newline="") as source:
        assert next(csv.reader(source)) == ['\'=HYPERLINK("https://evil.test")', "-0.5"]


@pytest.mark.parametrize("text", HOSTILE)
def test_escaped_markdown_renders_as_the_text(text: str) -> None:
    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    line = " ".join(text.splitlines())
    [_, inline, _] = markdown.parse(f"x {escape_markdown(text)} x")
    assert {token.type for token in inline.children or []} <= {"text", "text_special"}
    assert "".join(token.content for token in inline.children or []) == f"x {line} x"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_code_span_in_a_table_is_one_cell_with_the_text(text: str) -> None:
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    rendered = markdown.render(f"| label | n |\n|---|---|\n| {format_code(text)} | 12 |\n")
    line = " ".join(text.splitlines())
    assert rendered.count("<td>") == 2
    assert "<td>12</td>" in rendered
    cell = rendered.partition("<td><code>")[2].partition("</code></td>")[0]
    assert html.unescape(cell).strip() == line.strip()


@pytest.mark.parametrize(
    "text",
    [
        *(*HOSTILE, "null", "true", "1.0", "a: b", "- a", "# x", "", "tiny-bert", "acme/x.y"),
        *("müde \U0001f600", "a\x85b\u2028c", "\ufffe"),
    ],
)
def test_a_yaml_value_is_the_text(text: str) -> None:
    assert yaml.safe_load(f"base_model: {format_yaml(text)}\ntags: []\n") == {
        "base_model": text,
        "tags": [],
    }


def test_plain_names_stay_as_they_are() -> None:
    assert format_yaml("all-MiniLM-L6-v2") == "all-MiniLM-L6-v2"
    assert escape_markdown("ft:all-MiniLM-L6-v2:local::0a") == "ft:all-MiniLM-L6-v2:local::0a"

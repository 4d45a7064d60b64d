"""The reader of the pages notices what it is there to notice."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.answers import difference
from tests.docs.blocks import Block, blocks_of
from tests.docs.reader import Reader
from tests.docs.shell import shell, steps_of


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with shell(tmp_path, dict(os.environ)) as opened:
        yield Reader(tmp_path, opened, {"8000": 1234})


def block(text: str, language: str = "console", **said: str) -> Block:
    return Block("page.md", 1, language, text, **said)


@pytest.mark.parametrize(
    ("shown", "came"),
    [
        ('{"id": "job-…", "n": 1, …}', '{"id": "job-17", "n": 2, "more": null}'),
        ('{"a": [1, …], …, "b": …}', '{"a": [2, 3], "b": {}, "c": 1}'),
        ('{"text": "One sentence."}', '{"text": "Quite another one."}'),
        ('{"status": "queued"}', '{"status": "running"}'),
        ('{"verdict": {"code": "stable"}}', '{"verdict": {"code": "unstable"}}'),
        ("seed …: ended, 0.91\n…\nlast", "seed 0: ended, 0.5\na\nb\nlast"),
    ],
)
def test_what_agrees(shown: str, came: str) -> None:
    assert difference(shown, came) is None


@pytest.mark.parametrize(
    ("shown", "came", "said"),
    [
        ('{"a": 1}', '{"a": 1, "b": 2}', "the answer has also b"),
        ('{"a": 1, "b": 2, …}', '{"a": 1}', "the answer has no b"),
        ('{"a": null}', '{"a": 1}', "the answer.a is a number, not null"),
        ('{"a": [{"b": "x"}]}', '{"a": [{"b": "y"}]}', "the answer.a[0].b is 'y', not 'x'"),
        ('{"a": [1]}', '{"a": [1, 2]}', "the answer.a has 2 elements, not 1"),
        ('{"verdict": {"code": "a"}}', '{"verdict": {}}', "the answer.verdict has no code"),
        ("{}", "no", "no JSON came"),
        ("one\ntwo", "one", "other lines came"),
        ("5 of 5 ended", "5 of 5 failed", "other lines came"),
    ],
)
def test_what_does_not(shown: str, came: str, said: str) -> None:
    assert difference(shown, came) == said


def test_commands_over_several_lines_and_their_answers() -> None:
    steps = steps_of("$ A=1\n$ cat <<END\n$A {\nEND\n1 {\n$ echo 'a\nb' \\\n  c\na\nb c")
    assert [step.command for step in steps] == [
        "A=1",
        "cat <<END\n$A {\nEND",
        "echo 'a\nb' \\\n  c",
    ]
    assert [step.shown for step in steps] == ["", "1 {", "a\nb c"]


def test_a_page_is_followed_in_one_shell_and_one_folder(reader: Reader) -> None:
    reader.follow(block("print('at 8000')", "python", saved_as="here.py"))
    reader.follow(block("$ NAME=here\n$ python3 $NAME.py\nat 7"))
    assert (reader.folder / "here.py").read_text() == "print('at 1234')"


@pytest.mark.parametrize(
    "wrong",
    [
        block("$ false"),
        block("$ echo a\nb"),
        block("raise SystemExit(1)", "python"),
        block("$ echo '{\"error\": {}}'"),
        block("text", ""),
        block("{}", "json"),
    ],
)
def test_an_example_that_does_not_do_what_it_says_is_noticed(reader: Reader, wrong: Block) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:1"):
        reader.follow(wrong)
    reader.follow(block(wrong.text, wrong.language, not_run="a reason"))


def test_what_a_page_says_of_its_blocks() -> None:
    page = (
        "<!-- not run: why -->\n\n```console\n$ a\n```\n\n```python\nb\n```\n\n<!-- "
        "saved as c.py -->\n```python\nc\n```"
    )
    assert [(b.line, b.text, b.not_run, b.saved_as) for b in blocks_of(page, "page.md")] == [
        (4, "$ a", "why", None),
        (8, "b", None, None),
        (13, "c", None, "c.py"),
    ]
    with pytest.raises(ValueError, match=r"page\.md:1: the block is not closed"):
        blocks_of("```console\n$ a", "page.md")

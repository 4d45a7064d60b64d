"""Labels that look the same, hide characters, or stand for a missing label."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.datasets import build_validation
from shared.datasets.profile.label_collisions import find_label_collisions
from shared.datasets.readers.cells import format_name
from shared.datasets.readers.invisible import INVISIBLE_PATTERN, normalize_appearance
from shared.domain.errors import InvalidValue
from tests.shared.datasets.files import csv_bytes, jsonl_bytes, read
from tests.shared.datasets.profiles import warnings
from tests.shared.datasets.tasks import labelled, resolve

HIDDEN = [
    "\u200b",
    "\u200d",
    "\u200e",
    "\u200f",
    "\u202a",
    "\u2060",
    "\u00ad",
    "\ufe0f",
    "\ufeff",
    "\u061c",
    "\u034f",
    "\u180e",
    "\U000e0041",
    "\x7f",
]


@pytest.mark.parametrize("hidden", HIDDEN)
def test_a_hidden_character_makes_a_collision_and_is_shown(hidden: str, tmp_path: Path) -> None:
    for other in (f"pos{hidden}", f"p{hidden}os", f"{hidden}pos"):
        table = labelled(tmp_path, "pos", "neg", other, "pos", "neg", other)
        found = {warning.code: warning for warning in build_validation(table).warnings}
        shown = other.replace(hidden, f"<U+{ord(hidden):04X}>")
        assert found["label_blank_collision"].count == 2
        assert shown in found["label_blank_collision"].message
        assert hidden not in "".join(warning.message for warning in found.values())
        assert sorted(resolve(table).label_names) == sorted(["neg", "pos", other])


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        (["\u2764", "\u2764\ufe0f", "x"], "label_blank_collision"),
        (["caf\u00e9", "cafe\u0301", "x"], "label_blank_collision"),
        (["very good", "very\u00a0good", "x"], "label_blank_collision"),
        (["very good", "very  good", "x"], "label_blank_collision"),
        (["pos", "\uff50\uff4f\uff53", "x"], "label_blank_collision"),
        (["Pos", "pos", "x"], "label_case_collision"),
        (["1", "1.0", "2"], "label_number_collision"),
        (["0", "0.0", "-0"], "label_number_collision"),
        (["1", "01", "x"], "label_number_collision"),
        (["-1", "\u22121", "0"], "label_number_collision"),
        (["1.5", "1,5", "x"], "label_number_collision"),
    ],
)
def test_one_rule_of_looks(labels: list[str], code: str, tmp_path: Path) -> None:
    findings = {finding.code: finding for finding in find_label_collisions(labels)}
    assert list(findings) == [code]
    assert findings[code].count == (3 if "-0" in labels else 2)
    listed = findings[code].message.partition(": ")[2].removesuffix(".").split(", ")
    assert len({normalize_appearance(name) for name in listed}) >= 1
    assert len(set(listed)) == len(listed)


def test_the_code_points_of_different_forms_are_shown() -> None:
    (finding,) = find_label_collisions(["caf\u00e9", "cafe\u0301"])
    assert "cafe<U+0301>, caf<U+00E9>" in finding.message


@pytest.mark.parametrize("labels", [["a", "b"], ["1", "10"], ["1.5", "15"], ["a b", "a c"]])
def test_different_labels_do_not_collide(labels: list[str]) -> None:
    assert find_label_collisions(labels) == []


def test_a_byte_order_mark_inside_is_named_with_its_line(tmp_path: Path) -> None:
    rows = [["label", "text"], ["neg", "a"], ["pos", "b"], ["\ufeffneg", "c"], ["pos", "d"]]
    table = read(tmp_path, csv_bytes([*rows, ["neg", "e"]]))
    found = {warning.code: warning.message for warning in build_validation(table).warnings}
    assert found["label_hidden_characters"].endswith("<U+FEFF>neg (line 4).")
    with pytest.raises(InvalidValue, match="have one: <U\\+FEFF>neg"):
        resolve(table)


def test_joiners_that_words_and_emoji_need_are_no_hidden_characters(tmp_path: Path) -> None:
    for label in ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\U0001f469\u200d\U0001f52c"):
        table = labelled(tmp_path, label, "x", label, "x")
        assert "label_hidden_characters" not in warnings(build_validation(table))


def test_hidden_characters_in_lists_and_rows_of_parquet_are_found(tmp_path: Path) -> None:
    rows = [{"text": "a", "labels": ["x\u200b", "y"]}, {"text": "b", "labels": ["y"]}]
    found = build_validation(read(tmp_path, jsonl_bytes(rows), "x.jsonl")).warnings
    message = next(w.message for w in found if w.code == "label_hidden_characters")
    assert "x<U+200B> (line 1)" in message


def test_messages_show_invisible_names() -> None:
    assert format_name("pos\u200b") == "pos<U+200B>"
    assert format_name("\ufeff") == "<U+FEFF>"
    assert format_name("\u2764\ufe0f") == "\u2764<U+FE0F>"
    assert format_name("caf\u00e9 \u4e2d\u6587") == "caf\u00e9 \u4e2d\u6587"


def test_a_column_is_named_in_the_profile_as_the_task_must_name_it(tmp_path: Path) -> None:
    table = read(tmp_path, csv_bytes([["text\u200b", "label"], ["a", "x"], ["b", "y"]]))
    assert build_validation(table).columns[0].name == "text\u200b"


@pytest.mark.parametrize(
    "word", ["nan", "NaN", "N/A", "NA", "null", "NULL", "None", "-", "<NA>", "#N/A", "?"]
)
def test_a_word_for_nothing_is_a_label_with_a_warning(word: str, tmp_path: Path) -> None:
    table = labelled(tmp_path, word, "pos", "neg", word, "pos", "neg", word)
    validation = build_validation(table)
    assert validation.valid
    assert warnings(validation)["label_looks_missing"] == 3
    assert word in resolve(table).label_names


def test_each_word_has_its_own_warning(tmp_path: Path) -> None:
    table = labelled(tmp_path, "nan", "None", "None", "a", "b")
    counts = [
        (warning.message.split()[2], warning.count)
        for warning in build_validation(table).warnings
        if warning.code == "label_looks_missing"
    ]
    assert counts == [("None", 2), ("nan", 1)]


@pytest.mark.parametrize(
    ("labels", "count"),
    [
        (["-1", "0", "1", "-1"], 2),
        (["-1", "0", "1", "2"], 1),
        (["-1", "1"], 0),
        (["-2", "-1", "0", "1", "2"], 0),
        (["-1", "a", "b"], 0),
    ],
)
def test_minus_one_beside_class_numbers(labels: list[str], count: int, tmp_path: Path) -> None:
    found = warnings(build_validation(labelled(tmp_path, *labels)))
    assert found.get("label_looks_missing", 0) == count


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(names, st.sampled_from(HIDDEN), st.integers(0, 8))
def test_a_hidden_character_anywhere_looks_the_same(name: str, hidden: str, place: int) -> None:
    other = name[:place] + hidden + name[place:]
    assert normalize_appearance(other) == normalize_appearance(name)
    assert INVISIBLE_PATTERN.search(format_name(other)) is None


@given(st.lists(names))
def test_looks_do_not_depend_on_case_and_are_settled(labels: list[str]) -> None:
    for label in labels:
        look = normalize_appearance(label)
        assert normalize_appearance(look) == look
    find_label_collisions(label.strip() for label in labels)


@given(st.integers(0, 10**6), st.integers(1, 3))
def test_a_whole_number_collides_with_its_other_forms(number: int, zeros: int) -> None:
    for other in (f"{number}.{'0' * zeros}", f"{'0' * zeros}{number}", f"+{number}"):
        assert [f.code for f in find_label_collisions([str(number), other])] == [
            "label_number_collision"
        ]
    assert find_label_collisions([str(number), str(number + 1)]) == []

"""The data sets of the benchmark of defaults: sizes, classes, and what must not leak."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.data_sets import library_rows
from benchmarks.data_sets.catalogue import DATA_SETS
from benchmarks.data_sets.rows import (
    DataSet,
    NotEnoughRows,
    Row,
    RowPools,
    choose_rows,
    divide_rows,
    prepare_data,
    read_rows,
)
from benchmarks.data_sets.source_code import iterate_messages, iterate_objects
from shared.domain.task import TaskType
from shared.metrics import choose_default_metric


def make_rows(count: int, share: float = 0.7) -> list[Row]:
    return [Row(f"text {i}", None, "a" if i < count * share else "b") for i in range(count)]


def test_a_smaller_size_is_part_of_a_larger_one_with_the_same_shares_of_classes() -> None:
    rows = make_rows(200)
    small, large = choose_rows(rows, 30), choose_rows(rows, 90)
    assert set(small) < set(large)
    for chosen in (small, large):
        assert Counter(row.label for row in chosen)["a"] == pytest.approx(0.7 * len(chosen))
    assert [row.label for row in large] != sorted(row.label for row in large)
    assert choose_rows(rows[::-1], 30) == small  # the order of the source does not matter


def test_quotas_add_up_although_no_share_is_whole() -> None:
    rows = [Row(f"text {i}", None, str(i % 7)) for i in range(100)]
    counts = Counter(row.label for row in choose_rows(rows, 40))
    assert sum(counts.values()) == 40
    assert set(counts.values()) == {5, 6}


def test_test_rows_are_held_out() -> None:
    pools = divide_rows(make_rows(100), 40)
    assert (len(pools.train), len(pools.test)) == (60, 40)
    assert set(pools.train).isdisjoint(pools.test)


def test_files_are_written_once_and_read_back(tmp_path: Path) -> None:
    pairs = [Row(f'"a", {i}', f"line\nbreak {i}", str(i)) for i in range(6)]
    loads: list[int] = []

    def load_pools() -> RowPools:
        loads.append(1)
        return RowPools(pairs[:4], pairs[4:])

    made = DataSet("made", "…", "pearson", load_pools, is_regression=True, is_pair=True)
    for _ in range(2):
        data = prepare_data(made, 3, tmp_path)
    assert loads == [1]
    assert read_rows(data.test) == pairs[4:]
    assert set(read_rows(data.train)) < set(pairs[:4])
    with pytest.raises(NotEnoughRows, match="4 training rows"):
        prepare_data(made, 5, tmp_path)


def write_glue(folder: Path, task: str, header: str, lines: dict[str, list[str]]) -> None:
    (folder / task).mkdir()
    for name, body in lines.items():
        text = "\n".join([*([header] if header else []), *body])
        (folder / task / f"{name}.tsv").write_text(text, encoding="utf-8")


@pytest.fixture
def glue_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVENKEEL_GLUE_DIR", str(tmp_path))
    return tmp_path


def test_cola_keeps_quotes_and_is_halved_within_each_class(glue_folder: Path) -> None:
    train = ['x\t1\t\tHe said "no.', "x\t0\t*\tGoed he.", "x\t1\t\tDev sentence 3."]
    dev = [f"x\t{int(i < 6)}\t\tDev sentence {i}." for i in range(10)]
    write_glue(glue_folder, "CoLA", "", {"train": train, "dev": dev})
    pools = DATA_SETS["CoLA"].load_pools()
    # a sentence of the dev file is no training row
    assert set(pools.train) == {
        Row('He said "no.', None, "acceptable"),
        Row("Goed he.", None, "unacceptable"),
    }
    assert Counter(row.label for row in pools.test) == {"acceptable": 3, "unacceptable": 2}


def test_paraphrases_are_the_rows_of_one_source_by_their_score(glue_folder: Path) -> None:
    def line(source: str, number: int, score: float) -> str:
        return f"{number}\tnews\t{source}\ty\to\ta\tb\tfirst {number}\tsecond {number}\t{score}"

    train = [line("MSRpar", 1, 3.0), line("MSRpar", 2, 2.9), line("images", 3, 5.0)]
    dev = [line("MSRpar", 4, 4.5), line("headlines", 5, 1.0)]
    write_glue(glue_folder, "STS-B", "h\t" * 9 + "h", {"train": train, "dev": dev})
    pools = DATA_SETS["paraphrase"].load_pools()
    assert [(row.text, row.label) for row in pools.train] == [
        ("first 1", "paraphrase"),
        ("first 2", "different"),
    ]
    assert [row.label for row in pools.test] == ["paraphrase"]
    similar = DATA_SETS["STS-B"].load_pools()
    assert {row.label for row in similar.train} == {"3.0", "2.9", "5.0"}


SOURCE = '''
"""A module."""
class Box:
    """A box with a lid.

    It has more to say.
    """
    def put(self, thing, *, gently=True):
        """Put a thing into the box."""
        if thing is None:
            raise ValueError(f"the thing {thing!r} must not be " "None")
        raise TypeError("a %s is too large" % thing)
    def silent(self): ...
def fail():
    raise KeyError
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "made_up_package"
    (folder / "tests").mkdir(parents=True)
    (folder / "__init__.py").write_text(SOURCE)
    (folder / "broken.py").write_text("def (")
    (folder / "tests" / "test_it.py").write_text('def test():\n    """Never read."""')
    monkeypatch.syspath_prepend(tmp_path)
    return folder.name


def test_source_is_read_without_being_run(package: str) -> None:
    found = {one.signature: one for one in iterate_objects(package)}
    assert set(found) == {"Box", "put(thing, gently)"}
    assert found["Box"].docstring.startswith("A box with a lid.\n\n")
    assert [found["Box"].is_function, found["put(thing, gently)"].is_function] == [False, True]
    assert set(iterate_messages(package)) == {
        ("ValueError", "the thing {} must not be None"),
        ("TypeError", "a %s is too large"),
    }
    assert package not in sys.modules


def test_a_missing_package_is_named() -> None:
    with pytest.raises(SystemExit, match="no_such_package"):
        list(iterate_objects("no_such_package"))


def test_signatures_are_paired_half_with_their_own_sentence_and_no_sentence_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(library_rows, "PAIR_PACKAGES", ("email", "http", "logging"))
    monkeypatch.setattr(library_rows, "TEST_ROWS", 20)
    pools = DATA_SETS["signatures"].load_pools()
    rows = [*pools.train, *pools.test]
    assert len(rows) > 50
    counts = Counter(row.label for row in rows)
    assert 0.3 < counts["match"] / len(rows) < 0.7
    sentences = Counter(row.pair for row in rows)
    assert sum(times > 1 for times in sentences.values()) < 0.1 * len(rows)  # equal docstrings


def test_texts_do_not_name_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_rows, "AREA_PACKAGES", ("json", "email", "logging"))
    monkeypatch.setattr(library_rows, "ROWS_PER_CLASS", 12)
    monkeypatch.setattr(library_rows, "TEST_ROWS", 6)
    pools = DATA_SETS["packages"].load_pools()
    rows = [*pools.train, *pools.test]
    assert {row.label for row in rows} == {"json", "email", "logging"}
    assert all(row.label not in row.text.lower() for row in rows)
    assert max(Counter(row.label for row in rows).values()) == 12


def test_the_demo_rows_have_the_metric_that_the_service_chooses(tmp_path: Path) -> None:
    data_set = DATA_SETS["docstrings"]
    data = prepare_data(data_set, max(data_set.sizes), tmp_path)
    rows = read_rows(data.train)
    assert len(rows) == max(data_set.sizes)
    assert {row.text for row in rows}.isdisjoint(row.text for row in read_rows(data.test))
    counts = Counter(row.label for row in rows)
    assert choose_default_metric(TaskType.SINGLE_LABEL, counts) == data_set.metric

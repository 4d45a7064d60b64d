"""One rule for API and worker: every row in one part, groups whole, folds that partition,
halves within each label.
"""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.datasets import FileSplit, InputFile, get_group_column, list_folds, split_files
from shared.datasets.split.grouping import split_groups
from shared.datasets.split.strata import assign_strata
from shared.datasets.split.stratified_split import split_by_strata
from shared.domain.errors import InvalidValue
from shared.domain.task import Label, SplitRequest, TaskType

SINGLE, MULTI, NUMBERS = TaskType.SINGLE_LABEL, TaskType.MULTI_LABEL, TaskType.REGRESSION


@dataclass
class File:
    labels: list[Label]
    groups: list[str] | None = None


def split(
    labels: list[Any], kind: TaskType = SINGLE, fold: int | None = None, **request: Any
) -> FileSplit:
    return split_files({InputFile.TRAINING: File(labels)}, kind, SplitRequest(**request), fold)


def rows_of(found: FileSplit) -> list[int]:
    parts = [found.train, found.validation, *([found.test] if found.test else [])]
    return [row for part in parts for row in part.rows]


single = st.lists(st.integers(0, 4), min_size=10, max_size=80)
multi = st.lists(
    st.sets(st.integers(0, 3)).map(lambda found: tuple(sorted(found))), min_size=10, max_size=80
)
numbers = st.lists(st.floats(-5, 5), min_size=10, max_size=80)
any_task = st.one_of(
    st.tuples(st.just(SINGLE), single),
    st.tuples(st.just(MULTI), multi),
    st.tuples(st.just(NUMBERS), numbers),
)


@settings(deadline=None)
@given(data=any_task, seed=st.integers(0, 9), test=st.sampled_from([0.0, 0.1, 0.3]))
def test_every_row_is_in_one_part_whatever_the_task(
    data: tuple[TaskType, list[Any]], seed: int, test: float
) -> None:
    kind, labels = data
    request = SplitRequest(test_fraction=test, seed=seed)
    found = split_files({InputFile.TRAINING: File(labels)}, kind, request)
    assert sorted(rows_of(found)) == list(range(len(labels)))
    assert found == split_files({InputFile.TRAINING: File(list(labels))}, kind, request)


@settings(deadline=None)
@given(data=any_task, k=st.integers(2, 7), test=st.sampled_from([0.0, 0.2]))
def test_folds_partition_what_is_not_the_test(
    data: tuple[TaskType, list[Any]], k: int, test: float
) -> None:
    kind, labels = data
    request = SplitRequest(mode="kfold", k=k, test_fraction=test)
    try:
        folds = [
            split_files({InputFile.TRAINING: File(labels)}, kind, request, fold)
            for fold in list_folds(request)
        ]
    except InvalidValue:  # each label gives a row to the test, which may leave fewer than k
        assert len(labels) < 4 * k
        return
    assert len(folds) == k
    for found in folds:
        assert sorted(rows_of(found)) == list(range(len(labels)))
        assert found.test == folds[0].test
    held_out = [row for found in folds for row in found.validation.rows]
    assert len(held_out) == len(set(held_out))
    assert set(held_out) == set(range(len(labels))) - set(
        folds[0].test.rows if folds[0].test else ()
    )
    sizes = [len(found.validation.rows) for found in folds]
    assert max(sizes) - min(sizes) <= 1


def test_folds_hold_each_label_in_proportion() -> None:
    labels = [0] * 50 + [1] * 23 + [2] * 7
    for fold in range(5):
        found = Counter(
            labels[row] for row in split(labels, fold=fold, mode="kfold").validation.rows
        )
        assert [found[label] for label in range(3)] in (
            [10, 5, 1],
            [10, 4, 2],
            [10, 5, 2],
            [10, 4, 1],
        )


@settings(deadline=None)
@given(
    labels=single,
    names=st.integers(3, 30),
    seed=st.integers(0, 5),
    request_=st.sampled_from(
        [{}, {"test_fraction": 0.2}, {"mode": "kfold", "k": 3}, {"halve_validation": True}]
    ),
)
def test_groups_are_never_parted(
    labels: list[Any], names: int, seed: int, request_: dict[str, Any]
) -> None:
    groups = [f"g{(row * row + seed) % names}" for row in range(len(labels))]
    request = SplitRequest(group_by="who", seed=seed, **request_)
    for fold in list_folds(request):
        try:
            found = split_files({InputFile.TRAINING: File(labels, groups)}, SINGLE, request, fold)
        except InvalidValue:
            assert len(set(groups)) <= 12, "more are enough for any parts"
            return
        parts = [found.train, found.validation, *([found.test] if found.test else [])]
        assert sorted(rows_of(found)) == list(range(len(labels)))
        assert all(len(part.rows) > 0 for part in parts)
        seen = [{groups[row] for row in part.rows} for part in parts]
        assert sum(map(len, seen)) == len(set(groups))


def test_groups_are_shared_out_near_to_the_asked_shares() -> None:
    groups = [f"author {row % 100}" for row in range(1000)]
    labels: list[Label] = [
        int(row % 100 < 30) for row in range(1000)
    ]  # an author's rows have one label
    request = SplitRequest(group_by=0, test_fraction=0.1)
    found = split_files({InputFile.TRAINING: File(labels, groups)}, SINGLE, request)
    assert found.test is not None
    assert [len(part.rows) for part in (found.train, found.validation, found.test)] == [
        700,
        200,
        100,
    ]
    assert sum(labels[row] == 1 for row in found.validation.rows) == 60
    assert found != split_files(
        {InputFile.TRAINING: File(labels, groups)},
        SINGLE,
        SplitRequest(group_by=0, test_fraction=0.1, seed=1),
    )


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(InvalidValue, match="2 groups, too few for 3") as refusal:
        split_groups([0] * 4, ["a", "a", "b", "b"], range(4), [Fraction(1, 3)] * 3, 0)
    assert refusal.value.param == "split.group_by"


@pytest.mark.parametrize("given_file", [True, False])
def test_the_papers_protocol_halves_the_validation_rows_within_each_label(given_file: bool) -> None:
    train: list[Label] = [int(row >= 60) for row in range(100)]
    dev: list[Label] = [int(row >= 31) for row in range(51)]
    files = {
        InputFile.TRAINING: File(train),
        **({InputFile.VALIDATION: File(dev)} if given_file else {}),
    }
    found = split_files(files, SINGLE, SplitRequest(halve_validation=True))
    source = InputFile.VALIDATION if given_file else InputFile.TRAINING
    assert found.test is not None
    assert (found.validation.source, found.test.source) == (source, source)
    labels = dev if given_file else train
    counts = [Counter(labels[row] for row in part.rows) for part in (found.validation, found.test)]
    assert counts == (
        [{0: 16, 1: 10}, {0: 15, 1: 10}] if given_file else [{0: 6, 1: 4}, {0: 6, 1: 4}]
    )
    if given_file:
        assert sorted([*found.validation.rows, *found.test.rows]) == list(range(51))
        assert found.validation.rows != list(range(26))  # shuffled, not cut in the middle
    else:
        assert sorted([*found.validation.rows, *found.test.rows]) == list(
            split(train).validation.rows
        )


def test_given_files_are_whole_parts() -> None:
    files = {
        InputFile.TRAINING: File([0, 1] * 10),
        InputFile.VALIDATION: File([0, 1]),
        InputFile.TEST: File([1, 1, 0]),
    }
    found = split_files(files, SINGLE, SplitRequest())
    assert found.test is not None
    assert (list(found.train.rows), list(found.validation.rows), list(found.test.rows)) == (
        list(range(20)),
        [0, 1],
        [0, 1, 2],
    )
    assert found.test.source is InputFile.TEST


def test_settings_as_they_were_give_the_split_that_they_gave() -> None:
    labels: list[Label] = [0, 1, 0, 0, 1, 2, 0, 1, 0, 0, 2, 0, 1, 0, 0, 1, 0, 2, 0, 0]
    request = SplitRequest(test_fraction=0.1)
    found, before = (
        split(labels, test_fraction=0.1),
        split_by_strata([int(x) for x in labels if isinstance(x, int)], request),
    )
    assert found.test is not None
    assert (found.train.rows, found.validation.rows, found.test.rows) == (
        before.train,
        before.validation,
        before.test,
    )


def test_numbers_are_split_by_quantile() -> None:
    labels = [float(row) for row in range(100)]
    strata = assign_strata(labels, NUMBERS)
    assert strata == [row // 10 for row in range(100)]
    held_out = split(labels, NUMBERS).validation.rows
    assert [sum(row // 10 == tenth for row in held_out) for tenth in range(10)] == [2] * 10
    assert assign_strata([1.0, 1.0, 1.0, 2.0] * 10, NUMBERS) == [0, 0, 0, 3] * 10, (
        "equal numbers stay together"
    )
    assert set(assign_strata([float(row) for row in range(15)], NUMBERS)) == {0}


def test_rare_sets_of_labels_go_with_their_rarest_label() -> None:
    common, rare = [(0,)] * 40 + [(0, 1)] * 40 + [()] * 10, [(1, 2), (0, 2), (0, 1, 2), (2,)]
    strata = assign_strata([*common, *rare], MULTI)
    assert len(set(strata[:40])) == len(set(strata[40:80])) == len(set(strata[80:90])) == 1
    assert len(set(strata[90:])) == 1
    assert len(set(strata)) == 4
    held_out = split([*common, *rare], MULTI).validation.rows
    assert any(row >= 90 for row in held_out)


def test_only_files_that_are_parted_need_the_column_of_groups() -> None:
    request = SplitRequest(group_by="who")
    assert [get_group_column(request, source) for source in InputFile] == [
        "who",
        *[None] * 3,
    ]
    halved = SplitRequest(group_by="who", halve_validation=True)
    assert [get_group_column(halved, source) for source in InputFile] == ["who", "who", None, None]


def test_more_folds_than_rows_are_refused() -> None:
    with pytest.raises(InvalidValue) as refusal:
        split([0, 1, 0, 1], fold=0, mode="kfold", k=5)
    assert refusal.value.param == "split.k"
    with pytest.raises(ValueError, match="k-fold"):
        split([0, 1] * 5, fold=1)

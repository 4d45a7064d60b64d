"""Scores of each label, against scikit-learn and arithmetic written out here."""

import pytest

from shared.report.classes import score_classes_from_confusion, summarize_classes


class TestLabels:
    def test_from_a_confusion_matrix(self) -> None:
        # "no": 30 hits of 40 rows, 35 answers: recall 0.75, precision 30/35, F1 60/75
        no, yes = score_classes_from_confusion(["no", "yes"], [[30, 10], [5, 35]])
        assert (no.support, no.recall) == (40, 0.75)
        assert (no.precision, no.f1) == pytest.approx((30 / 35, 60 / 75))
        assert yes.precision == pytest.approx(35 / 45)

    def test_scikit_learn_agrees(self) -> None:
        from sklearn.metrics import precision_recall_fscore_support

        matrix = [[3, 1, 2], [0, 5, 1], [2, 2, 4]]
        rows = [
            (true, predicted)
            for true in range(3)
            for predicted in range(3)
            for _ in range(matrix[true][predicted])
        ]
        expected = precision_recall_fscore_support(
            [true for true, _ in rows], [predicted for _, predicted in rows]
        )
        found = score_classes_from_confusion(["a", "b", "c"], matrix)
        for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
            assert [getattr(row, name) for row in found] == pytest.approx(list(values))

    def test_mean_and_spread_over_seeds_skip_what_is_undefined(self) -> None:
        first = score_classes_from_confusion(
            ["no", "yes"], [[4, 0], [4, 0]]
        )  # "yes" is never answered: no precision
        second = score_classes_from_confusion(["no", "yes"], [[3, 1], [1, 3]])
        found = summarize_classes([first, second])
        assert found is not None
        assert (found[1].precision.mean, found[1].precision.std, found[1].precision.n) == (
            0.75,
            None,
            1,
        )
        assert (found[1].recall.mean, found[1].recall.n) == (0.375, 2)
        assert found[1].recall.std == pytest.approx(0.75 / 2**0.5)
        assert summarize_classes([]) is None

    def test_a_label_without_rows(self) -> None:
        (absent, _) = score_classes_from_confusion(["never", "always"], [[0, 0], [0, 3]])
        assert (absent.precision, absent.recall, absent.f1) == (None, None, None)

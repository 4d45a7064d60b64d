"""Each sentence of the diagnosis appears if and only if it is true, with its evidence."""

import pytest
import torch

from shared.datasets import Examples
from shared.domain.run_evidence import Evidence, Vanished
from shared.domain.task import Label, TaskType
from shared.metrics import Scoring
from shared.metrics.run_result import SplitResult
from shared.recipe import Recipe
from tests.worker.training.runs import make_recipe, make_task
from worker.training.data.split import Split
from worker.training.data.tokenization import EncodedText
from worker.training.diagnosis import diagnose_run
from worker.training.evaluation import EvaluationResult

HEALTHY: dict[str, object] = {
    "chance_loss": 0.693,
    "opening_loss": 0.7,
    "closing_loss": 0.1,
    "highest_loss": 0.7,
    "highest_loss_step": 8,
    "lowest_validation_loss": 0.3,
    "lowest_validation_step": 30,
    "final_validation_loss": 0.31,
    "vanished": None,
    "distance": {
        "embeddings": 0.001,
        "block 0": 0.02,
        "block 1": 0.02,
        "block 2": 1.4,
        "pooler": 1.4,
        "head": 3.0,
    },
    "answers": {"no": 0.5, "yes": 0.5},
    "truncated": 0.0,
}
HALF: list[Label] = [0, 1] * 5


def diagnose(
    *,
    predictions: list[Label] = HALF,
    labels: list[Label] = HALF,
    score: float | None = 1.0,
    scoring: Scoring | None = None,
    recipe: Recipe | None = None,
    **evidence: object,
) -> list[str]:
    examples = Examples(texts=["a"] * len(labels), second_texts=None, labels=labels)
    text = EncodedText(
        {"input_ids": [torch.tensor([1])] * len(labels)}, {}, examples, [False] * len(labels)
    )
    chosen = EvaluationResult(
        SplitResult(loss=0.1, metrics={}, score=score, confusion=None), predictions, []
    )
    return diagnose_run(
        Evidence.model_validate(HEALTHY | evidence),
        Split(text, range(len(labels))),
        chosen,
        recipe or make_recipe(max_steps=40),
        scoring or Scoring(make_task(), "accuracy"),
    )


def test_a_healthy_run_has_no_diagnosis() -> None:
    assert diagnose() == []


def test_a_constant_label() -> None:
    assert diagnose(predictions=[1] * 10, score=0.5) == [
        "It predicts 'yes' for all 10 validation rows.",
        "Its accuracy on the validation rows is 0.500; the best constant prediction reaches 0.500.",
    ]


def test_a_constant_label_set_and_a_constant_number() -> None:
    several = Scoring(
        make_task(type=TaskType.MULTI_LABEL, label_names=["a", "b"], positive_label=None),
        "f1_micro",
    )
    [sentence, _] = diagnose(
        predictions=[(0, 1)] * 2, labels=[(0, 1), (0,)], score=0.1, scoring=several
    )
    assert sentence == "It predicts 'a' and 'b' for all 2 validation rows."
    numbers = Scoring(
        make_task(type=TaskType.REGRESSION, label_names=[], positive_label=None), "pearson"
    )
    sentence, undefined = diagnose(
        predictions=[2.5] * 2, labels=[1.0, 4.0], score=None, scoring=numbers
    )
    assert sentence == "It predicts 2.5 for all 2 validation rows."
    assert undefined == "Its pearson on the validation rows is undefined."
    assert diagnose(predictions=[2.0, 1.0], labels=[1.0, 4.0], score=-1.0, scoring=numbers) == [
        "Its pearson on the validation rows is -1.000: its predictions do not rise with the labels."
    ]


def test_a_loss_at_chance() -> None:
    [sentence] = diagnose(closing_loss=0.69)
    assert sentence == (
        "The training loss did not fall below chance: it averaged 0.690 over the last 4 of 40 "
        "steps, and predicting the labels' frequencies has a loss of 0.693. More steps or a higher "
        "learning rate may help."
    )
    numbers = Scoring(
        make_task(type=TaskType.REGRESSION, label_names=[], positive_label=None), "r2"
    )
    [sentence] = diagnose(
        closing_loss=2.1,
        opening_loss=2.1,
        chance_loss=2.2,
        scoring=numbers,
        predictions=[1.0, 4.0],
        labels=[1.0, 4.0],
    )
    assert "predicting the labels' mean has a loss of 2.200" in sentence
    assert diagnose(closing_loss=0.6) == []


def test_a_loss_that_rose_but_not_one_that_started_high() -> None:
    [sentence] = diagnose(highest_loss=1.4, highest_loss_step=30, closing_loss=0.9)
    assert sentence == (
        "The training loss rose: it was 0.700 over the first tenth of the steps, 1.400 around step "
        "30 and 0.900 over the last tenth; the best constant prediction has a loss of 0.693. The "
        "learning rate 0.005 is too high for this run."
    )
    assert diagnose(opening_loss=1.5, highest_loss=1.5) == []


VANISHED = Vanished(step=4, norm=2.6e-4, first=4.8e-2)


def test_a_vanished_gradient_and_the_step_size_that_caused_it() -> None:
    [sentence] = diagnose(vanished=VANISHED)
    assert "its norm was 4.8e-02 at step 1 and 2.6e-04 at step 4" in sentence
    _, sentence = diagnose(
        vanished=VANISHED, recipe=make_recipe(max_steps=234, bias_correction=False)
    )
    assert sentence == (
        "Without Adam's bias correction its steps were up to 6.6 times too large (at step 12), and "
        "still 2.2 times at the last step. Set recipe.bias_correction to true."
    )
    assert diagnose(recipe=make_recipe(bias_correction=False)) == []  # it did no harm


FAR: dict[str, float] = {"block 0": 0.3, "block 1": 0.4, "block 2": 0.35}


@pytest.mark.parametrize("layers", [0, 1, [1], 3])
def test_weights_far_from_pretraining(layers: int | list[int]) -> None:
    recipe = make_recipe(reinit_layers=layers)
    sentences = diagnose(distance=FAR, vanished=VANISHED, recipe=recipe)
    far = [
        sentence
        for sentence in sentences
        if sentence.startswith("Every block moved by at least 30% of")
    ]
    assert len(far) == (0 if layers == 3 else 1)  # re-initialized blocks do not count
    assert diagnose(distance=FAR, recipe=recipe) == []  # it learned nevertheless
    near = diagnose(
        distance={**FAR, "block 0": 0.02}, vanished=VANISHED, recipe=make_recipe(reinit_layers=0)
    )
    assert not any("Every block" in sentence for sentence in near)


def test_truncation_is_reported_above_a_tenth() -> None:
    assert diagnose(truncated=0.25) == [
        "25% of the training rows are longer than 32 tokens and were truncated."
    ]
    assert diagnose(truncated=0.1) == []

"""The job's diagnosis: each rule with its numbers and its advice, and nothing where nothing is
wrong.
"""

import re
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from shared.domain.run_evidence import Evidence, Vanished
from shared.recipe import Recipe, compute_auto_steps
from shared.report.diagnosis import JobFacts, RunFacts, diagnose_job

SOUND: dict[str, Any] = {
    "chance_loss": 0.611,
    "opening_loss": 0.65,
    "closing_loss": 0.3,
    "highest_loss": 0.66,
    "highest_loss_step": 12,
    "lowest_validation_loss": 0.4,
    "lowest_validation_step": 64,
    "final_validation_loss": 0.42,
    "vanished": None,
    "distance": {"embeddings": 0.001, "block 0": 0.012, "block 1": 0.013, "head": 0.5},
    "answers": {"bad": 0.4, "good": 0.6},
    "truncated": 0.0,
}
CONSTANT: dict[str, Any] = {"closing_loss": 0.61, "answers": {"bad": 0.0, "good": 1.0}}
GONE = Vanished(step=16, norm=5e-4, first=5e-2)


def run(
    *, status: str = "succeeded", degenerate: bool = False, best_step: int = 64, **evidence: Any
) -> RunFacts:
    return RunFacts(status, degenerate, None, best_step, Evidence(**(SOUND | evidence)))


def diverged() -> RunFacts:
    return RunFacts("failed", None, "nan_loss", None, None)


def recipe(**changes: Any) -> Recipe:
    values: dict[str, Any] = {
        "preset": "debiased",
        "learning_rate": 5e-5,
        "bias_correction": True,
        "num_train_epochs": 3.0,
        "max_steps": 96,
        "reinit_pooler": False,
        "reinit_layers": 0,
    }
    return Recipe(**(values | changes))


def diagnose(
    *runs: RunFacts,
    metric: str = "mcc",
    labels: dict[str, int] | None = None,
    length: int = 128,
    limit: int | None = 512,
    **changes: Any,
) -> list[str]:
    labels = {"bad": 500, "good": 500} if labels is None else labels
    return diagnose_job(JobFacts(recipe(**changes), metric, 1000, labels, length, limit, runs))


def test_runs_with_nothing_wrong() -> None:
    assert diagnose(*[run()] * 5) == []
    assert diagnose() == []
    assert (
        diagnose(
            RunFacts("running", None, None, 10, None), RunFacts("cancelled", None, None, None, None)
        )
        == []
    )


def test_too_few_steps_and_how_many_there_should_be() -> None:
    short = run(degenerate=True, **CONSTANT)
    assert diagnose(run(), *[short] * 5) == [
        "5 of 6 runs predict 'good' for every validation row; the training loss stayed at "
        "0.610 (chance is 0.611). 96 steps were too few: try max_steps 320."
    ]
    assert compute_auto_steps(1000, 32) == 320
    [alone] = diagnose(short)
    assert alone.startswith("The only run predicts 'good' for every validation row")
    [either] = diagnose(
        short, run(degenerate=True, closing_loss=0.61, answers={"bad": 1.0, "good": 0.0})
    )
    assert either.startswith("All 2 runs each predict a single label for every validation row")
    [mixed] = diagnose(short, run(degenerate=True, closing_loss=0.61))
    assert mixed.startswith("All 2 runs are no better than a constant prediction")


def test_enough_steps_and_still_at_chance() -> None:
    [found] = diagnose(*[run(degenerate=True, **CONSTANT)] * 3, max_steps=400)
    assert found.endswith(
        "stayed at 0.610 (chance is 0.611) over 400 steps. Try max_steps 800 or "
        "learning_rate 0.0001."
    )


def test_a_rate_at_which_nothing_moves() -> None:
    still: dict[str, Any] = {
        **CONSTANT,
        "distance": {"block 0": 0.0005, "block 1": 0.0004, "head": 0.1},
    }
    [found] = diagnose(*[run(degenerate=True, **still)] * 3, learning_rate=1e-6)
    assert found.endswith(
        "the blocks moved by only 0.04% of their norm. The learning rate 1e-06 is too low: "
        "try learning_rate 1e-05."
    )


@pytest.mark.parametrize("bias_correction", [True, False])
def test_a_collapse_is_not_a_lack_of_steps(bias_correction: bool) -> None:
    runs = [run(degenerate=True, **CONSTANT, vanished=GONE)] * 4 + [
        run(degenerate=True, **CONSTANT)
    ]
    [found] = diagnose(*runs, run(), learning_rate=1e-3, bias_correction=bias_correction)
    assert found.startswith(
        "5 of 6 runs predict 'good' for every validation row; the gradient of the lower "
        "blocks vanished (to 0.01 of its first norm by step 16) while the loss was still at chance"
    )
    advice = (
        "The learning rate 0.001 is too high: try learning_rate 0.0003."
        if bias_correction
        else "try bias_correction true"
    )
    assert advice in found
    [rose] = diagnose(*[run(degenerate=True, **CONSTANT, highest_loss=1.7)] * 2)
    assert "the training loss rose to 1.700 (chance is 0.611)" in rose


def test_a_loss_that_fell_without_effect_on_the_validation_rows() -> None:
    [found] = diagnose(*[run(degenerate=True)] * 2)
    assert "the training loss did fall, to 0.300 (chance is 0.611)" in found


def test_an_imbalance_is_named_if_its_label_is_predicted() -> None:
    short = [run(degenerate=True, **CONSTANT)] * 2
    skewed = {"bad": 200, "good": 800}
    _, found = diagnose(*short, labels=skewed, metric="accuracy")
    assert found == (
        "The predicted label 'good' has 80% of the training rows: try class_weights "
        "balanced, and metric mcc, which does not reward a constant prediction."
    )
    assert diagnose(*short, labels=skewed)[1].endswith("try class_weights balanced.")
    assert len(diagnose(*short, labels=skewed, class_weights="balanced")) == 1
    assert len(diagnose(*short, labels={"bad": 800, "good": 200})) == 1
    assert len(diagnose(*short, labels={})) == 1  # a regression


def test_divergence_comes_first() -> None:
    found = diagnose(diverged(), run(), run(degenerate=True, **CONSTANT))
    assert found[0] == (
        "1 of 3 runs diverged: the loss or the gradient became NaN or infinite, and training "
        "stopped before that step changed the weights. The learning rate 5e-05 is too "
        "high: try learning_rate 1e-05."
    )
    assert "1 of 3 runs predicts 'good'" in found[1]
    assert "All 2 runs diverged" in diagnose(diverged(), diverged(), bias_correction=False)[0]


def test_one_run_that_rose_does_not_contradict_the_many_that_learned_nothing() -> None:
    rose = run(highest_loss=1.2, highest_loss_step=40)
    found = diagnose(*[run(degenerate=True, **CONSTANT)] * 3, rose)
    assert [sentence for sentence in found if "try learning_rate" in sentence.lower()] == []
    assert found[0].endswith("96 steps were too few: try max_steps 320.")
    assert any(
        "rose" in sentence
        for sentence in diagnose(*[run(degenerate=True, **CONSTANT)] * 2, rose, rose, rose)
    )


def test_a_loss_that_rose_on_the_way() -> None:
    [found] = diagnose(run(highest_loss=1.2, highest_loss_step=40), run())
    assert found.startswith(
        "1 of 2 runs temporarily lost what had been learned: the training loss rose to "
        "1.200 around step 40"
    )


def test_overfitting() -> None:
    heart: dict[str, Any] = {"closing_loss": 0.012, "final_validation_loss": 0.9}
    [found] = diagnose(*[run(**heart, best_step=32)] * 2, run())
    assert found == (
        "2 of 3 runs overfitted: the training loss fell to 0.012, while the validation loss "
        "rose from 0.400 (around step 64) to 0.900. The scores are those of the best "
        "checkpoints; their median step is 32 of 96."
    )
    assert diagnose(run(**heart), run(), run()) == []  # one of three is chance
    assert diagnose(run(**heart), select="last")[0].endswith("Try select best_checkpoint.")
    averaged = diagnose(run(**heart), select="greedy_average")[0]
    assert averaged == diagnose(run(**heart))[0]


def test_still_better_at_the_last_step() -> None:
    rising = run(best_step=96, lowest_validation_step=96)
    [found] = diagnose(rising, rising, run())
    assert found.startswith(
        "2 of 3 runs reached the best score and the lowest validation loss at the last of 96 steps"
    )
    assert found.endswith("Try max_steps 320.")
    assert diagnose(run(best_step=96), run()) == []


@pytest.mark.parametrize(
    ("length", "limit", "advice"),
    [
        (128, 512, "Try a larger task.max_seq_length, up to 512."),
        (128, None, "Try a larger task.max_seq_length."),  # a job of an older version
        (512, 512, "choose a model that reads longer ones."),
        (8192, 9000, "choose a model that reads longer ones."),
    ],
)
def test_truncation(length: int, limit: int | None, advice: str) -> None:
    [found] = diagnose(run(truncated=0.3), length=length, limit=limit)
    assert found.startswith(
        f"30% of the training rows are longer than {length} tokens and were truncated. "
    )
    assert found.endswith(advice)
    assert ("a larger" in found) == (length < min(limit or length + 1, 8192))


def test_rows_of_an_older_version_have_no_evidence() -> None:
    old = replace(run(degenerate=True), evidence=None)
    assert diagnose(old, old) == []


STILL: dict[str, Any] = {**CONSTANT, "distance": {"block 0": 0.0005, "block 1": 0.0005}}
ADVISED = re.compile(r"(?:try|Try|or) (learning_rate|max_steps) (auto|[\d.e+-]+\d)")


@pytest.mark.parametrize(
    "runs",
    [
        [run(degenerate=True, **STILL)] * 3,
        [run(degenerate=True, **CONSTANT)] * 3,
        [run(degenerate=True, **CONSTANT, vanished=GONE)] * 3,
        [run(highest_loss=1.2)] * 3,
        [diverged()] * 3,
        [run(best_step=1_000_000, lowest_validation_step=1_000_000)] * 3,
        [run(best_step=320, lowest_validation_step=320)] * 3,
    ],
)
@pytest.mark.parametrize("bias_correction", [True, False])
def test_advised_values_are_allowed_and_make_a_difference(
    runs: list[RunFacts], bias_correction: bool
) -> None:
    rates = [5e-324, 1e-300, 1e-9, 2e-7, 1e-6, 3e-5, 8e-4, 1e-3, 9e-3, 1e-2]
    for rate, steps in product(rates, [1, 96, 320, 600_000, 1_000_000]):
        found = " ".join(
            diagnose(
                *runs,
                learning_rate=rate,
                max_steps=steps,
                bias_correction=bias_correction,
                select="last",
            )
        )
        for name, value in ADVISED.findall(found):
            if value == "auto":
                assert rate < 1e-6, found
            elif name == "max_steps":
                assert 1.3 * steps < int(value) <= 1_000_000, found
            else:
                assert 1e-6 <= float(value) <= 1e-3, found
                assert not 1 / 1.3 < float(value) / rate < 1.3, found


def test_a_rate_that_is_too_low_already_is_not_lowered() -> None:
    [found] = diagnose(diverged(), learning_rate=1e-7, precision="bfloat16", max_grad_norm=0)
    assert found.endswith(
        "The learning rate 1e-07 is too low to be the cause: try precision float32 or "
        "max_grad_norm 1."
    )
    [found] = diagnose(diverged(), learning_rate=1e-298, bias_correction=False)
    assert found.endswith("suggests: try bias_correction true.")
    [found] = diagnose(diverged(), learning_rate=1e-298)
    assert found.endswith("is too low to be the cause; check the texts and labels.")


def test_a_negligible_rate_is_left_to_the_service() -> None:
    [found] = diagnose(run(degenerate=True, **STILL), learning_rate=1e-300, max_steps=400)
    assert found.endswith("The learning rate 1e-300 is too low: try learning_rate auto.")


def test_a_high_rate_is_not_raised() -> None:
    [found] = diagnose(run(degenerate=True, **STILL), learning_rate=1e-2, max_steps=400)
    assert found.endswith("try preset stabilized, and check the texts and labels.")
    [found] = diagnose(
        run(degenerate=True, **STILL), learning_rate=1e-2, max_steps=400, preset="stabilized"
    )
    assert found.endswith("is the cause: check the texts and labels.")


@pytest.mark.parametrize(
    ("setting", "advice"),
    [
        ({"layerwise_learning_rate_decay": 0.1}, "layerwise_learning_rate_decay 0.95"),
        ({"mixout": 0.95}, "mixout 0.5"),
        ({"pretrained_weight_decay": 1.0}, "pretrained_weight_decay 0.01"),
    ],
)
def test_blocks_that_a_setting_holds_are_no_matter_of_the_rate(
    setting: dict[str, Any], advice: str
) -> None:
    [found] = diagnose(run(degenerate=True, **STILL), max_steps=400, **setting)
    assert found.endswith(f"The recipe holds the blocks where they start: try {advice}.")


def test_a_single_step_of_warmup_has_no_rate_to_raise() -> None:
    unmoved: dict[str, Any] = {**CONSTANT, "distance": {"block 0": 0.0}}
    [found] = diagnose(run(degenerate=True, **unmoved), max_steps=1)
    assert found.endswith(". 1 step was too few: try max_steps 320.")


def test_blocks_that_would_move_within_the_automatic_length_need_steps() -> None:
    slow: dict[str, Any] = {**CONSTANT, "distance": {"block 0": 0.001}}
    [found] = diagnose(run(degenerate=True, **slow), max_steps=10)
    assert found.endswith("10 steps were too few: try max_steps 320.")


def test_the_longest_run_is_not_told_to_train_longer() -> None:
    last: dict[str, Any] = {"best_step": 1_000_000, "lowest_validation_step": 1_000_000}
    assert diagnose(run(**last), max_steps=1_000_000) == []
    [found] = diagnose(run(best_step=600_000, lowest_validation_step=600_000), max_steps=600_000)
    assert found.endswith("Try max_steps 1000000.")


def test_a_metric_of_single_labels_is_not_advised_for_several() -> None:
    several = {"bad": 400, "good": 900, "long": 200}
    _, found = diagnose(
        run(degenerate=True, **CONSTANT), labels=several, metric="accuracy", length=128
    )
    assert "metric mcc" in found  # a single-label job
    short = run(degenerate=True, **CONSTANT)
    facts = JobFacts(recipe(), "accuracy", 1000, several, 128, 512, (short,), multi_label=True)
    assert not any("mcc" in sentence for sentence in diagnose_job(facts))

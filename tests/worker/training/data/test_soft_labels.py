"""A distillation trains on the mean prediction of its teachers."""

from pathlib import Path
from typing import Any

import pytest
import torch

from shared.domain.task import SplitRequest, TaskType
from tests.worker.training.runs import (
    TrainedRun,
    iterate_events,
    make_recipe,
    make_review_rows,
    make_spec,
    make_task,
    never_stop,
    write_tsv,
)
from worker.training.data.soft_labels import apply_soft_labels
from worker.training.data.split import Split, load_splits
from worker.training.data.tokenization import TextCache, encode_examples
from worker.training.data.tokenizer import load_tokenizer
from worker.training.data.unlabelled import choose_unlabelled_texts
from worker.training.evaluation import decode_logits, predict_logits
from worker.training.head_first.fitted_head import HeadFitter
from worker.training.model.compact_vocabulary import CompactVocabulary
from worker.training.model.encoder import load_trained_network
from worker.training.model.forward import Forward
from worker.training.model.pooled_classifier import HeadChoice
from worker.training.network_setup import build_network
from worker.training.optim.objective import get_plain_objective
from worker.training.spec import DataFile, RunSpec

HEADS = [("family", "joined"), ("cls", "separate")]
TASKS: dict[TaskType, dict[str, Any]] = {
    TaskType.SINGLE_LABEL: {},
    TaskType.MULTI_LABEL: {"type": TaskType.MULTI_LABEL, "positive_label": None},
    TaskType.REGRESSION: {
        "type": TaskType.REGRESSION,
        "label_names": [],
        "positive_label": None,
    },
}
SPLIT = SplitRequest(validation_fraction=0.3, test_fraction=0.2)


def make_distilled_spec(
    folder: Path, base: Path, task_type: TaskType, head: tuple[str, str], **changes: Any
) -> RunSpec:
    """Return the spec of a student of two teachers, which are trained here."""
    recipe = make_recipe(pooling=head[0], pair_encoding=head[1], max_steps=4, eval_points=1)
    rows = make_review_rows(60, pairs=True)
    if task_type is TaskType.REGRESSION:
        rows = [rows[0], *((*row[:-1], "2" if row[-1] == "yes" else "1") for row in rows[1:])]
    fields: dict[str, Any] = {
        "recipe": recipe,
        "split": SPLIT,
        "task": make_task(text_pair_column="other", text_column="text", **TASKS[task_type]),
        "metric": {"regression": "pearson", "multi_label_classification": "f1_micro"}.get(
            task_type, "accuracy"
        ),
    }
    training_file = write_tsv(folder / "pairs.tsv", rows)
    teachers = []
    for seed in (1, 2):
        spec = make_spec(
            folder, base, init_seed=seed, data_seed=seed, training_file=training_file, **fields
        )
        list(iterate_events(spec))
        teachers.append(spec.output / "model")
    return make_spec(
        folder,
        base,
        **fields | {"training_file": training_file, "teachers": teachers, "init_seed": 3} | changes,
    )


@pytest.mark.parametrize(
    ("task_type", "head"), [*((kind, HEADS[0]) for kind in TASKS), (TaskType.REGRESSION, HEADS[1])]
)
def test_the_training_rows_have_the_mean_prediction_as_labels(
    task_type: TaskType, head: tuple[str, str], tmp_path: Path, tiny_bert: Path
) -> None:
    spec = make_distilled_spec(tmp_path, tiny_bert, task_type, head)
    plain = load_splits(spec, TextCache(), never_stop)
    splits = apply_soft_labels(spec, plain, TextCache(), never_stop)
    predictions = []
    for teacher in spec.teachers:
        network = load_trained_network(teacher, spec.task, HeadChoice.from_recipe(spec.recipe))
        logits = predict_logits(Forward(network), plain.train, never_stop)
        numbers, probabilities = decode_logits(logits, task_type)
        predictions.append(torch.tensor(probabilities if probabilities[0] else numbers))
    rows = list(splits.train.rows)[:5]
    expected = torch.stack(predictions).mean(dim=0)[:5]
    targets = splits.train.text.build_targets(rows)
    assert targets.shape == expected.shape
    assert torch.allclose(targets, expected, atol=1e-6)
    assert torch.equal(
        splits.validation.text.build_targets(rows), plain.validation.text.build_targets(rows)
    )


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_a_student_trains_to_its_end_and_is_exported(
    head: tuple[str, str], tmp_path: Path, tiny_bert: Path
) -> None:
    spec = make_distilled_spec(tmp_path, tiny_bert, TaskType.SINGLE_LABEL, head)
    student = TrainedRun(spec)
    assert student.finished.test is not None
    assert student.finished.weights_sha256 is not None
    assert (spec.output / "model" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("task_type", "head"), [*((kind, HEADS[0]) for kind in TASKS), (TaskType.REGRESSION, HEADS[1])]
)
def test_a_head_that_is_fitted_first_is_fitted_to_the_soft_labels(
    task_type: TaskType, head: tuple[str, str], tmp_path: Path, tiny_bert: Path
) -> None:
    recipe = make_recipe(head_first=True, pooling=head[0], pair_encoding=head[1], max_steps=4)
    spec = make_distilled_spec(tmp_path, tiny_bert, task_type, head, recipe=recipe)
    plain = load_splits(spec, TextCache(), never_stop)
    splits = apply_soft_labels(spec, plain, TextCache(), never_stop)
    fitter, network = HeadFitter(), build_network(spec, splits)
    on_labels = fitter.fit_head(network, spec, plain, never_stop)
    fitted = fitter.fit_head(network, spec, splits, never_stop)
    targets = splits.train.text.build_targets(splits.train.rows).double()
    losses = []
    for fit in (fitted, on_labels):
        fit.write_weights(network)
        logits = predict_logits(Forward(network), splits.train, never_stop).double()
        losses.append(get_plain_objective(task_type)(logits, targets).item())
    assert fitted.fit.loss == pytest.approx(losses[0], rel=1e-4)
    assert losses[0] < losses[1]
    student = TrainedRun(spec)
    assert student.finished.evidence.head_fit == fitted.fit


def test_a_paused_student_ends_like_one_that_never_paused(tmp_path: Path, tiny_bert: Path) -> None:
    whole = make_distilled_spec(tmp_path, tiny_bert, TaskType.SINGLE_LABEL, HEADS[0])
    output = tmp_path / "first"
    output.mkdir()
    list(iterate_events(whole.model_copy(update={"output": output, "stop_step": 2})))
    rest = tmp_path / "rest"
    rest.mkdir()
    state = output / "state-2"
    resumed = list(iterate_events(whole.model_copy(update={"output": rest, "state": state})))
    assert resumed[-1] == TrainedRun(whole).finished


UNLABELLED_TEXTS = [
    f"{word} story to watch" for word in ("lovely", "dull", "warm", "long", "never")
]


def write_unlabelled(folder: Path, training: DataFile) -> DataFile:
    """Write five new texts among copies of them and of training rows, with other columns and order
    of columns than the training file's.
    """
    header, *rows = (line.split("\t") for line in training.path.read_text().splitlines())
    assert header == ["text", "other", "label"]
    known = [("x", row[1], row[0]) for row in rows[:40]]
    new = [("x", text, "the end") for text in UNLABELLED_TEXTS]
    content = [*known[:3], *new, ("x", UNLABELLED_TEXTS[0].upper(), "The  end"), *known[3:]]
    return write_tsv(folder / "more.tsv", [("label", "other", "text"), *content])


@pytest.mark.parametrize(
    ("task_type", "head"), [*((kind, HEADS[0]) for kind in TASKS), (TaskType.REGRESSION, HEADS[1])]
)
def test_new_texts_follow_the_training_rows_with_the_mean_prediction_as_labels(
    task_type: TaskType, head: tuple[str, str], tmp_path: Path, tiny_bert: Path
) -> None:
    spec = make_distilled_spec(tmp_path, tiny_bert, task_type, head)
    spec = spec.model_copy(
        update={
            "unlabelled_file": write_unlabelled(tmp_path, spec.training_file),
            "recipe": spec.recipe.model_copy(update={"max_steps": 20}),
        }
    )
    cache = TextCache()
    plain = load_splits(spec, cache, never_stop)
    splits = apply_soft_labels(spec, plain, cache, never_stop)
    train, text = splits.train, splits.train.text
    held_out = set(range(60)) - set(plain.train.rows)
    assert list(train.rows[: len(plain.train.rows)]) == list(plain.train.rows)
    added = train.select_examples().texts[len(plain.train.rows) :]
    # rows of the file that are held out are texts that training has not seen
    copies = [plain.train.text.examples.texts[row] for row in range(40) if row in held_out]
    assert sorted(added) == sorted([*(["the end"] * 5), *copies])
    assert len(text.labels) == len(text.truncated) == len(text.examples) == 60 + len(added)
    assert splits.validation is plain.validation
    assert splits.test is plain.test

    alone = Split(text, list(train.rows)[-len(added) :])
    means = []
    for teacher in spec.teachers:
        network = load_trained_network(teacher, spec.task, HeadChoice.from_recipe(spec.recipe))
        logits = predict_logits(Forward(network), alone, never_stop)
        numbers, probabilities = decode_logits(logits, task_type)
        means.append(torch.tensor(probabilities if probabilities[0] else numbers))
    expected = torch.stack(means).mean(dim=0)
    targets = text.build_targets(alone.rows)
    assert torch.allclose(targets, expected.to(targets.dtype), atol=1e-6)
    if task_type is TaskType.SINGLE_LABEL:
        assert alone.list_labels() == expected.argmax(dim=1).tolist()
    # every sequence has the tokens of its own text
    again = encode_examples(
        train.select_examples(),
        load_tokenizer(tiny_bert),
        spec.task.max_seq_length,
        never_stop,
        spec.pair_encoding,
    )
    for name, column in again.columns.items():
        joined = [text.columns[name][sequence] for sequence in text.list_sequences(train.rows)]
        assert all(torch.equal(a, b) for a, b in zip(joined, column, strict=True))


@pytest.mark.parametrize(("steps", "added"), [(3, 0), (4, 2), (6, 18), (9, 25)])
def test_the_length_of_the_run_bounds_the_added_texts(
    steps: int, added: int, tmp_path: Path, tiny_bert: Path
) -> None:
    spec = make_distilled_spec(tmp_path, tiny_bert, TaskType.SINGLE_LABEL, HEADS[0])
    rows = [("text", "other"), *((f"text {row}", "the end") for row in range(25))]
    recipe = spec.recipe.model_copy(update={"max_steps": steps, "train_batch_size": 8})
    unlabelled = write_tsv(tmp_path / "more.tsv", rows)
    spec = spec.model_copy(update={"recipe": recipe, "unlabelled_file": unlabelled})
    cache = TextCache()
    plain = load_splits(spec, cache, never_stop)
    assert len(plain.train.rows) == 30
    chosen = choose_unlabelled_texts(spec, plain.train, cache, never_stop)
    assert (0 if chosen is None else len(chosen.rows)) == added
    again = choose_unlabelled_texts(spec, plain.train, TextCache(), never_stop)
    assert (again and again.rows) == (chosen and chosen.rows)
    splits = apply_soft_labels(spec, plain, cache, never_stop)
    assert len(splits.train.rows) == len(splits.train.text.labels) - 30 == 30 + added


@pytest.mark.parametrize("head", HEADS, ids=str)
@pytest.mark.parametrize("changes", [{}, {"weight_decay": 0.1, "head_first": True}], ids=str)
def test_a_student_of_unlabelled_texts_resumes_and_cuts_its_vocabulary_to_the_last_bit(
    head: tuple[str, str],
    changes: dict[str, Any],
    tmp_path: Path,
    tiny_bert: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = make_recipe(pooling=head[0], pair_encoding=head[1], max_steps=6, **changes)
    spec = make_distilled_spec(tmp_path, tiny_bert, TaskType.SINGLE_LABEL, head, recipe=recipe)
    whole = spec.model_copy(
        update={"unlabelled_file": write_unlabelled(tmp_path, spec.training_file)}
    )
    trained = TrainedRun(whole)
    outputs = [tmp_path / name for name in ("first", "rest", "full")]
    for output in outputs:
        output.mkdir()
    first, rest, full = outputs
    list(iterate_events(whole.model_copy(update={"output": first, "stop_step": 2})))
    resumed = whole.model_copy(update={"output": rest, "state": first / "state-2"})
    assert list(iterate_events(resumed))[-1] == trained.finished
    monkeypatch.setattr(
        CompactVocabulary,
        "from_texts",
        lambda network, _: CompactVocabulary(
            torch.arange(network.config.vocab_size), network.config.vocab_size
        ),
    )
    assert TrainedRun(whole.model_copy(update={"output": full})).events == trained.events
    without = whole.model_copy(update={"output": tmp_path / "without", "unlabelled_file": None})
    without.output.mkdir()
    assert TrainedRun(without).finished.weights_sha256 != trained.finished.weights_sha256

"""One run from top to bottom: seed -> split -> text -> encoder -> re-init -> vocabulary ->
mixout -> optimiser -> loop -> evaluate -> export.
"""

from collections.abc import Callable, Iterator
from itertools import islice

import torch
import transformers
from transformers import PreTrainedModel

from shared.domain.naming import state_name
from shared.domain.task import TaskType
from shared.metrics import Scoring
from shared.recipe import Recipe
from worker.training.async_metrics import READ_DELAY_STEPS
from worker.training.data.batches import count_trained_tokens, iterate_shuffled_batches
from worker.training.data.split import Split, Splits, load_splits
from worker.training.data.tokenization import Batch, TextCache, get_export_tokenizer
from worker.training.diagnosis import diagnose_run
from worker.training.errors import StopRequested
from worker.training.evaluation import EvaluationResult, evaluate_split
from worker.training.events import Finished, Paused, RunEvent, Started
from worker.training.loop import train
from worker.training.malloc import keep_freed_memory
from worker.training.model.checkpoint import BestCheckpoint, export_model, export_predictions
from worker.training.model.compact_vocabulary import CompactVocabulary
from worker.training.model.encoder import load_encoder
from worker.training.model.forward import Forward
from worker.training.model.initial_weights import InitialWeights, copy_initial_weights
from worker.training.model.onnx_export import GRAPH_EXPORTER
from worker.training.model.precision import create_compute_weights
from worker.training.model.reinit import reinitialize_modules
from worker.training.optim.mixout import add_mixout, remove_mixout
from worker.training.optim.objective import (
    build_training_objective,
    compute_chance_loss,
    compute_class_weights,
    set_bias_to_mean,
)
from worker.training.optim.optimizer import Optimizer
from worker.training.resume_state import load_state, save_state
from worker.training.run_diagnostics import (
    History,
    build_evidence,
    compute_answer_shares,
    compute_distances,
)
from worker.training.seeding import make_deterministic
from worker.training.spec import RunSpec


def train_run(
    spec: RunSpec,
    should_stop: Callable[[], bool],
    cache: TextCache | None = None,
    should_pause: Callable[[], bool] = lambda: False,
) -> Iterator[RunEvent]:
    """Train one seed of one job and leave its artefacts in ``spec.output``; ``should_pause``
    ends it as a ``stop_step`` does.

    Raises Stopped, within one batch of ``should_stop`` being true; Diverged;
    BaseModelUnreadable; InvalidValue for data that do not fit the task. ``cache`` keeps
    tokenised files between runs and changes no result.
    """

    def check_stop() -> None:
        if should_stop():
            raise StopRequested(spec.run_id)

    check_stop()
    make_deterministic(spec.threads, spec.device)
    keep_freed_memory()
    splits = load_splits(spec, cache or TextCache(), check_stop)
    judge = Scoring(spec.task, spec.metric)
    network, optimizer, vocabulary = prepare_training(spec, splits)
    splits = vocabulary.renumber_splits(splits)
    weights = create_compute_weights(network, spec.recipe.precision)
    forward = Forward(weights.module)
    yield build_started_event(spec, splits, judge, padding_free=forward.padding_free)

    best, history, answers = (
        BestCheckpoint(spec.recipe.select),
        History(),
        ValidationScorer(forward, splits.validation, judge, check_stop),
    )
    if spec.state is not None:
        history = load_state(spec.state, network, optimizer, best, weights, answers)
    for event in train(
        network,
        weights,
        forward,
        iterate_training_batches(spec, splits, forward, check_stop, completed_steps=history.step),
        spec.recipe,
        data_seed=spec.data_seed,
        objective=build_training_objective(
            spec.task, spec.recipe.class_weights, splits.train.list_labels(), forward.device
        ),
        evaluate=answers,
        best=best,
        optimizer=optimizer,
        completed_steps=history.step,
        stop_step=spec.stop_step,
        should_pause=should_pause,
        read_delay=READ_DELAY_STEPS if forward.device.type == "cuda" else 0,
    ):
        history.record_event(event)
        yield event

    if history.step < spec.recipe.max_steps:
        save_state(spec.output / state_name(history.step), network, optimizer, best, history)
        yield build_paused_event(spec, splits, judge, history.step, answers.latest)
        return
    yield finish_training(spec, splits, vocabulary, network, best, history, check_stop)


def finish_training(
    spec: RunSpec,
    splits: Splits,
    vocabulary: CompactVocabulary,
    network: PreTrainedModel,
    best: BestCheckpoint,
    history: History,
    check_stop: Callable[[], None],
) -> Finished:
    """From the network with the last step's weights to the artefacts of the chosen ones;
    ``splits`` are in its vocabulary.
    """
    start = build_network(spec, splits)
    apply_mixout(start, spec.recipe)  # where parameters have other names
    whole = vocabulary.build_full_table(network, start, spec.recipe, history.step)
    distance = compute_distances(start, network, whole)  # of the last weights, whatever was chosen
    best.restore_weights(network)
    remove_mixout(network)
    forward, judge = Forward(network), Scoring(spec.task, spec.metric)
    if (
        spec.recipe.precision != "float32"
    ):  # what is told of the chosen weights is what they give as they are published
        best.replace_evaluation(evaluate_split(forward, splits.validation, judge, check_stop))
    test = (
        evaluate_split(forward, splits.test, judge, check_stop)
        if splits.test and spec.export
        else None
    )
    vocabulary.restore_full_table(network, start, spec.recipe, best.step)
    return export_run(spec, splits, network, best, test, history, distance)


def prepare_training(
    spec: RunSpec, splits: Splits
) -> tuple[PreTrainedModel, Optimizer, CompactVocabulary]:
    """The network as training begins, with the vocabulary that occurs, under mixout where the
    recipe has it, and its optimiser.
    """
    network = build_network(spec, splits)
    vocabulary = CompactVocabulary.from_texts(
        network, [split.text for split in splits.get_named_splits().values()]
    )
    vocabulary.cut_embeddings(network)
    start = apply_mixout(network, spec.recipe)
    return network, Optimizer(network, spec.recipe, start), vocabulary


def apply_mixout(network: PreTrainedModel, recipe: Recipe) -> InitialWeights:
    """Put the network under mixout where the recipe has it; returns what the recipe refers back
    to.
    """
    start = copy_initial_weights(network, recipe)
    if recipe.mixout:
        add_mixout(network, recipe.mixout, start)
    return start


class ValidationScorer:
    """Scores the network as it is on the validation rows, and keeps the latest answers."""

    def __init__(
        self, forward: Forward, split: Split, scoring: Scoring, check_stop: Callable[[], None]
    ) -> None:
        self._arguments = forward, split, scoring, check_stop
        self._latest: EvaluationResult | None = None

    def __call__(self) -> EvaluationResult:
        self._latest = evaluate_split(*self._arguments)
        return self._latest

    @property
    def latest(self) -> EvaluationResult:
        assert self._latest is not None, "training ends with an evaluation"
        return self._latest


def build_network(spec: RunSpec, splits: Splits) -> PreTrainedModel:
    """The base model with what is new in it drawn from ``init_seed``, on the run's device: what
    training begins with.
    """
    network = load_encoder(spec.base_model, spec.task, spec.init_seed)
    reinitialize_modules(
        network,
        pooler=spec.recipe.reinit_pooler,
        layers=spec.recipe.reinit_layers,
        init_seed=spec.init_seed,
    )
    if spec.task.type is TaskType.REGRESSION:
        set_bias_to_mean(network, splits.train.list_labels())
    network.to(torch.device(spec.device))  # type: ignore[arg-type]  # transformers' decorator hides the signature
    return network


def iterate_training_batches(
    spec: RunSpec,
    splits: Splits,
    forward: Forward,
    check_stop: Callable[[], None],
    *,
    completed_steps: int = 0,
) -> Iterator[Batch]:
    """All but the ``done`` first."""
    for rows in islice(
        iterate_shuffled_batches(splits.train.rows, spec.recipe.train_batch_size, spec.data_seed),
        completed_steps,
        None,
    ):
        check_stop()
        yield forward.build_batch(splits.train.text, rows)


def build_started_event(
    spec: RunSpec, splits: Splits, scoring: Scoring, *, padding_free: bool
) -> Started:
    present = splits.get_named_splits()
    return Started(
        total_steps=spec.recipe.max_steps,
        rows={name: len(split.rows) for name, split in present.items()},
        truncated={name: split.count_truncated_rows() for name, split in present.items()},
        majority_score={
            name: scoring.compute_constant_score(split.list_labels())
            for name, split in present.items()
            if name != "train"
        },
        environment=describe_environment()
        | {
            "threads": str(spec.threads),
            "device": spec.device,
            "batches": "padding_free" if padding_free else "padded",
        },
    )


def describe_environment() -> dict[str, str]:
    """What the bitwise promise depends on, beside the run's own threads and device."""
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
    }


def build_paused_event(
    spec: RunSpec, splits: Splits, scoring: Scoring, step: int, evaluation: EvaluationResult
) -> Paused:
    train_split, recipe = splits.train, spec.recipe
    return Paused(
        step=step,
        score=evaluation.result.score,
        degenerate=scoring.is_degenerate(
            splits.validation.list_labels(), evaluation.predictions, evaluation.result.score
        ),
        trained_tokens=count_trained_tokens(
            train_split.text, train_split.rows, recipe.train_batch_size, spec.data_seed, step
        ),
    )


def export_run(
    spec: RunSpec,
    splits: Splits,
    network: PreTrainedModel,
    best: BestCheckpoint,
    test: EvaluationResult | None,
    history: History,
    distance: dict[str, float],
) -> Finished:
    """Write the artefacts of the chosen checkpoint, whose weights the network has, and sum the
    run up.
    """
    validation, train_split, recipe = best.evaluation, splits.train, spec.recipe
    sha256 = None
    if spec.export:
        tokenizer, folder = get_export_tokenizer(spec.base_model), spec.output / "model"
        sha256 = export_model(network, tokenizer, spec.task, folder)
        GRAPH_EXPORTER.write_graph(network, tokenizer, folder)
        answers = {"validation": (splits.validation, validation)}
        if splits.test and test:
            answers["test"] = (splits.test, test)
        export_predictions(answers, spec.task, spec.output / "predictions.json")
    judge = Scoring(spec.task, spec.metric)
    labels = train_split.list_labels()
    evidence = build_evidence(
        history,
        recipe,
        compute_chance_loss(
            spec.task, labels, compute_class_weights(spec.task, recipe.class_weights, labels)
        ),
        distance,
        compute_answer_shares(validation.predictions, spec.task),
        train_split.count_truncated_rows() / len(train_split.rows),
    )
    return Finished(
        best_step=best.step,
        validation=validation.result,
        test=test.result if test else None,
        degenerate=judge.is_degenerate(
            splits.validation.list_labels(), validation.predictions, validation.result.score
        ),
        trained_tokens=count_trained_tokens(
            train_split.text,
            train_split.rows,
            recipe.train_batch_size,
            spec.data_seed,
            recipe.max_steps,
        ),
        weights_sha256=sha256,
        evidence=evidence,
        diagnosis=diagnose_run(evidence, splits.validation, validation, recipe, judge),
    )

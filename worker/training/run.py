"""One run from top to bottom: seed -> split -> text -> encoder -> re-init -> vocabulary -> mixout -> optimiser -> loop -> evaluate ->
export."""

from collections.abc import Callable, Iterator
from itertools import islice

import torch
import transformers
from transformers import PreTrainedModel

from shared.domain.naming import state_name
from shared.domain.task import TaskType
from shared.metrics import Scoring
from shared.recipe import Recipe
from worker.training.async_metrics import DELAY
from worker.training.data.batches import shuffled, tokens_trained
from worker.training.data.split import Split, Splits, load_splits
from worker.training.data.tokenization import Batch, TextCache, tokenizer_to_export
from worker.training.diagnosis import diagnose
from worker.training.errors import Stopped
from worker.training.evaluation import Evaluated, evaluate
from worker.training.events import Event, Finished, Paused, Started
from worker.training.loop import train
from worker.training.malloc import keep_freed_memory
from worker.training.model.checkpoint import Best, export_model, export_predictions
from worker.training.model.compact_vocabulary import Vocabulary
from worker.training.model.encoder import load_encoder
from worker.training.model.forward import Forward
from worker.training.model.initial_weights import StartingWeights, starting_weights
from worker.training.model.onnx_export import GRAPHS
from worker.training.model.precision import compute_weights
from worker.training.model.reinit import reinitialize
from worker.training.optim.mixout import add_mixout, remove_mixout
from worker.training.optim.objective import (
    begin_at_mean,
    chance_loss,
    training_objective,
    weights_of,
)
from worker.training.optim.optimizer import Optimizer
from worker.training.resume_state import load_state, save_state
from worker.training.run_diagnostics import History, distance_from, gather, shares_of_answers
from worker.training.seeding import make_deterministic
from worker.training.spec import RunSpec


def train_run(
    spec: RunSpec,
    should_stop: Callable[[], bool],
    cache: TextCache | None = None,
    should_wait: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Train one seed of one job and leave its artefacts in ``spec.output``; ``should_wait`` ends it as a ``stop_step`` does.

    Raises Stopped, within one batch of ``should_stop`` being true; Diverged; BaseModelUnreadable; InvalidValue for data that do not
    fit the task. ``cache`` keeps tokenised files between runs and changes no result.
    """

    def pause() -> None:
        if should_stop():
            raise Stopped(spec.run_id)

    pause()
    make_deterministic(spec.threads, spec.device)
    keep_freed_memory()
    splits = load_splits(spec, cache or TextCache(), pause)
    judge = Scoring(spec.task, spec.metric)
    network, optimizer, vocabulary = prepare(spec, splits)
    splits = vocabulary.renumbered(splits)
    weights = compute_weights(network, spec.recipe.precision)
    forward = Forward(weights.module)
    yield started(spec, splits, judge, padding_free=forward.padding_free)

    best, history, answers = (
        Best(spec.recipe.select),
        History(),
        Validated(forward, splits.validation, judge, pause),
    )
    if spec.state is not None:
        history = load_state(spec.state, network, optimizer, best, weights, answers)
    for event in train(
        network,
        weights,
        forward,
        training_batches(spec, splits, forward, pause, done=history.step),
        spec.recipe,
        data_seed=spec.data_seed,
        objective=training_objective(
            spec.task, spec.recipe.class_weights, splits.train.labels(), forward.device
        ),
        evaluate=answers,
        best=best,
        optimizer=optimizer,
        done=history.step,
        stop_step=spec.stop_step,
        asked_to_wait=should_wait,
        delay=DELAY if forward.device.type == "cuda" else 0,
    ):
        history.note(event)
        yield event

    if history.step < spec.recipe.max_steps:
        save_state(spec.output / state_name(history.step), network, optimizer, best, history)
        yield paused(spec, splits, judge, history.step, answers.latest)
        return
    yield conclude(spec, splits, vocabulary, network, best, history, pause)


def conclude(
    spec: RunSpec,
    splits: Splits,
    vocabulary: Vocabulary,
    network: PreTrainedModel,
    best: Best,
    history: History,
    pause: Callable[[], None],
) -> Finished:
    """From the network with the last step's weights to the artefacts of the chosen ones; ``splits`` are in its vocabulary."""
    start = build_network(spec, splits)
    under_mixout(start, spec.recipe)  # where parameters have other names
    whole = vocabulary.whole(network, start, spec.recipe, history.step)
    distance = distance_from(start, network, whole)  # of the last weights, whatever was chosen
    best.restore(network)
    remove_mixout(network)
    forward, judge = Forward(network), Scoring(spec.task, spec.metric)
    if (
        spec.recipe.precision != "float32"
    ):  # what is told of the chosen weights is what they give as they are published
        best.rescore(evaluate(forward, splits.validation, judge, pause))
    test = evaluate(forward, splits.test, judge, pause) if splits.test and spec.export else None
    vocabulary.restore(network, start, spec.recipe, best.step)
    return finish(spec, splits, network, best, test, history, distance)


def prepare(spec: RunSpec, splits: Splits) -> tuple[PreTrainedModel, Optimizer, Vocabulary]:
    """The network as training begins, with the vocabulary that occurs, under mixout where the recipe has it, and its optimiser."""
    network = build_network(spec, splits)
    vocabulary = Vocabulary.of(network, [split.text for split in splits.present().values()])
    vocabulary.cut(network)
    start = under_mixout(network, spec.recipe)
    return network, Optimizer(network, spec.recipe, start), vocabulary


def under_mixout(network: PreTrainedModel, recipe: Recipe) -> StartingWeights:
    """Put the network under mixout where the recipe has it; returns what the recipe refers back to."""
    start = starting_weights(network, recipe)
    if recipe.mixout:
        add_mixout(network, recipe.mixout, start)
    return start


class Validated:
    """Scores the network as it is on the validation rows, and keeps the latest answers."""

    def __init__(
        self, forward: Forward, rows: Split, judge: Scoring, pause: Callable[[], None]
    ) -> None:
        self._arguments = forward, rows, judge, pause
        self._latest: Evaluated | None = None

    def __call__(self) -> Evaluated:
        self._latest = evaluate(*self._arguments)
        return self._latest

    @property
    def latest(self) -> Evaluated:
        assert self._latest is not None, "training ends with an evaluation"
        return self._latest


def build_network(spec: RunSpec, splits: Splits) -> PreTrainedModel:
    """The base model with what is new in it drawn from ``init_seed``, on the run's device: what training begins with."""
    network = load_encoder(spec.base_model, spec.task, spec.init_seed)
    reinitialize(
        network,
        pooler=spec.recipe.reinit_pooler,
        layers=spec.recipe.reinit_layers,
        init_seed=spec.init_seed,
    )
    if spec.task.type is TaskType.REGRESSION:
        begin_at_mean(network, splits.train.labels())
    network.to(torch.device(spec.device))  # type: ignore[arg-type]  # transformers' decorator hides the signature
    return network


def training_batches(
    spec: RunSpec, splits: Splits, forward: Forward, pause: Callable[[], None], *, done: int = 0
) -> Iterator[Batch]:
    """All but the ``done`` first."""
    for rows in islice(
        shuffled(splits.train.rows, spec.recipe.train_batch_size, spec.data_seed), done, None
    ):
        pause()
        yield forward.batch(splits.train.text, rows)


def started(spec: RunSpec, splits: Splits, judge: Scoring, *, padding_free: bool) -> Started:
    present = splits.present()
    return Started(
        total_steps=spec.recipe.max_steps,
        rows={name: len(split.rows) for name, split in present.items()},
        truncated={name: split.truncated() for name, split in present.items()},
        majority_score={
            name: judge.constant_answer(split.labels())
            for name, split in present.items()
            if name != "train"
        },
        environment=environment()
        | {
            "threads": str(spec.threads),
            "device": spec.device,
            "batches": "padding_free" if padding_free else "padded",
        },
    )


def environment() -> dict[str, str]:
    """What the bitwise promise depends on, beside the run's own threads and device."""
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
    }


def paused(spec: RunSpec, splits: Splits, judge: Scoring, step: int, answers: Evaluated) -> Paused:
    train_split, recipe = splits.train, spec.recipe
    return Paused(
        step=step,
        score=answers.result.score,
        degenerate=judge.is_degenerate(
            splits.validation.labels(), answers.predictions, answers.result.score
        ),
        trained_tokens=tokens_trained(
            train_split.text, train_split.rows, recipe.train_batch_size, spec.data_seed, step
        ),
    )


def finish(
    spec: RunSpec,
    splits: Splits,
    network: PreTrainedModel,
    best: Best,
    test: Evaluated | None,
    history: History,
    distance: dict[str, float],
) -> Finished:
    """Write the artefacts of the chosen checkpoint, whose weights the network has, and sum the run up."""
    validation, train_split, recipe = best.evaluated, splits.train, spec.recipe
    sha256 = None
    if spec.export:
        tokenizer, folder = tokenizer_to_export(spec.base_model), spec.output / "model"
        sha256 = export_model(network, tokenizer, spec.task, folder)
        GRAPHS.write(network, tokenizer, folder)
        answers = {"validation": (splits.validation, validation)}
        if splits.test and test:
            answers["test"] = (splits.test, test)
        export_predictions(answers, spec.task, spec.output / "predictions.json")
    judge = Scoring(spec.task, spec.metric)
    labels = train_split.labels()
    evidence = gather(
        history,
        recipe,
        chance_loss(spec.task, labels, weights_of(spec.task, recipe.class_weights, labels)),
        distance,
        shares_of_answers(validation.predictions, spec.task),
        train_split.truncated() / len(train_split.rows),
    )
    return Finished(
        best_step=best.step,
        validation=validation.result,
        test=test.result if test else None,
        degenerate=judge.is_degenerate(
            splits.validation.labels(), validation.predictions, validation.result.score
        ),
        trained_tokens=tokens_trained(
            train_split.text,
            train_split.rows,
            recipe.train_batch_size,
            spec.data_seed,
            recipe.max_steps,
        ),
        weights_sha256=sha256,
        evidence=evidence,
        diagnosis=diagnose(evidence, splits.validation, validation, recipe, judge),
    )

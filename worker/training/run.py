"""One run from top to bottom: seed -> split -> text -> encoder -> re-init -> mixout -> optimiser -> loop -> evaluate -> export."""

from collections.abc import Callable, Iterator

import torch
import transformers
from transformers import PreTrainedModel

from shared.metrics import Scoring
from shared.task import TaskType
from worker.training.batches import shuffled, tokens_trained
from worker.training.checkpoint import Best, export_model, export_predictions
from worker.training.diagnosis import diagnose
from worker.training.encoder import load_encoder
from worker.training.errors import Stopped
from worker.training.evaluate import Evaluated, evaluate
from worker.training.events import Event, Finished, Started, Step
from worker.training.loop import train
from worker.training.mixout import add_mixout, remove_mixout
from worker.training.objective import begin_at_mean, training_objective
from worker.training.reinit import reinitialize
from worker.training.seeding import make_deterministic
from worker.training.spec import RunSpec
from worker.training.split import Splits, load_splits
from worker.training.start import StartingWeights, starting_weights
from worker.training.text import Batch, TextCache, load_tokenizer


def train_run(spec: RunSpec, should_stop: Callable[[], bool], cache: TextCache | None = None) -> Iterator[Event]:
    """Train one seed of one job and leave its artefacts in ``spec.output``.

    Raises Stopped, within one batch of ``should_stop`` being true; Diverged; BaseModelUnreadable; InvalidValue for data that do not
    fit the task. ``cache`` keeps tokenised files between runs and changes no result.
    """

    def pause() -> None:
        if should_stop():
            raise Stopped(spec.run_id)

    pause()
    make_deterministic(spec.threads, spec.device)
    splits = load_splits(spec, cache or TextCache(), pause)
    judge = Scoring(spec.task, spec.metric)
    network, start = build_network(spec, splits)
    yield started(spec, splits, judge)

    best = Best(spec.recipe.select)
    losses: list[float] = []
    for event in train(
        network,
        training_batches(spec, splits, network.device, pause),
        spec.recipe,
        data_seed=spec.data_seed,
        objective=training_objective(spec.task, spec.recipe.class_weights, splits.train.labels()),
        evaluate=lambda: evaluate(network, splits.validation, judge, pause),
        best=best,
        start=start,
    ):
        if isinstance(event, Step):
            losses.append(event.train_loss)
        yield event

    best.restore(network)
    remove_mixout(network)
    test = evaluate(network, splits.test, judge, pause) if splits.test else None
    yield finish(spec, splits, network, best, test, losses)


def build_network(spec: RunSpec, splits: Splits) -> tuple[PreTrainedModel, StartingWeights]:
    """The base model with what is new in it drawn from ``init_seed``, on the run's device, ready to train, and what the recipe's methods
    will refer back to."""
    network = load_encoder(spec.base_model, spec.task, spec.init_seed)
    reinitialize(network, pooler=spec.recipe.reinit_pooler, layers=spec.recipe.reinit_layers, init_seed=spec.init_seed)
    network.to(torch.device(spec.device))  # type: ignore[arg-type]  # transformers' decorator hides the signature
    if spec.task.type is TaskType.REGRESSION:
        begin_at_mean(network, splits.train.labels())
    start = starting_weights(network, spec.recipe)
    if spec.recipe.mixout:
        add_mixout(network, spec.recipe.mixout, start)
    return network, start


def training_batches(spec: RunSpec, splits: Splits, device: torch.device, pause: Callable[[], None]) -> Iterator[Batch]:
    for rows in shuffled(splits.train.rows, spec.recipe.train_batch_size, spec.data_seed):
        pause()
        yield splits.train.text.batch(rows).to(device)


def started(spec: RunSpec, splits: Splits, judge: Scoring) -> Started:
    present = splits.present()
    return Started(
        total_steps=spec.recipe.max_steps,
        rows={name: len(split.rows) for name, split in present.items()},
        truncated={name: split.truncated() for name, split in present.items()},
        majority_score={
            name: judge.constant_answer(split.labels()) for name, split in present.items() if name != "train"
        },
        environment=environment() | {"threads": str(spec.threads), "device": spec.device},
    )


def environment() -> dict[str, str]:
    """What the bitwise promise depends on, beside the run's own threads and device."""
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
    }


def finish(
    spec: RunSpec, splits: Splits, network: PreTrainedModel, best: Best, test: Evaluated | None, losses: list[float]
) -> Finished:
    """Write the artefacts of the chosen checkpoint, whose weights the network has, and sum the run up."""
    sha256 = export_model(network, load_tokenizer(spec.base_model), spec.task, spec.output / "model")
    validation, train_split, recipe = best.evaluated, splits.train, spec.recipe
    answers = {"validation": (splits.validation, validation)}
    if splits.test and test:
        answers["test"] = (splits.test, test)
    export_predictions(answers, spec.task, spec.output / "predictions.json")
    judge = Scoring(spec.task, spec.metric)
    return Finished(
        best_step=best.step,
        validation=validation.result,
        test=test.result if test else None,
        degenerate=judge.is_degenerate(splits.validation.labels(), validation.predictions, validation.result.score),
        trained_tokens=tokens_trained(
            train_split.text, train_split.rows, recipe.train_batch_size, spec.data_seed, recipe.max_steps
        ),
        weights_sha256=sha256,
        diagnosis=diagnose(losses, train_split, splits.validation, validation, spec.recipe, judge),
    )

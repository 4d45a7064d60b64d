"""The end of a run: restore the chosen weights, test, export and summarize.

The summary of a paused run is built here as well.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from transformers import PreTrainedModel

from shared.domain.run_evidence import Evidence, HeadFit
from shared.metrics import Scoring
from shared.metrics.run_result import AverageResult
from worker.training.checkpoint_average import load_greedy_average
from worker.training.data.batches import count_trained_tokens
from worker.training.data.split import Split, Splits
from worker.training.data.tokenizer import get_export_tokenizer
from worker.training.diagnosis import diagnose_run
from worker.training.evaluation import EvaluationResult, evaluate_split
from worker.training.events import Finished, Paused
from worker.training.head_first.fitted_head import FittedHead
from worker.training.model.checkpoint import BestCheckpoint, export_model, export_predictions
from worker.training.model.compact_vocabulary import CompactVocabulary
from worker.training.model.forward import Forward
from worker.training.model.onnx_export import GRAPH_EXPORTER
from worker.training.network_setup import apply_mixout, build_network
from worker.training.optim.mixout import remove_mixout
from worker.training.optim.objective import compute_chance_loss, compute_class_weights
from worker.training.run_diagnostics import (
    History,
    build_evidence,
    compute_answer_shares,
    compute_distances,
)
from worker.training.spec import RunSpec


@dataclass(frozen=True)
class TrainedNetwork:
    """A network with the weights of the last step, and the record of its training."""

    network: PreTrainedModel
    vocabulary: CompactVocabulary
    """The vocabulary that the network was cut to."""
    splits: Splits
    """The rows, with the ids of the compact vocabulary."""
    best: BestCheckpoint
    history: History
    fitted_head: FittedHead | None
    """The head that training started from; None if it was drawn."""


class RunResults(NamedTuple):
    """Measurements of a run after its last step."""

    history: History
    distances: dict[str, float]
    """Distance from the start by module group, always of the last step's weights."""
    average: AverageResult | None
    """The average of checkpoints that was chosen; None unless the recipe averages them."""
    test: EvaluationResult | None
    """Test of the chosen weights."""
    weights_sha256: str | None
    """None if nothing was exported."""
    head_fit: HeadFit | None
    """How the head was fitted before the first step; None if it was drawn."""


def finish_training(
    spec: RunSpec, trained: TrainedNetwork, check_stop: Callable[[], None]
) -> Finished:
    """Restore, test and export the chosen weights, and summarize the run."""
    network, best = trained.network, trained.best
    start = build_network(spec, trained.splits, trained.fitted_head)
    apply_mixout(start, spec.recipe)  # mixout renames parameters
    distances = _measure_distances(spec, trained, start)
    best.restore_weights(network)
    _refine_validation(spec, trained, check_stop)
    average = _average_checkpoints(spec, trained, check_stop)  # before mixout's names are undone
    remove_mixout(network)
    test = _evaluate_test(spec, trained, check_stop)
    steps = [best.step] if average is None else average.steps
    trained.vocabulary.restore_full_table(network, start, spec.recipe, *steps)
    sha256 = _export_run(spec, trained, test) if spec.export else None
    head_fit = trained.fitted_head.fit if trained.fitted_head else None
    results = RunResults(trained.history, distances, average, test, sha256, head_fit)
    return _build_finished_event(spec, trained.splits, best, results)


def _measure_distances(
    spec: RunSpec, trained: TrainedNetwork, start: PreTrainedModel
) -> dict[str, float]:
    full_table = trained.vocabulary.build_full_table(
        trained.network, start, spec.recipe, trained.history.step
    )
    return compute_distances(start, trained.network, full_table)


def _refine_validation(
    spec: RunSpec, trained: TrainedNetwork, check_stop: Callable[[], None]
) -> None:
    """Evaluate the restored weights in float32, if they were trained in another precision.

    The reported scores must be those of the published float32 weights.
    """
    if spec.recipe.precision != "float32":
        trained.best.replace_evaluation(_evaluate_validation(spec, trained, check_stop))


def _average_checkpoints(
    spec: RunSpec, trained: TrainedNetwork, check_stop: Callable[[], None]
) -> AverageResult | None:
    """Load the average of the best checkpoints, if the recipe asks for one.

    The best checkpoint, which the network has at first, is tested before.
    """
    best = trained.best
    if best.candidates is None:
        return None
    test = _evaluate_test(spec, trained, check_stop)
    alone, steps = best.evaluation, [best.step]
    if best.candidates.steps:  # none if no evaluation had a defined score
        steps, evaluation = load_greedy_average(
            trained.network,
            best.candidates,
            alone,
            partial(_evaluate_validation, spec, trained, check_stop),
        )
        best.replace_evaluation(evaluation)
    return AverageResult(
        steps=steps,
        best_checkpoint_validation=alone.result.metrics,
        best_checkpoint_test=None if test is None else test.result.metrics,
    )


def _evaluate_validation(
    spec: RunSpec, trained: TrainedNetwork, check_stop: Callable[[], None]
) -> EvaluationResult:
    scoring = Scoring(spec.task, spec.metric)
    return evaluate_split(Forward(trained.network), trained.splits.validation, scoring, check_stop)


def _evaluate_test(
    spec: RunSpec, trained: TrainedNetwork, check_stop: Callable[[], None]
) -> EvaluationResult | None:
    """Evaluate the current weights on the test rows, if there are any and the run is exported."""
    if not (trained.splits.test and spec.export):
        return None
    scoring = Scoring(spec.task, spec.metric)
    return evaluate_split(Forward(trained.network), trained.splits.test, scoring, check_stop)


def _export_run(spec: RunSpec, trained: TrainedNetwork, test: EvaluationResult | None) -> str:
    """Write the artifacts of the network's weights; return the digest of the weights file."""
    splits = trained.splits
    tokenizer, folder = get_export_tokenizer(spec.base_model), spec.output / "model"
    sha256 = export_model(trained.network, tokenizer, spec.task, folder)
    GRAPH_EXPORTER.write_graph(trained.network, tokenizer, folder)
    evaluations = {"validation": (splits.validation, trained.best.evaluation)}
    if splits.test and test:
        evaluations["test"] = (splits.test, test)
    export_predictions(evaluations, spec.task, spec.output / "predictions.json")
    return sha256


def _build_finished_event(
    spec: RunSpec, splits: Splits, best: BestCheckpoint, results: RunResults
) -> Finished:
    scoring, validation = Scoring(spec.task, spec.metric), best.evaluation
    evidence = _build_run_evidence(spec, splits.train, validation, results)
    return Finished(
        best_step=best.step,
        validation=validation.result,
        test=results.test.result if results.test else None,
        degenerate=_is_degenerate(scoring, splits.validation, validation),
        trained_tokens=_count_tokens(spec, splits.train, spec.recipe.max_steps),
        weights_sha256=results.weights_sha256,
        average=results.average,
        evidence=evidence,
        diagnosis=diagnose_run(evidence, splits.validation, validation, spec.recipe, scoring),
    )


def _build_run_evidence(
    spec: RunSpec, train_split: Split, validation: EvaluationResult, results: RunResults
) -> Evidence:
    labels = train_split.list_labels()
    class_weights = compute_class_weights(spec.task, spec.recipe.class_weights, labels)
    return build_evidence(
        results.history,
        spec.recipe,
        compute_chance_loss(spec.task, labels, class_weights),
        results.distances,
        compute_answer_shares(validation.predictions, spec.task),
        train_split.count_truncated_rows() / len(train_split.rows),
        results.head_fit,
    )


def build_paused_event(
    spec: RunSpec, splits: Splits, step: int, evaluation: EvaluationResult
) -> Paused:
    """Summarize a run that pauses after ``step``; ``evaluation`` is that of the same step."""
    scoring = Scoring(spec.task, spec.metric)
    return Paused(
        step=step,
        score=evaluation.result.score,
        degenerate=_is_degenerate(scoring, splits.validation, evaluation),
        trained_tokens=_count_tokens(spec, splits.train, step),
    )


def _is_degenerate(scoring: Scoring, split: Split, evaluation: EvaluationResult) -> bool:
    return scoring.is_degenerate(
        split.list_labels(), evaluation.predictions, evaluation.result.score
    )


def _count_tokens(spec: RunSpec, train_split: Split, steps: int) -> int:
    return count_trained_tokens(
        train_split.text, train_split.rows, spec.recipe.train_batch_size, spec.data_seed, steps
    )

"""The end of a run: restore the chosen weights, test, export, and summarise.

A paused run is summarised here as well.
"""

from collections.abc import Callable
from typing import NamedTuple

from transformers import PreTrainedModel

from shared.domain.run_evidence import Evidence
from shared.metrics import Scoring
from worker.training.data.batches import count_trained_tokens
from worker.training.data.split import Split, Splits
from worker.training.data.tokenization import get_export_tokenizer
from worker.training.diagnosis import diagnose_run
from worker.training.evaluation import EvaluationResult, evaluate_split
from worker.training.events import Finished, Paused
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


class RunResults(NamedTuple):
    """What is known of a run after its last step."""

    history: History
    distances: dict[str, float]
    """Distance from the start by module group, of the last weights whichever were chosen."""
    test: EvaluationResult | None
    """Test of the chosen checkpoint."""
    weights_sha256: str | None
    """None if nothing was exported."""


def finish_training(
    spec: RunSpec,
    splits: Splits,
    vocabulary: CompactVocabulary,
    network: PreTrainedModel,
    best: BestCheckpoint,
    history: History,
    check_stop: Callable[[], None],
) -> Finished:
    """Export the chosen weights of a network that has the last step's weights.

    ``splits`` have the ids of the compact vocabulary.
    """
    start = build_network(spec, splits)
    apply_mixout(start, spec.recipe)  # mixout renames parameters
    full_table = vocabulary.build_full_table(network, start, spec.recipe, history.step)
    distances = compute_distances(start, network, full_table)
    best.restore_weights(network)
    remove_mixout(network)
    forward, scoring = Forward(network), Scoring(spec.task, spec.metric)
    if spec.recipe.precision != "float32":
        # the reported scores must be those of the published float32 weights
        best.replace_evaluation(evaluate_split(forward, splits.validation, scoring, check_stop))
    test = None
    if splits.test and spec.export:
        test = evaluate_split(forward, splits.test, scoring, check_stop)
    vocabulary.restore_full_table(network, start, spec.recipe, best.step)
    sha256 = _export_run(spec, splits, network, best.evaluation, test) if spec.export else None
    results = RunResults(history, distances, test, sha256)
    return _build_finished_event(spec, splits, scoring, best, results)


def _export_run(
    spec: RunSpec,
    splits: Splits,
    network: PreTrainedModel,
    validation: EvaluationResult,
    test: EvaluationResult | None,
) -> str:
    """Write the artefacts of the network's weights; return the digest of the weights file."""
    tokenizer, folder = get_export_tokenizer(spec.base_model), spec.output / "model"
    sha256 = export_model(network, tokenizer, spec.task, folder)
    GRAPH_EXPORTER.write_graph(network, tokenizer, folder)
    evaluations = {"validation": (splits.validation, validation)}
    if splits.test and test:
        evaluations["test"] = (splits.test, test)
    export_predictions(evaluations, spec.task, spec.output / "predictions.json")
    return sha256


def _build_finished_event(
    spec: RunSpec, splits: Splits, scoring: Scoring, best: BestCheckpoint, results: RunResults
) -> Finished:
    validation = best.evaluation
    evidence = _build_run_evidence(spec, splits.train, validation, results)
    return Finished(
        best_step=best.step,
        validation=validation.result,
        test=results.test.result if results.test else None,
        degenerate=_is_degenerate(scoring, splits.validation, validation),
        trained_tokens=_count_tokens(spec, splits.train, spec.recipe.max_steps),
        weights_sha256=results.weights_sha256,
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
    )


def build_paused_event(
    spec: RunSpec, splits: Splits, scoring: Scoring, step: int, evaluation: EvaluationResult
) -> Paused:
    """Summarise a run that pauses after ``step``."""
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

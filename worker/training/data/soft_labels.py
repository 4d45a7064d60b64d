"""Soft labels of a distillation: the mean prediction of a job's models on the texts it trains on.

A student that learns the probabilities of an ensemble comes close to it in one model (Hinton et al.
2015, at temperature 1). The mean is that which the service scores and serves as the ensemble.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from shared.domain.task import Task, TaskType
from shared.metrics.ensemble import Scores, average_scores, predict_label
from worker.training.data.split import Split, Splits
from worker.training.data.tokenization import TextCache
from worker.training.data.unlabelled import append_texts, choose_unlabelled_texts
from worker.training.evaluation import decode_logits, predict_logits
from worker.training.model.encoder import load_trained_network
from worker.training.model.forward import Forward
from worker.training.model.pooled_classifier import HeadChoice
from worker.training.spec import RunSpec


def apply_soft_labels(
    spec: RunSpec, splits: Splits, cache: TextCache, check_stop: Callable[[], None]
) -> Splits:
    """Return the splits with soft labels on the training rows, if the spec has teachers.

    The training rows are followed by the spec's unlabelled texts, whose label is the one that the
    mean predicts. One teacher at a time is in memory. ``check_stop`` is called before each batch
    and may raise. Raises BaseModelUnreadable for an incomplete or damaged teacher, and InvalidValue
    for unlabelled texts that do not fit the task.
    """
    if not spec.teachers:
        return splits
    train = splits.train
    added = choose_unlabelled_texts(spec, train, cache, check_stop)
    parts = [train] if added is None else [train, _fill_targets(added, spec.task)]
    mean = average_scores(
        _predict_scores(spec, teacher, parts, check_stop) for teacher in spec.teachers
    )
    if added is not None:
        predicted = [predict_label(row, spec.task.type) for row in mean[len(train.rows) :]]
        train = append_texts(train, added, predicted)
    soft_labels = torch.zeros(len(train.text.labels), mean.shape[1])
    soft_labels[list(train.rows)] = torch.from_numpy(mean).float()
    text = replace(train.text, soft_labels=soft_labels)
    return replace(splits, train=replace(train, text=text))


def _fill_targets(split: Split, task: Task) -> Split:
    """Return the split with zeros as the targets that every batch has; predictions ignore them."""
    targets = torch.zeros(len(split.text.examples), task.num_outputs)
    return replace(split, text=replace(split.text, soft_labels=targets))


def _predict_scores(
    spec: RunSpec, teacher: Path, splits: Sequence[Split], check_stop: Callable[[], None]
) -> Scores:
    """Return one teacher's scores of shape (rows of all splits, outputs)."""
    choice = HeadChoice.from_recipe(spec.recipe)
    network = load_trained_network(teacher, spec.task, choice)
    network.to(torch.device(spec.device))  # type: ignore[arg-type]
    forward = Forward(network)
    logits = torch.cat([predict_logits(forward, split, check_stop) for split in splits])
    return _convert_to_scores(logits, spec.task)


def _convert_to_scores(logits: Tensor, task: Task) -> Scores:
    if task.type is TaskType.REGRESSION:
        numbers: Scores = logits.double().numpy()
        return numbers
    _, probabilities = decode_logits(logits, task.type)
    return torch.tensor(probabilities, dtype=torch.float64).numpy()

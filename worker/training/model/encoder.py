"""Loading of a pre-trained encoder under a new classification head.

The head, and a pooler that the checkpoint lacks, are drawn here in plain torch from the run's
``init_seed``: transformers' own draw depends on the state of the global generator. Everything else
is the checkpoint, bit for bit, in float32.
"""

import copy
import math
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from shared.domain.naming import HEAD_WEIGHTS_FILE
from shared.domain.task import Task, TaskType
from worker.training.errors import BaseModelUnreadable
from worker.training.model.empty_network import check_base_model
from worker.training.model.folder_fingerprint import FolderFingerprint, compute_folder_fingerprint
from worker.training.model.module_groups import get_family, is_bias, is_normalization
from worker.training.model.pooled_classifier import (
    FAMILY_HEAD,
    HeadChoice,
    PooledClassifier,
)
from worker.training.model.transformers_logging import silence_transformers
from worker.training.seeding import init_stream


def load_encoder(
    base_model: Path, task: Task, init_seed: int, choice: HeadChoice = FAMILY_HEAD
) -> PreTrainedModel:
    """Return the base model with a head for the task's outputs, on the CPU, in float32.

    Raise BaseModelUnreadable if its folder is incomplete or damaged.
    """
    checkpoint, missing = _read_cached_checkpoint(
        base_model, compute_folder_fingerprint(base_model), task.type, tuple(task.output_names)
    )
    network = copy.deepcopy(checkpoint)
    family = get_family(network)
    drawn = [*family.head, *([family.pooler] if family.pooler else [])]
    _check_missing_tensors(base_model, [key for key in missing if not _is_below(key, *drawn)])
    if choice.pooling != "family":
        network = PooledClassifier(network, choice, task)
        family = network.family
    for path in family.head:
        draw_module(network, path, init_seed)
    if family.pooler and any(_is_below(key, family.pooler) for key in missing):
        draw_module(network, family.pooler, init_seed)
    return network


def load_trained_network(folder: Path, task: Task, choice: HeadChoice) -> PreTrainedModel:
    """Return a model that a run of this task has exported, on the CPU, in float32.

    Raise BaseModelUnreadable if its folder is incomplete or damaged.
    """
    network, missing = _read_checkpoint(folder, task.type, tuple(task.output_names))
    if choice.pooling == "family":
        _check_missing_tensors(folder, missing)
        return network
    family = get_family(network)
    replaced = [*family.head, *([family.pooler] if family.pooler else [])]
    _check_missing_tensors(folder, [key for key in missing if not _is_below(key, *replaced)])
    pooled = PooledClassifier(network, choice, task)
    try:
        pooled.classifier.load_state_dict(load_file(folder / HEAD_WEIGHTS_FILE))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise BaseModelUnreadable(
            f"The head of the model {folder.name} cannot be read: {error}", param="model"
        ) from error
    return pooled


def has_pretrained_pooler(base_model: Path, task: Task) -> bool:
    """Return whether the encoder has a pooler (``pooler_output``) whose weights are in the folder.

    Raise BaseModelUnreadable if the folder is incomplete or damaged.
    """
    checkpoint, missing = _read_cached_checkpoint(
        base_model, compute_folder_fingerprint(base_model), task.type, tuple(task.output_names)
    )
    pooler = get_family(checkpoint).pooler
    if pooler is None or not pooler.startswith(f"{checkpoint.base_model_prefix}."):
        return False
    return not any(_is_below(key, pooler) for key in missing)


def _check_missing_tensors(base_model: Path, missing: list[str]) -> None:
    if missing:
        raise BaseModelUnreadable(
            f"The weights of {base_model.name} lack {len(missing)} tensors: "
            f"{', '.join(missing[:5])}{', …' if len(missing) > 5 else ''}. "
            "Copy its folder again.",
            param="model",
        )


# the runs of a job start from the same weights: a warm trainer reads them once
@lru_cache(maxsize=1)
def _read_cached_checkpoint(
    base_model: Path, _fingerprint: FolderFingerprint, task_type: TaskType, outputs: tuple[str, ...]
) -> tuple[PreTrainedModel, list[str]]:
    """Return what ``_read_checkpoint`` returns. It is cached: copy it before changing it."""
    return _read_checkpoint(base_model, task_type, outputs)


def _read_checkpoint(
    folder: Path, task_type: TaskType, outputs: tuple[str, ...]
) -> tuple[PreTrainedModel, list[str]]:
    """Return the checkpoint and the names of the tensors it lacks."""
    check_base_model(folder)
    try:
        with silence_transformers():
            network, report = AutoModelForSequenceClassification.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
                id2label=dict(enumerate(outputs)),  # also sets the number of outputs
                label2id={name: index for index, name in enumerate(outputs)},
                problem_type=str(task_type),
                # a base model that was fine-tuned before may have a head of another size
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise BaseModelUnreadable(
            f"The model {folder.name} cannot be read: {error}", param="model"
        ) from error
    _check_finite(folder, network)
    return network, sorted(
        {*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])}
    )


def _check_finite(base_model: Path, network: PreTrainedModel) -> None:
    """Raise BaseModelUnreadable if a weight is infinite or no number, as an overflow leaves it."""
    for name, parameter in network.named_parameters():
        # a sum is finite only if every term is; it needs no copy of the tensor
        if not math.isfinite(parameter.detach().sum(dtype=torch.float64).item()):
            raise BaseModelUnreadable(
                f"The weights of {base_model.name} contain numbers that are not finite, in "
                f"{name}. Copy its folder again, or choose another base model.",
                param="model",
            )


def _is_below(key: str, *paths: str) -> bool:
    return key.startswith(tuple(f"{path}." for path in paths))


@torch.no_grad()
def draw_module(network: PreTrainedModel, path: str, init_seed: int) -> None:
    """Draw every parameter below ``path`` as BERT was initialized.

    Linear weights are drawn from N(0, ``initializer_range``), every bias is 0, weights of
    normalizations are 1. transformers' helpers cannot be used because they skip loaded
    parameters. Each parameter has its own random stream, named by its path, so its draw does not
    depend on which others are drawn.
    """
    std = network.config.initializer_range
    for module_name, module in network.get_submodule(path).named_modules(prefix=path):
        for name, parameter in module.named_parameters(recurse=False):
            _draw_parameter(module, parameter, f"{module_name}.{name}", std, init_seed)


def _draw_parameter(
    module: nn.Module, parameter: nn.Parameter, full_name: str, std: float, init_seed: int
) -> None:
    if is_bias(full_name):
        parameter.zero_()
    elif is_normalization(module):
        parameter.fill_(1.0)
    elif isinstance(module, nn.Linear):
        parameter.normal_(0.0, std, generator=init_stream(init_seed, full_name))
    else:
        raise BaseModelUnreadable(
            f"{full_name} cannot be initialized: {type(module).__name__} has no known initial "
            "distribution.",
            param="model",
        )

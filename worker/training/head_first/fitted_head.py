"""The fit of a run's head: once per network below the head's last layer, for any number of seeds.

What is fitted is the layer that gives the logits. It reads the head's own hidden states where the
family's head has a dense layer (RoBERTa, ELECTRA, DistilBERT, DeBERTa, MPNet), which stays as it
was drawn; the pooler's output where there is a pooler; the pooled vectors of ``pooling`` and
``pair_encoding`` otherwise; and the cosine of a regression on separate pairs. Blocks and pooler
are the re-initialized ones, because training starts from them.

The fit is in float32 states and float64 arithmetic in either precision, on at most as many training
rows as the baselines' linear models. It depends on no seed but through the network, so a run that
resumes fits the same head again; it needs it only to measure how far training moved it.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shared.domain.run_evidence import HeadFit
from shared.metrics import Scoring
from shared.recipe import Recipe
from worker.training.baselines.rows import build_linear_targets, downsample_rows, get_max_rows
from worker.training.data.split import Split, Splits
from worker.training.evaluation import decode_logits
from worker.training.head_first.inputs import compute_head_inputs, measure_input_noise
from worker.training.head_first.linear_fit import FitProblem, LinearFit, fit_linear_layer
from worker.training.model.module_groups import get_output_layer
from worker.training.optim.objective import build_training_objective
from worker.training.spec import RunSpec


@dataclass(frozen=True)
class FittedHead:
    """The head's last layer as fitted, and how well it does on the rows that it was fitted on."""

    layer: LinearFit
    fit: HeadFit

    @torch.no_grad()
    def write_weights(self, network: PreTrainedModel) -> None:
        """Write the layer's weights into the network."""
        output = get_output_layer(network)
        output.weight.copy_(self.layer.weight)
        output.bias.copy_(self.layer.bias)


class HeadFitter:
    """Fitter that remembers its last head: seeds that re-initialize nothing have the same one."""

    def __init__(self) -> None:
        self._last: tuple[str, FittedHead] | None = None

    def fit_head(
        self,
        network: PreTrainedModel,
        spec: RunSpec,
        splits: Splits,
        check_stop: Callable[[], None],
    ) -> FittedHead:
        """Return the head fitted on the network as it is, which is left in evaluation mode.

        The network must have its full vocabulary, and the splits its ids. ``check_stop`` is called
        between batches and evaluations of the loss, and may raise.
        """
        key = _compute_key(network, spec, splits.train)
        if self._last is None or self._last[0] != key:
            self._last = None  # two heads of many labels need not fit into memory
            self._last = key, _fit_head(network, spec, splits.train, check_stop)
        return self._last[1]


HEAD_FITTER = HeadFitter()
"""The fitter of this process."""


def _fit_head(
    network: PreTrainedModel, spec: RunSpec, train: Split, check_stop: Callable[[], None]
) -> FittedHead:
    sample = downsample_rows(build_linear_targets(train, spec.task), get_max_rows(spec.task))
    split = Split(train.text, [train.rows[index] for index in sample])
    labels = split.list_labels()
    inputs = compute_head_inputs(network, split.text, split.rows, check_stop)
    problem = FitProblem(
        inputs=inputs,
        # mixout replaces dropout, and has no effect before the first update
        noise=torch.zeros_like(inputs[0])
        if spec.recipe.mixout
        else measure_input_noise(network, split.text, split.rows, inputs, check_stop),
        targets=split.text.build_targets(split.rows),
        objective=build_training_objective(
            spec.task, spec.recipe.class_weights, train.list_labels()
        ),
        task_type=spec.task.type,
        outputs=spec.task.num_outputs,
        has_few_features=spec.recipe.pair_encoding == "aligned",
    )
    layer = fit_linear_layer(problem, check_stop)
    predictions, _ = decode_logits(layer.compute_logits(problem.inputs), spec.task.type)
    scores = Scoring(spec.task, spec.metric).compute_scores(labels, predictions)
    fit = HeadFit(
        rows=len(labels),
        loss=problem.compute_loss(layer),
        score=scores[spec.metric],
        penalty=layer.penalty,
    )
    return FittedHead(layer, fit)


def _compute_key(network: PreTrainedModel, spec: RunSpec, train: Split) -> str:
    """Return a digest of everything that the fit depends on."""
    settings = (
        network.config.to_json_string(use_diff=False),
        spec.task.model_dump_json(),
        spec.metric,
        json.dumps(_list_head_settings(spec.recipe)),
        str(spec.threads),
        spec.device,
        repr(train.list_labels()),
        repr(train.text.list_lengths(train.rows)),
    )
    digest = hashlib.sha256("\n".join(settings).encode())
    for tensor in (*_iterate_frozen_tensors(network), *_iterate_data(train)):
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _list_head_settings(recipe: Recipe) -> list[object]:
    return [recipe.class_weights, recipe.pooling, recipe.pair_encoding, bool(recipe.mixout)]


def _iterate_frozen_tensors(network: PreTrainedModel) -> Iterator[Tensor]:
    """Iterate over the network's weights below the output layer."""
    output = set(get_output_layer(network).parameters())
    yield from (parameter for parameter in network.parameters() if parameter not in output)


def _iterate_data(train: Split) -> Iterator[Tensor]:
    """Iterate over the tokens of the rows and their soft labels, if they have any."""
    if train.text.soft_labels is not None:
        yield train.text.soft_labels[list(train.rows)]
    for sequence in train.text.list_sequences(train.rows):
        yield from (column[sequence] for column in train.text.columns.values())

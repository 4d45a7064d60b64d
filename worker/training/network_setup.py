"""The network before its first step, with its optimizer, as the spec defines it."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from transformers import PreTrainedModel

from shared.domain.task import TaskType
from shared.recipe import Recipe
from worker.training.data.split import Splits
from worker.training.head_first.fitted_head import HEAD_FITTER, FittedHead
from worker.training.model.compact_vocabulary import CompactVocabulary
from worker.training.model.encoder import load_encoder
from worker.training.model.initial_weights import InitialWeights, copy_initial_weights
from worker.training.model.pooled_classifier import HeadChoice
from worker.training.model.reinit import reinitialize_modules
from worker.training.optim.mixout import add_mixout
from worker.training.optim.objective import initialize_regression
from worker.training.optim.optimizer import Optimizer
from worker.training.pinned_model import require_spec_model
from worker.training.spec import RunSpec


class PreparedNetwork(NamedTuple):
    """A network ready for its first step."""

    network: PreTrainedModel
    optimizer: Optimizer
    vocabulary: CompactVocabulary
    """The vocabulary that the network was cut to; the splits must be renumbered with it."""
    fitted_head: FittedHead | None
    """The head that training starts from; None if it was drawn."""


def prepare_network(
    spec: RunSpec, splits: Splits, check_stop: Callable[[], None]
) -> PreparedNetwork:
    """Build the network, fit its head if asked, cut its vocabulary, and create its optimizer.

    ``check_stop`` is called while the head is fitted and may raise.
    """
    network = build_network(spec, splits)
    fitted_head = initialize_head(network, spec, splits, check_stop)
    vocabulary = CompactVocabulary.from_texts(
        network, [split.text for split in splits.get_named_splits().values()]
    )
    vocabulary.cut_embeddings(network)
    initial_weights = apply_mixout(network, spec.recipe)
    optimizer = Optimizer(network, spec.recipe, initial_weights)
    return PreparedNetwork(network, optimizer, vocabulary, fitted_head)


def build_network(
    spec: RunSpec, splits: Splits, fitted_head: FittedHead | None = None
) -> PreTrainedModel:
    """Load the base model and draw its new parts from ``init_seed``, on the run's device.

    ``fitted_head`` replaces the draw of the head's last layer. Raise BaseModelChanged if the
    folder has, by now, another model than that of the spec.
    """
    require_spec_model(spec)  # before reading, a folder that is gone is told from a damaged one
    network = load_encoder(
        spec.base_model, spec.task, spec.init_seed, HeadChoice.from_recipe(spec.recipe)
    )
    require_spec_model(spec)
    reinitialize_modules(
        network,
        pooler=spec.recipe.reinit_pooler,
        layers=spec.recipe.reinit_layers,
        init_seed=spec.init_seed,
    )
    if spec.task.type is TaskType.REGRESSION:
        initialize_regression(network, splits.train.list_labels())
    # transformers' decorator hides the signature
    network.to(torch.device(spec.device))  # type: ignore[arg-type]
    if fitted_head is not None:
        fitted_head.write_weights(network)
    return network


def initialize_head(
    network: PreTrainedModel, spec: RunSpec, splits: Splits, check_stop: Callable[[], None]
) -> FittedHead | None:
    """Fit the head of a network from ``build_network`` and write it, if the recipe asks.

    Return the fitted head. ``check_stop`` is called while it is fitted and may raise.
    """
    if not spec.recipe.head_first:
        return None
    fitted_head = HEAD_FITTER.fit_head(network, spec, splits, check_stop)
    fitted_head.write_weights(network)
    return fitted_head


def apply_mixout(network: PreTrainedModel, recipe: Recipe) -> InitialWeights:
    """Put the network under mixout if the recipe asks; return the weights it refers back to."""
    initial_weights = copy_initial_weights(network, recipe)
    if recipe.mixout:
        add_mixout(network, recipe.mixout, initial_weights)
    return initial_weights

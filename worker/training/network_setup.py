"""The network before its first step, with its optimizer, as the spec defines it."""

from typing import NamedTuple

import torch
from transformers import PreTrainedModel

from shared.domain.task import TaskType
from shared.recipe import Recipe
from worker.training.data.split import Splits
from worker.training.model.compact_vocabulary import CompactVocabulary
from worker.training.model.encoder import load_encoder
from worker.training.model.initial_weights import InitialWeights, copy_initial_weights
from worker.training.model.reinit import reinitialize_modules
from worker.training.optim.mixout import add_mixout
from worker.training.optim.objective import set_bias_to_mean
from worker.training.optim.optimizer import Optimizer
from worker.training.spec import RunSpec


class PreparedNetwork(NamedTuple):
    """A network ready for its first step."""

    network: PreTrainedModel
    optimizer: Optimizer
    vocabulary: CompactVocabulary
    """The vocabulary that the network was cut to; the splits must be renumbered with it."""


def prepare_network(spec: RunSpec, splits: Splits) -> PreparedNetwork:
    """Build the network, cut its vocabulary, put it under mixout if asked, create its optimizer."""
    network = build_network(spec, splits)
    vocabulary = CompactVocabulary.from_texts(
        network, [split.text for split in splits.get_named_splits().values()]
    )
    vocabulary.cut_embeddings(network)
    initial_weights = apply_mixout(network, spec.recipe)
    return PreparedNetwork(network, Optimizer(network, spec.recipe, initial_weights), vocabulary)


def build_network(spec: RunSpec, splits: Splits) -> PreTrainedModel:
    """Load the base model and draw its new parts from ``init_seed``, on the run's device."""
    network = load_encoder(spec.base_model, spec.task, spec.init_seed)
    reinitialize_modules(
        network,
        pooler=spec.recipe.reinit_pooler,
        layers=spec.recipe.reinit_layers,
        init_seed=spec.init_seed,
    )
    if spec.task.type is TaskType.REGRESSION:
        set_bias_to_mean(network, splits.train.list_labels())
    # transformers' decorator hides the signature
    network.to(torch.device(spec.device))  # type: ignore[arg-type]
    return network


def apply_mixout(network: PreTrainedModel, recipe: Recipe) -> InitialWeights:
    """Put the network under mixout if the recipe asks; return the weights it refers back to."""
    initial_weights = copy_initial_weights(network, recipe)
    if recipe.mixout:
        add_mixout(network, recipe.mixout, initial_weights)
    return initial_weights

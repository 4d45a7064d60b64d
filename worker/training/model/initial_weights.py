"""Copies of the initial weights, for pre-trained weight decay and mixout.

They are taken after re-initialization, so for re-initialized tensors they are the draw. One copy
serves both methods; a recipe with neither of them keeps none.
"""

from torch import Tensor
from transformers import PreTrainedModel

from shared.recipe import Recipe
from worker.training.model.module_groups import list_module_groups
from worker.training.optim.mixout import list_mixed_layers
from worker.training.optim.parameter_groups import find_undecayed_parameters

InitialWeights = dict[Tensor, Tensor]
"""Initial value by parameter."""


def copy_initial_weights(network: PreTrainedModel, recipe: Recipe) -> InitialWeights:
    """Copy the parameters that the recipe refers back to; the new head is never among them.

    Call this when the network is on the device it is trained on, before the first update.
    """
    wanted: list[Tensor] = []
    if recipe.pretrained_weight_decay:
        undecayed = find_undecayed_parameters(network)
        encoder = [group for group in list_module_groups(network) if group.name != "head"]
        wanted = [
            parameter
            for group in encoder
            for parameter in group.parameters.values()
            if parameter not in undecayed
        ]
    elif recipe.mixout:
        wanted = [layer.weight for layer in list_mixed_layers(network)]
    return {parameter: parameter.detach().clone() for parameter in wanted}

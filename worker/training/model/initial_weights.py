"""The weights that training begins with, kept for the methods that refer back to them:
pre-trained weight decay and mixout.

They are taken after re-initialisation, so that where the network was drawn afresh they are the
draw. One copy serves both methods; a recipe without either keeps none.
"""

from torch import Tensor
from transformers import PreTrainedModel

from shared.recipe import Recipe
from worker.training.model.module_groups import list_module_groups
from worker.training.optim.mixout import mixed_layers
from worker.training.optim.parameter_groups import find_undecayed_parameters

InitialWeights = dict[Tensor, Tensor]  # the start of each parameter, by the parameter itself


def copy_initial_weights(network: PreTrainedModel, recipe: Recipe) -> InitialWeights:
    """Copies, on the network's device, of the parameters that ``recipe`` refers back to; the
    new head is never among them.

    Call it when the network is where it will be trained and before anything has moved it.
    """
    wanted: list[Tensor] = []
    if recipe.pretrained_weight_decay:
        spared = find_undecayed_parameters(network)
        encoder = [part for part in list_module_groups(network) if part.name != "head"]
        wanted = [
            parameter
            for part in encoder
            for parameter in part.parameters.values()
            if parameter not in spared
        ]
    elif recipe.mixout:
        wanted = [layer.weight for layer in mixed_layers(network)]
    return {parameter: parameter.detach().clone() for parameter in wanted}

"""What the head's last layer reads of each row, with every weight of the network frozen."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from worker.training.data.batches import iterate_batches_by_length
from worker.training.data.tokenization import EncodedText
from worker.training.model.forward import Forward
from worker.training.model.module_groups import get_output_layer
from worker.training.seeding import seed_dropout

NOISE_ROWS = 256
"""Most rows on which the noise of dropout is measured."""
NOISE_SEED = 0
"""Seed of that dropout, the same for every run, so that runs with one network have one head."""


def compute_head_inputs(
    network: PreTrainedModel,
    text: EncodedText,
    rows: Sequence[int],
    check_stop: Callable[[], None],
) -> Tensor:
    """Return the inputs of the output layer, float64 of shape (rows, features) on the CPU.

    They are in the order of ``rows``, without dropout. The network is left in evaluation mode.
    ``check_stop`` is called before each batch and may raise.
    """
    network.eval()
    return _capture_inputs(network, text, rows, check_stop)


def measure_input_noise(
    network: PreTrainedModel,
    text: EncodedText,
    rows: Sequence[int],
    inputs: Tensor,
    check_stop: Callable[[], None],
) -> Tensor:
    """Return the variance that dropout gives to each of the inputs, float64 of shape (features,).

    ``inputs`` are those of ``compute_head_inputs`` for the same rows, of which some are passed
    through the network in training mode. The network is left in evaluation mode.
    """
    sample = [int(index) for index in torch.linspace(0, len(rows) - 1, NOISE_ROWS).unique()]
    seed_dropout(NOISE_SEED, step=0)
    network.train()
    try:
        noisy = _capture_inputs(network, text, [rows[index] for index in sample], check_stop)
    finally:
        network.eval()
    return (noisy - inputs[sample]).square().mean(dim=0)


@torch.no_grad()
def _capture_inputs(
    network: PreTrainedModel,
    text: EncodedText,
    rows: Sequence[int],
    check_stop: Callable[[], None],
) -> Tensor:
    forward = Forward(network)
    captured: list[Tensor] = []
    ordered_rows: list[int] = []
    handle = get_output_layer(network).register_forward_pre_hook(
        # a packed batch has leading dimensions of its one sequence
        lambda _module, inputs: captured.append(inputs[0].flatten(0, -2).cpu())
    )
    try:
        for batch in iterate_batches_by_length(rows, text):
            check_stop()
            forward(forward.build_batch(text, batch))
            ordered_rows.extend(batch)
    finally:
        handle.remove()
    index_of_row = {row: index for index, row in enumerate(ordered_rows)}
    return torch.cat(captured)[[index_of_row[row] for row in rows]].double()

"""The forward pass of a stack: each seed's own rows on a flat line of tokens of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from worker.training.stacked import attention
from worker.training.text import EncodedText


@dataclass(frozen=True)
class StackedBatch:
    inputs: dict[str, Tensor]
    layout: attention.RowLayout
    labels: Tensor
    """Of shape (K, rows, …)."""


class StackedForward:
    def __init__(self, network: PreTrainedModel) -> None:
        self._network = network
        self._batch: StackedBatch | None = None
        network.config._attn_implementation = attention.NAME
        network.get_submodule("bert.encoder").register_forward_hook(self._first_tokens)

    def _first_tokens(self, module: nn.Module, inputs: object, output):
        hidden = output.last_hidden_state
        starts = self._batch.layout.starts
        output.last_hidden_state = hidden.gather(1, starts[..., None].expand(-1, -1, hidden.shape[-1]))[:, None]
        return output

    def batch(self, text: EncodedText, rows: Sequence[Sequence[int]]) -> StackedBatch:
        """The rows of each seed, equally many."""
        from worker.training.objective import targets

        device = self.device
        lengths = [text.lengths(of_seed) for of_seed in rows]
        layout = attention.RowLayout(lengths, device)
        inputs = {
            name: torch.stack([
                _padded(torch.cat([column[row] for row in of_seed]), layout.tokens, text.padding[name]) for of_seed in rows
            ]).to(device)
            for name, column in text.columns.items()
        }
        inputs["position_ids"] = torch.stack([
            _padded(torch.cat([torch.arange(length) for length in of_seed]), layout.tokens, 0) for of_seed in lengths
        ]).to(device)
        labels = torch.stack([targets([text.labels[row] for row in of_seed], text.examples.num_labels) for of_seed in rows])
        return StackedBatch(inputs, layout, labels.to(device))

    def __call__(self, batch: StackedBatch) -> Tensor:
        """Logits of shape (K, rows, outputs)."""
        self._batch = batch
        return self._network(**batch.inputs, layout=batch.layout).logits

    def train(self) -> None:
        self._network.train()

    def eval(self) -> None:
        self._network.eval()

    @property
    def device(self) -> torch.device:
        return self._network.device


def _padded(line: Tensor, length: int, value: int) -> Tensor:
    return nn.functional.pad(line, (0, length - len(line)), value=value)

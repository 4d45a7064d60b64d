"""The forward pass of a stack: each seed's own rows on a flat sequence of tokens of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

from worker.training.attention import attention_within_rows
from worker.training.layout import Layout, lay_out
from worker.training.objective import targets
from worker.training.text import EncodedText

ATTENTION = "evenkeel_stacked"


@dataclass(frozen=True)
class StackedBatch:
    inputs: dict[str, Tensor]
    """Keyword arguments of the network's forward pass, each of shape (K, tokens)."""
    layout: Layout
    labels: Tensor
    """Of shape (K, rows), or (K, rows, labels) for multi-label."""


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    layout: Layout,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    return attention_within_rows(query, key, value, layout, scale=scaling, dropout=dropout), None


AttentionInterface.register(ATTENTION, attention)


class StackedForward:
    def __init__(self, network: PreTrainedModel) -> None:
        self._network = network
        self._layout: Layout | None = None
        network.config._attn_implementation = ATTENTION

    def _first_tokens(self, module: nn.Module, inputs: object, output: Any) -> Any:
        hidden = output.last_hidden_state
        assert self._layout is not None
        output.last_hidden_state = hidden.flatten(0, 1)[self._layout.first_tokens][:, None]
        return output

    def batch(self, text: EncodedText, rows: Sequence[Sequence[int]]) -> StackedBatch:
        """The rows of each seed, equally many."""
        lengths = [text.lengths(of_seed) for of_seed in rows]
        layout = lay_out(lengths, self.device)
        columns = {
            name: [torch.cat([column[row] for row in of_seed]) for of_seed in rows]
            for name, column in text.columns.items()
        }
        columns["position_ids"] = [torch.cat([torch.arange(length) for length in of_seed]) for of_seed in lengths]
        inputs = {name: self._lines(lines, layout.width, text.padding.get(name, 0)) for name, lines in columns.items()}
        labels = [targets([text.labels[row] for row in of_seed], text.examples.num_labels) for of_seed in rows]
        return StackedBatch(inputs, layout, torch.stack(labels).to(self.device))

    def _lines(self, lines: Sequence[Tensor], width: int, padding: int) -> Tensor:
        padded = [nn.functional.pad(line, (0, width - len(line)), value=padding) for line in lines]
        return torch.stack(padded).to(self.device)

    def __call__(self, batch: StackedBatch) -> Tensor:
        """Logits of shape (K, rows, outputs), float32."""
        self._layout = batch.layout
        hook = self._network.get_submodule("bert.encoder").register_forward_hook(self._first_tokens)
        try:
            logits: Tensor = self._network(**batch.inputs, layout=batch.layout).logits
        finally:
            hook.remove()
        return logits.float()

    def train(self) -> None:
        """Dropout on."""
        self._network.train()

    def eval(self) -> None:
        """Dropout off."""
        self._network.eval()

    @property
    def device(self) -> torch.device:
        device: torch.device = self._network.device
        return device

"""The forward pass of a stack: each seed's own rows in a flat sequence of its own, as long as
the longest of them.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from transformers import AttentionInterface, PreTrainedModel

from worker.training.data.tokenization import Batch, EncodedText
from worker.training.model.forward import BaseForward
from worker.training.model.module_groups import list_block_paths
from worker.training.packed.packing import (
    ATTENTION_NAME,
    build_packed_inputs,
    compute_packed_attention,
    enable_packed_forward,
)


class StackedForward(BaseForward):
    """A stack's passes."""

    def build_batch(self, text: EncodedText, rows: Sequence[Sequence[int]]) -> Batch:
        """The rows of each seed, equally many: inputs of shape (K, tokens), labels (K, rows),
        or (K, rows, labels) for multi-label.
        """
        inputs, layout = build_packed_inputs(text, rows, self._network)
        labels = torch.stack([text.build_targets(its) for its in rows])
        return Batch(inputs, labels.to(self.device), layout)

    def __call__(self, batch: Batch) -> Tensor:
        """Logits of shape (K, rows, outputs), float32."""
        assert batch.layout is not None, "of this class's own making"
        with enable_packed_forward(self._network, batch.layout):
            return cast(Tensor, self._network(**batch.inputs, layout=batch.layout).logits.float())


def compile_blocks(network: PreTrainedModel) -> None:
    """Have torch compile each block's pass but the top one's, in which hooks come and go;
    attention stays as it is.

    Off by default: whether it pays on a GPU is ``benchmarks.train_gpu``'s to say.
    """
    AttentionInterface.register(ATTENTION_NAME, torch.compiler.disable(compute_packed_attention))
    for path in list_block_paths(network)[:-1]:
        network.get_submodule(path).compile(dynamic=True)

"""The forward pass of a stack: one packed sequence per seed, padded to the longest one."""

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
    """Forward pass of a stack."""

    def build_batch(self, text: EncodedText, rows: Sequence[Sequence[int]]) -> Batch:
        """Return a batch of each seed's rows, the same number for every seed.

        Inputs have shape (K, tokens), labels (K, rows), or (K, rows, labels) for multi-label.
        """
        inputs, layout = build_packed_inputs(text, rows, self._network)
        labels = torch.stack([text.build_targets(seed_rows) for seed_rows in rows])
        return Batch(inputs, labels.to(self.device), layout)

    def __call__(self, batch: Batch) -> Tensor:
        """Return float32 logits of shape (K, rows, outputs)."""
        assert batch.layout is not None, "build_batch always packs"
        with enable_packed_forward(self._network, batch.layout):
            return cast(Tensor, self._network(**batch.inputs, layout=batch.layout).logits.float())


def compile_blocks(network: PreTrainedModel) -> None:
    """Compile every block but the top one, whose hooks change, and except attention.

    Off by default: ``benchmarks.train_gpu`` measures whether it pays on a GPU.
    """
    AttentionInterface.register(ATTENTION_NAME, torch.compiler.disable(compute_packed_attention))
    for path in list_block_paths(network)[:-1]:
        network.get_submodule(path).compile(dynamic=True)

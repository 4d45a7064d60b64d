"""Forward passes over packed batches: all tokens of a batch in one sequence, without padding.

The sequence goes through the family's own modules. Up to seven tokens at its end belong to no
row, so that few sizes occur (``packed_layout.py``). Embeddings, Linear layers and norms treat
each token independently. Whatever depends on rows is set up for the duration of a pass, and the
network is unchanged before and after it:

- Position ids restart in every row and are passed as inputs.
- Attention stays within rows, through a function registered in transformers' attention interface.
- Poolers and heads read ``states[:, 0]``, the first token of each sequence. From the point where
  nothing reads any other token (a family's ``first_tokens``), only the states of the rows' first
  tokens are passed on, with shape (S, 1, rows, width). In most families that point is within the
  top block, so its attention and feed-forward layers compute only what is used.

S packed sequences serve S stacked networks, with the same number of rows each; a single network
has one.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import AttentionInterface, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from worker.training.data.tokenization import EncodedText
from worker.training.device import to_device
from worker.training.model.module_groups import get_family, list_block_paths
from worker.training.model.pooled_classifier import PooledClassifier
from worker.training.packed.attention import compute_row_attention
from worker.training.packed.packed_layout import PackedLayout, build_packed_layout

ATTENTION_NAME = "evenkeel_within_rows"

Inputs = tuple[object, ...]
"""Positional arguments of a module's forward pass."""


def is_padding_free(network: PreTrainedModel) -> bool:
    """Return whether the network can take packed batches."""
    return get_family(network).padding_free and not getattr(network.config, "is_decoder", False)


def has_mean_pooling_head(network: PreTrainedModel) -> bool:
    """Return whether the family's own head reads the mean of the tokens (ModernBERT's option)."""
    return (
        not isinstance(network, PooledClassifier)
        and getattr(network.config, "classifier_pooling", "cls") == "mean"
    )


def build_packed_inputs(
    text: EncodedText, rows: Sequence[Sequence[int]], network: PreTrainedModel
) -> tuple[dict[str, Tensor], PackedLayout]:
    """Return the keyword arguments of a pass, each of shape (S, tokens), and their layout.

    ``rows`` lists the rows of each of S sequences. Tensors are on the network's device. The
    layout's ``first_tokens`` follow the order of ``rows``, whatever order the rows are packed in.
    Separately encoded texts of a pair are rows of their own, as ``EncodedText`` lists them.
    """
    orders, sorted_rows = _sort_rows_by_length(text, [text.list_sequences(part) for part in rows])
    layout = build_packed_layout(
        [text.list_sequence_lengths(sequence) for sequence in sorted_rows], network.device
    )
    place_of_row = to_device(torch.tensor(orders).argsort(dim=1), network.device)
    layout = replace(layout, first_tokens=layout.first_tokens.gather(1, place_of_row))
    inputs = {
        name: to_device(
            _pad_and_stack(tensors, layout.width, text.padding.get(name, 0)), network.device
        )
        for name, tensors in _build_sequences(text, sorted_rows, layout, network).items()
    }
    return inputs, layout


def _sort_rows_by_length(
    text: EncodedText, rows: Sequence[Sequence[int]]
) -> tuple[list[list[int]], list[list[int]]]:
    """Return the order of each sequence's rows by length, and the rows in that order.

    Rows whose attention is computed together are then neighbors.
    """
    orders = [
        sorted(range(len(sequence)), key=text.list_sequence_lengths(sequence).__getitem__)
        for sequence in rows
    ]
    return orders, [
        [sequence[index] for index in order] for sequence, order in zip(rows, orders, strict=True)
    ]


def _build_sequences(
    text: EncodedText,
    rows: Sequence[Sequence[int]],
    layout: PackedLayout,
    network: PreTrainedModel,
) -> dict[str, list[Tensor]]:
    """Return the unpadded inputs of each sequence, by name."""
    sequences = {
        name: [torch.cat([column[row] for row in sequence]) for sequence in rows]
        for name, column in text.columns.items()
    }
    positions = [
        compute_position_ids(ids, lengths, network)
        for ids, lengths in zip(sequences["input_ids"], layout.lengths, strict=True)
    ]
    return sequences | {"position_ids": positions}


def _pad_and_stack(sequences: Sequence[Tensor], width: int, padding: int) -> Tensor:
    stacked = sequences[0].new_full((len(sequences), width), padding)
    for row, sequence in zip(stacked, sequences, strict=True):
        row[: len(sequence)] = sequence
    return stacked


def compute_position_ids(ids: Tensor, lengths: Sequence[int], network: PreTrainedModel) -> Tensor:
    """Return the position ids of a packed sequence, counted from the start of each row.

    Families with a position offset count from ``pad_token_id`` + 1 and skip padding tokens, which
    a text may spell out.
    """
    counted, offset = torch.ones_like(ids), 0
    if get_family(network).position_offset:
        padding = network.config.pad_token_id
        counted, offset = (ids != padding).to(ids), padding + 1
    count = counted.cumsum(0)
    row_length = torch.tensor(lengths)
    last = count[row_length.cumsum(0) - 1]
    before = nn.functional.pad(last[:-1], (1, 0))
    return (count - before.repeat_interleave(row_length)) * counted + offset - 1


@contextmanager
def enable_packed_forward(network: PreTrainedModel, layout: PackedLayout) -> Iterator[None]:
    """Let the network take packed inputs and ``layout=layout`` within the context.

    Its logits then have the shape (S, rows, outputs).
    """
    config = network.config
    implementation = config._attn_implementation
    config._attn_implementation = ATTENTION_NAME
    handles = _register_narrowing_hooks(network, layout)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        config._attn_implementation = implementation


def compute_packed_attention(
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    *,
    layout: PackedLayout,
    scaling: float,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **_: object,
) -> tuple[Tensor, None]:
    """Compute attention within rows, with the signature of transformers' attention interface.

    No mask function is registered with it, so transformers builds no mask.
    """
    # ModernBERT's window includes the token itself
    window = None if sliding_window is None else sliding_window - 1
    result = compute_row_attention(
        query, key, value, layout, scale=scaling, dropout=dropout, window=window
    )
    return result, None


AttentionInterface.register(ATTENTION_NAME, compute_packed_attention)


def _register_narrowing_hooks(
    network: PreTrainedModel, layout: PackedLayout
) -> tuple[RemovableHandle, ...]:
    """Drop all but the rows' first tokens from the point where the family reads no others."""
    if isinstance(network, PooledClassifier) and network.reads_all_tokens:
        return ()
    family = get_family(network)
    if family.first_tokens is None:
        return (_narrow_encoder_output(network, layout),)
    top = network.get_submodule(list_block_paths(network)[-1])
    return (
        top.register_forward_pre_hook(_restrict_queries, with_kwargs=True),
        top.get_submodule(family.first_tokens).register_forward_pre_hook(
            lambda _module, inputs: tuple(_select_first_tokens(states, layout) for states in inputs)
        ),
    )


def _narrow_encoder_output(network: PreTrainedModel, layout: PackedLayout) -> RemovableHandle:
    """Narrow the encoder's last states: to the first tokens, or to means if its head pools so."""
    pool: Callable[[Tensor, PackedLayout], Tensor] = _select_first_tokens
    if has_mean_pooling_head(network):
        pool = _average_rows

    def replace_last_states(
        _module: nn.Module, _inputs: Inputs, output: BaseModelOutput
    ) -> BaseModelOutput:
        assert output.last_hidden_state is not None
        return BaseModelOutput(last_hidden_state=pool(output.last_hidden_state, layout))

    encoder, _, _ = get_family(network).blocks.rpartition(".")
    return network.get_submodule(encoder).register_forward_hook(replace_last_states)


def _restrict_queries(
    _module: nn.Module, inputs: Inputs, options: dict[str, object]
) -> tuple[Inputs, dict[str, object]]:
    layout = options["layout"]
    assert isinstance(layout, PackedLayout)
    return inputs, options | {"layout": replace(layout, first_queries_only=True)}


def _select_first_tokens(states: Tensor, layout: PackedLayout) -> Tensor:
    """Reduce states from (S, tokens, width) to (S, 1, rows, width)."""
    rows = layout.first_tokens
    return (
        states.flatten(0, 1)
        .index_select(0, rows.flatten())
        .view(len(rows), 1, -1, states.shape[-1])
    )


def _average_rows(states: Tensor, layout: PackedLayout) -> Tensor:
    """Reduce states to the means over each row's tokens, in the form of first tokens.

    The family's own mean, over sequences of one token, then leaves them unchanged. It multiplies
    by a mask of two dimensions, so this works for a single network only.
    """
    [lengths] = layout.lengths
    means = torch.stack([row.mean(dim=0) for row in states[0, : sum(lengths)].split(lengths)])
    order = layout.first_tokens[0].argsort().argsort()
    return means.index_select(0, order)[None, None]

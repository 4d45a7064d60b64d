"""Passes over batches without padding: all tokens of a batch in one flat sequence through the
family's own modules. Behind them up to seven that belong to no row, so that few sizes occur
(``layout.py``).

Embeddings, Linear layers and norms take each token for itself and need not know of rows. What
does need to is handed over for the time of a pass; before and after it the network is like any
other:

- positions, which count anew in every row, are given with the tokens;
- attention stays within rows, by a function of our own in transformers' attention interface;
- poolers and heads read ``states[:, 0]``, the first token of each sequence. Where nothing
  further on reads any other token (a family's ``first_tokens``), the states of the rows' first
  tokens go on alone, of shape (S, 1, rows, width). In most families that is within the top
  block, whose attention and feed-forward layers then compute what is used and no more.

S flat sequences side by side are for S stacked networks, each with as many rows; a single
network has one.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import AttentionInterface, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from worker.training.data.tokenization import EncodedText
from worker.training.device import to_device
from worker.training.model.module_groups import get_family, list_block_paths
from worker.training.packed.attention import compute_row_attention
from worker.training.packed.packed_layout import PackedLayout, build_packed_layout

ATTENTION_NAME = "evenkeel_within_rows"


def is_padding_free(network: PreTrainedModel) -> bool:
    """Whether the network's batches can go without padding."""
    return get_family(network).padding_free and not getattr(network.config, "is_decoder", False)


def build_packed_inputs(
    text: EncodedText, rows: Sequence[Sequence[int]], network: PreTrainedModel
) -> tuple[dict[str, Tensor], PackedLayout]:
    """The rows of each of S sequences: keyword arguments of the network's pass, each of shape
    (S, tokens), on its device, and where the rows lie. ``first_tokens`` are in the order of
    ``rows``, whatever order the rows lie in.
    """
    # in order of length, so that rows whose attention is computed together are neighbours
    places = [sorted(range(len(its)), key=text.list_lengths(its).__getitem__) for its in rows]
    sorted_rows = [[its[place] for place in order] for its, order in zip(rows, places, strict=True)]
    layout = build_packed_layout([text.list_lengths(its) for its in sorted_rows], network.device)
    place_of_row = to_device(torch.tensor(places).argsort(dim=1), network.device)
    layout = replace(layout, first_tokens=layout.first_tokens.gather(1, place_of_row))
    sequences = {
        name: [torch.cat([column[row] for row in its]) for its in sorted_rows]
        for name, column in text.columns.items()
    }
    positions = [
        compute_position_ids(ids, lengths, network)
        for ids, lengths in zip(sequences["input_ids"], layout.lengths, strict=True)
    ]
    inputs = {
        name: to_device(
            _pad_and_stack(tensors, layout.width, text.padding.get(name, 0)), network.device
        )
        for name, tensors in (sequences | {"position_ids": positions}).items()
    }
    return inputs, layout


def _pad_and_stack(sequences: Sequence[Tensor], width: int, padding: int) -> Tensor:
    stacked = sequences[0].new_full((len(sequences), width), padding)
    for row, sequence in zip(stacked, sequences, strict=True):
        row[: len(sequence)] = sequence
    return stacked


def compute_position_ids(ids: Tensor, lengths: Sequence[int], network: PreTrainedModel) -> Tensor:
    """Of the tokens of a flat sequence, as the family counts them in a row of its own.

    Families with unused positions count from ``pad_token_id`` + 1, and leave a padding token
    out, should a text spell one.
    """
    counted, offset = torch.ones_like(ids), 0
    if get_family(network).position_offset:
        counted, offset = (
            (ids != network.config.pad_token_id).to(ids),
            network.config.pad_token_id + 1,
        )
    count = counted.cumsum(0)
    row_length = torch.tensor(lengths)
    last = count[row_length.cumsum(0) - 1]
    before = nn.functional.pad(last[:-1], (1, 0))
    return (count - before.repeat_interleave(row_length)) * counted + offset - 1


@contextmanager
def enable_packed_forward(network: PreTrainedModel, layout: PackedLayout) -> Iterator[None]:
    """Inside, a pass of the network takes ``build_packed_inputs`` and ``layout=layout``, and
    its logits have the shape (S, rows, outputs).
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
    **_: Any,
) -> tuple[Tensor, None]:
    """An attention function as transformers' attention interface has them. It has no mask
    function, so that no mask is made.
    """
    window = (
        None if sliding_window is None else sliding_window - 1
    )  # ModernBERT counts the token itself
    return compute_row_attention(
        query, key, value, layout, scale=scaling, dropout=dropout, window=window
    ), None


AttentionInterface.register(ATTENTION_NAME, compute_packed_attention)


def _register_narrowing_hooks(
    network: PreTrainedModel, layout: PackedLayout
) -> tuple[RemovableHandle, ...]:
    """Have the rows' first tokens go on alone from where the family reads no others."""
    family = get_family(network)
    if family.first_tokens is not None:
        top = network.get_submodule(list_block_paths(network)[-1])
        return (
            top.register_forward_pre_hook(_restrict_queries, with_kwargs=True),
            top.get_submodule(family.first_tokens).register_forward_pre_hook(
                lambda _module, states: tuple(_select_first_tokens(its, layout) for its in states)
            ),
        )
    pool: Callable[[Tensor, PackedLayout], Tensor] = _select_first_tokens
    if getattr(network.config, "classifier_pooling", "cls") == "mean":
        pool = _average_rows

    def replace_last_states(
        _module: nn.Module, _inputs: Any, output: BaseModelOutput
    ) -> BaseModelOutput:
        assert output.last_hidden_state is not None
        return BaseModelOutput(last_hidden_state=pool(output.last_hidden_state, layout))

    encoder, _, _ = family.blocks.rpartition(".")
    return (network.get_submodule(encoder).register_forward_hook(replace_last_states),)


def _restrict_queries(
    _module: nn.Module, inputs: Any, named: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    return inputs, named | {"layout": replace(named["layout"], first_queries_only=True)}


def _select_first_tokens(states: Tensor, layout: PackedLayout) -> Tensor:
    """From (S, tokens, width) to (S, 1, rows, width)."""
    rows = layout.first_tokens
    return (
        states.flatten(0, 1)
        .index_select(0, rows.flatten())
        .view(len(rows), 1, -1, states.shape[-1])
    )


def _average_rows(states: Tensor, layout: PackedLayout) -> Tensor:
    """Over a row's tokens, in the form of first tokens, which the family's own mean over a
    sequence of one leaves as they are.
    """
    [lengths] = (
        layout.lengths
    )  # that mean multiplies by a mask of two dimensions, which stacked networks have no form of
    means = torch.stack([row.mean(dim=0) for row in states[0, : sum(lengths)].split(lengths)])
    order = layout.first_tokens[0].argsort().argsort()
    return means.index_select(0, order)[None, None]

"""Attention within the rows of flat sequences is each row's own attention, however rows are
grouped and whichever kernel computes it.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from worker.training.packed import attention
from worker.training.packed.attention import compute_row_attention
from worker.training.packed.packed_layout import build_packed_layout, partition_rows

CPU = torch.device("cpu")
HEADS, HEAD_DIM, SCALE = 3, 8, 0.3
LENGTHS: dict[str, list[list[int]]] = {
    "one row": [[20]],
    "one token": [[1]],
    "rows of one token": [[1, 1, 1]],
    "alike": [[18, 18, 18, 18]],
    "uneven": [[3, 90, 1, 17, 2, 40, 66, 70]],
    "sorted": [[20, 21, 64, 90]],
    "side by side": [[3, 40], [60, 61], [7, 1]],
}


def states(lengths: Sequence[Sequence[int]], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Queries, keys and values as a family hands them over: (S, heads, tokens, head_dim), seen
    through (S, tokens, heads, head_dim).
    """
    shape = (len(lengths), build_packed_layout(lengths, CPU).width, HEADS, HEAD_DIM)
    draw = torch.Generator().manual_seed(5)
    drawn = (torch.randn(shape, generator=draw) for _ in range(3))
    return [tensor.to(dtype).transpose(1, 2).requires_grad_() for tensor in drawn]


def row_by_row(given: list[Tensor], lengths: Sequence[Sequence[int]], window: int | None) -> Tensor:
    """By torch's own attention, a row at a time; 0 for padding."""
    result = torch.zeros_like(given[0].transpose(1, 2))
    for sequence, rows in enumerate(lengths):
        start = 0
        for length in rows:
            row = slice(start, start + length)
            places = torch.arange(length)
            mask = None if window is None else (places[:, None] - places).abs() <= window
            q, k, v = (tensor[sequence, :, row] for tensor in given)
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=SCALE)
            result[sequence, row] = mixed.transpose(0, 1)
            start += length
    return result


def by_torch_kernels(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    lengths: Sequence[Sequence[int]],
    window: int | None,
    *,
    queries_first: bool = False,
) -> Tensor:
    """The way of a GPU, where all rows are one group."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "worker.training.packed.packed_layout.partition_rows",
            lambda flat: [list(range(len(flat)))],
        )
        layout = replace(build_packed_layout(lengths, CPU), first_queries_only=queries_first)
    flat = [tensor.transpose(1, 2).flatten(0, 1) for tensor in (query, key, value)]
    return attention._compute_fused_attention(flat, layout, SCALE, 0.0, window).view_as(
        query.transpose(1, 2)
    )


@pytest.mark.parametrize("window", [None, 4])
@pytest.mark.parametrize("name", LENGTHS)
def test_it_is_each_rows_own_attention(name: str, window: int | None) -> None:
    lengths, given = LENGTHS[name], states(LENGTHS[name])
    expected = row_by_row(given, lengths, window)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    gradients = torch.autograd.grad(expected, given, weights)
    layout = build_packed_layout(lengths, CPU)
    ours = compute_row_attention(given[0], given[1], given[2], layout, scale=SCALE, window=window)
    for found in (ours, by_torch_kernels(given[0], given[1], given[2], lengths, window)):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        for its, gradient in zip(
            torch.autograd.grad(found, given, weights), gradients, strict=True
        ):
            torch.testing.assert_close(its, gradient, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("window", [None, 4])
@pytest.mark.parametrize("name", LENGTHS)
def test_first_tokens_alone_see_what_they_would_see_among_all(
    name: str, window: int | None
) -> None:
    lengths, given = LENGTHS[name], states(LENGTHS[name])
    layout = replace(build_packed_layout(lengths, CPU), first_queries_only=True)
    first = torch.zeros(len(lengths) * layout.width, dtype=torch.bool)
    first[layout.first_tokens.flatten()] = True
    expected = row_by_row(given, lengths, window) * first.view(len(lengths), -1, 1, 1)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    gradients = torch.autograd.grad(expected, given, weights)
    ours = compute_row_attention(given[0], given[1], given[2], layout, scale=SCALE, window=window)
    for found in (
        ours,
        by_torch_kernels(given[0], given[1], given[2], lengths, window, queries_first=True),
    ):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        for its, gradient in zip(
            torch.autograd.grad(found, given, weights), gradients, strict=True
        ):
            torch.testing.assert_close(its, gradient, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "cut", [[[0, 1, 2, 3, 4, 5, 6, 7]], [[row] for row in range(8)], [[7, 0], [1, 2, 3, 4], [5, 6]]]
)
def test_the_groups_change_nothing(cut: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = LENGTHS["uneven"]
    given = states(lengths)
    monkeypatch.setattr("worker.training.packed.packed_layout.partition_rows", lambda _: cut)
    layout = build_packed_layout(lengths, CPU)
    assert [group.rows for group in layout.groups] == [len(part) for part in cut]
    ours = compute_row_attention(given[0], given[1], given[2], layout, scale=SCALE)
    torch.testing.assert_close(ours, row_by_row(given, lengths, None), atol=1e-5, rtol=0)


@pytest.mark.parametrize("dropout", [0.1, 0.5])
def test_dropout_drops_weights_at_its_rate_and_keeps_their_mean(dropout: float) -> None:
    """With values that tell each key apart, what comes out is the used weights themselves."""
    length = 64
    lengths = [[length, 5, length]]
    query, key, _ = states(lengths)
    values = torch.zeros(1, HEADS, query.shape[2], length)
    for start in (0, length + 5):
        values[0, :, start : start + length] = torch.eye(length)
    torch.manual_seed(0)
    layout = build_packed_layout(lengths, CPU)
    plain = compute_row_attention(query, key, values, layout, scale=SCALE)[0, :length]
    used = compute_row_attention(query, key, values, layout, scale=SCALE, dropout=dropout)[
        0, :length
    ]
    dropped = (used == 0).float()
    deviation = math.sqrt(dropout * (1 - dropout) / dropped.numel())
    assert abs(dropped.mean().item() - dropout) < 4 * deviation
    kept = used > 0
    torch.testing.assert_close(used[kept], plain[kept] / (1 - dropout), rtol=1e-4, atol=0)
    other_row = compute_row_attention(query, key, values, layout, scale=SCALE, dropout=dropout)[
        0, length + 5 :
    ][:length]
    agreement = ((other_row == 0) == (used == 0)).float().mean().item()
    assert agreement == pytest.approx(
        dropout**2 + (1 - dropout) ** 2, abs=0.02
    )  # as of draws that know nothing of each other


def test_the_gradient_is_that_of_the_weights_that_were_used() -> None:
    """Finite differences under one and the same draw."""
    lengths = [[18, 3, 20]]
    given = [tensor.detach().double().requires_grad_() for tensor in states(lengths)]
    layout = build_packed_layout(lengths, CPU)

    def under_one_draw(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        torch.manual_seed(4)
        return compute_row_attention(query, key, value, layout, scale=SCALE, dropout=0.3, window=5)

    with torch.random.fork_rng():
        direction = [torch.randn_like(tensor) for tensor in given]
        step = 1e-3
        ahead, behind = (
            under_one_draw(
                *(tensor + sign * step * its for tensor, its in zip(given, direction, strict=True))
            ).sum()
            for sign in (1, -1)
        )
        gradients = torch.autograd.grad(under_one_draw(given[0], given[1], given[2]).sum(), given)
    along = sum((gradient * its).sum() for gradient, its in zip(gradients, direction, strict=True))
    torch.testing.assert_close(
        torch.as_tensor(along), (ahead - behind) / (2 * step), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("name", ["uneven", "side by side"])
def test_bfloat16_is_float32_but_for_its_rounding(name: str) -> None:
    lengths = LENGTHS[name]
    exact, rounded = states(lengths), states(lengths, torch.bfloat16)
    layout = build_packed_layout(lengths, CPU)
    expected = compute_row_attention(exact[0], exact[1], exact[2], layout, scale=SCALE)
    found = compute_row_attention(rounded[0], rounded[1], rounded[2], layout, scale=SCALE)
    assert found.dtype is torch.bfloat16
    torch.testing.assert_close(found.float(), expected, atol=0.03, rtol=0.03)
    gradients = zip(
        torch.autograd.grad(found.sum(), rounded),
        torch.autograd.grad(expected.sum(), exact),
        strict=True,
    )
    for its, gradient in gradients:
        torch.testing.assert_close(its.float(), gradient, atol=0.05, rtol=0.05)


def test_rows_of_like_length_are_one_group_and_long_ones_are_by_themselves() -> None:
    assert partition_rows([9, 8, 12, 11]) == [[1, 0, 3, 2]]
    assert partition_rows([128, 30, 90]) == [[1], [2], [0]]
    assert partition_rows([7]) == [[0]]


def test_rows_are_found_by_their_first_tokens() -> None:
    layout = build_packed_layout([[3, 40, 2], [10, 1, 9]], CPU)
    assert layout.width == 48
    assert layout.first_tokens.tolist() == [[0, 3, 43], [48, 58, 59]]

"""Attention within the rows of a packed batch equals each row's own attention.

That holds for every grouping of the rows and for both kernels.
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


def make_states(
    lengths: Sequence[Sequence[int]], dtype: torch.dtype = torch.float32
) -> list[Tensor]:
    """Draw queries, keys and values of shape (S, heads, tokens, head_dim).

    As in the families, they are views of tensors of shape (S, tokens, heads, head_dim).
    """
    shape = (len(lengths), build_packed_layout(lengths, CPU).width, HEADS, HEAD_DIM)
    draw = torch.Generator().manual_seed(5)
    drawn = (torch.randn(shape, generator=draw) for _ in range(3))
    return [tensor.to(dtype).transpose(1, 2).requires_grad_() for tensor in drawn]


def compute_row_by_row(
    inputs: list[Tensor], lengths: Sequence[Sequence[int]], window: int | None
) -> Tensor:
    """Compute torch's attention one row at a time; padding is 0."""
    result = torch.zeros_like(inputs[0].transpose(1, 2))
    for sequence, rows in enumerate(lengths):
        start = 0
        for length in rows:
            row = slice(start, start + length)
            places = torch.arange(length)
            mask = None if window is None else (places[:, None] - places).abs() <= window
            q, k, v = (tensor[sequence, :, row] for tensor in inputs)
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=SCALE)
            result[sequence, row] = mixed.transpose(0, 1)
            start += length
    return result


def compute_fused(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    lengths: Sequence[Sequence[int]],
    window: int | None,
    *,
    queries_first: bool = False,
) -> Tensor:
    """Compute attention as on a GPU, where all rows form one group."""
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
def test_results_and_gradients_equal_attention_row_by_row(name: str, window: int | None) -> None:
    lengths, inputs = LENGTHS[name], make_states(LENGTHS[name])
    expected = compute_row_by_row(inputs, lengths, window)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    gradients = torch.autograd.grad(expected, inputs, weights)
    layout = build_packed_layout(lengths, CPU)
    ours = compute_row_attention(
        inputs[0], inputs[1], inputs[2], layout, scale=SCALE, window=window
    )
    for found in (ours, compute_fused(inputs[0], inputs[1], inputs[2], lengths, window)):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        for found_gradient, gradient in zip(
            torch.autograd.grad(found, inputs, weights), gradients, strict=True
        ):
            torch.testing.assert_close(found_gradient, gradient, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("window", [None, 4])
@pytest.mark.parametrize("name", LENGTHS)
def test_first_tokens_alone_get_the_same_results(name: str, window: int | None) -> None:
    lengths, inputs = LENGTHS[name], make_states(LENGTHS[name])
    layout = replace(build_packed_layout(lengths, CPU), first_queries_only=True)
    first = torch.zeros(len(lengths) * layout.width, dtype=torch.bool)
    first[layout.first_tokens.flatten()] = True
    expected = compute_row_by_row(inputs, lengths, window) * first.view(len(lengths), -1, 1, 1)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    gradients = torch.autograd.grad(expected, inputs, weights)
    ours = compute_row_attention(
        inputs[0], inputs[1], inputs[2], layout, scale=SCALE, window=window
    )
    for found in (
        ours,
        compute_fused(inputs[0], inputs[1], inputs[2], lengths, window, queries_first=True),
    ):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        for found_gradient, gradient in zip(
            torch.autograd.grad(found, inputs, weights), gradients, strict=True
        ):
            torch.testing.assert_close(found_gradient, gradient, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "groups",
    [[[0, 1, 2, 3, 4, 5, 6, 7]], [[row] for row in range(8)], [[7, 0], [1, 2, 3, 4], [5, 6]]],
)
def test_the_grouping_changes_nothing(
    groups: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = LENGTHS["uneven"]
    inputs = make_states(lengths)
    monkeypatch.setattr("worker.training.packed.packed_layout.partition_rows", lambda _: groups)
    layout = build_packed_layout(lengths, CPU)
    assert [group.rows for group in layout.groups] == [len(part) for part in groups]
    ours = compute_row_attention(inputs[0], inputs[1], inputs[2], layout, scale=SCALE)
    torch.testing.assert_close(ours, compute_row_by_row(inputs, lengths, None), atol=1e-5, rtol=0)


@pytest.mark.parametrize("dropout", [0.1, 0.5])
def test_dropout_drops_weights_at_its_rate_and_keeps_their_mean(dropout: float) -> None:
    """With one-hot values, the results are the attention weights themselves."""
    length = 64
    lengths = [[length, 5, length]]
    query, key, _ = make_states(lengths)
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
    # the agreement of independent draws
    assert agreement == pytest.approx(dropout**2 + (1 - dropout) ** 2, abs=0.02)


def test_the_gradient_matches_the_dropout_mask() -> None:
    """Compare with finite differences under the same draw."""
    lengths = [[18, 3, 20]]
    inputs = [tensor.detach().double().requires_grad_() for tensor in make_states(lengths)]
    layout = build_packed_layout(lengths, CPU)

    def compute_with_fixed_draw(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        torch.manual_seed(4)
        return compute_row_attention(query, key, value, layout, scale=SCALE, dropout=0.3, window=5)

    with torch.random.fork_rng():
        direction = [torch.randn_like(tensor) for tensor in inputs]
        step = 1e-3
        ahead, behind = (
            compute_with_fixed_draw(
                *(
                    tensor + sign * step * offset
                    for tensor, offset in zip(inputs, direction, strict=True)
                )
            ).sum()
            for sign in (1, -1)
        )
        gradients = torch.autograd.grad(
            compute_with_fixed_draw(inputs[0], inputs[1], inputs[2]).sum(), inputs
        )
    along = sum(
        (gradient * offset).sum() for gradient, offset in zip(gradients, direction, strict=True)
    )
    torch.testing.assert_close(
        torch.as_tensor(along), (ahead - behind) / (2 * step), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("name", ["uneven", "side by side"])
def test_bfloat16_differs_from_float32_by_rounding(name: str) -> None:
    lengths = LENGTHS[name]
    exact, rounded = make_states(lengths), make_states(lengths, torch.bfloat16)
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
    for found_gradient, gradient in gradients:
        torch.testing.assert_close(found_gradient.float(), gradient, atol=0.05, rtol=0.05)


def test_rows_of_similar_length_form_one_group() -> None:
    assert partition_rows([9, 8, 12, 11]) == [[1, 0, 3, 2]]
    assert partition_rows([128, 30, 90]) == [[1], [2], [0]]
    assert partition_rows([7]) == [[0]]


def test_first_tokens_are_the_places_where_rows_start() -> None:
    layout = build_packed_layout([[3, 40, 2], [10, 1, 9]], CPU)
    assert layout.width == 48
    assert layout.first_tokens.tolist() == [[0, 3, 43], [48, 58, 59]]

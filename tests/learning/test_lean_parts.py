"""The lean pass in parts: low-rank products by group, and norms a few rows at a time."""

from itertools import accumulate

import pytest
import torch

from cosim.learning.base.packed_llama import low_rank
from cosim.learning.base.packed_llama import norm_and_rotation as rows
from cosim.learning.base.packed_llama.geometry import Tokens
from cosim.learning.base.packed_llama.weights import Norm

DTYPE = torch.float64


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=DTYPE, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("sizes", [[5, 5, 5], [7], [3, 0, 6], [0, 4], [1, 2, 9]])
def test_low_rank_products_are_those_of_each_token_by_itself(sizes: list[int]) -> None:
    """Equal groups share a batched product, others do not: both are sums over the definitions."""
    n, k, r, d, scale = sum(sizes), 6, 2, 4, 0.5
    tokens = Tokens((0, *accumulate(sizes)), torch.zeros(n, dtype=torch.long))
    assert tokens.equal == (len(set(sizes)) == 1)
    group = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    A, B = drawn(len(sizes), r, k), drawn(len(sizes), d, r)
    x, y, dy, dx = drawn(n, k), drawn(n, d), drawn(n, d) + 1, drawn(n, k) - 1
    z = low_rank.ranks(x, A, tokens)
    torch.testing.assert_close(z, torch.einsum("nrk,nk->nr", A[group], x))
    added = y.clone()
    low_rank.add_expanded(added, z, B, tokens, scale)
    torch.testing.assert_close(added, y + scale * torch.einsum("ndr,nr->nd", B[group], z))
    dz = low_rank.ranks_gradient(dy, B, tokens, scale)
    torch.testing.assert_close(dz, scale * torch.einsum("ndr,nd->nr", B[group], dy))
    through = dx.clone()
    low_rank.add_projected(through, dz, A, tokens)
    torch.testing.assert_close(through, dx + torch.einsum("nrk,nr->nk", A[group], dz))
    dA, dB = torch.ones_like(A), torch.ones_like(B)
    low_rank.add_projection_gradient(dA, dz, x, tokens)
    low_rank.add_expansion_gradient(dB, dy, z, tokens, scale)
    by_token_A, by_token_B = (
        torch.einsum("na,nb->nab", left, right) for left, right in ((dz, x), (scale * dy, z))
    )
    torch.testing.assert_close(dA, torch.ones_like(A).index_add(0, group, by_token_A))
    torch.testing.assert_close(dB, torch.ones_like(B).index_add(0, group, by_token_B))


@pytest.mark.parametrize("count", [0, 1, rows._ROWS, 2 * rows._ROWS + 3])
def test_norms_are_the_same_however_many_rows(count: int) -> None:
    norm = Norm(drawn(8), 1e-5)
    x, dy, further = drawn(count, 8).requires_grad_(), drawn(count, 8) + 1, drawn(count, 8) - 1
    told = torch.nn.functional.rms_norm(x, (8,), norm.weight, norm.epsilon)
    y, rate = rows.normalised(x.detach(), norm)
    torch.testing.assert_close(y, told)
    torch.testing.assert_close(rows.normalised_again(x.detach(), rate, norm), y)
    (expected,) = torch.autograd.grad(told, x, dy)
    found = rows.norm_gradient(dy, x.detach(), rate, norm, further)
    torch.testing.assert_close(found, expected + further)

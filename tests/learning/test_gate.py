"""Routing of sequences to experts, and the literal selection of ranks."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cosim.learning.evaluation.gate import (
    centred_cosines,
    gate_weights,
    prompt_mean,
    rank_activations,
    refined_projection,
    select_ranks,
    sequence_gate,
    voted_cosines,
)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(
    experts=st.integers(1, 7),
    top_k=st.integers(1, 9),
    temperature=st.sampled_from([1e-4, 0.3, 1.0, 5.0]),
    seed=st.integers(0, 99),
)
def test_a_gate_is_a_sparse_distribution(
    experts: int, top_k: int, temperature: float, seed: int
) -> None:
    h, x = drawn(experts, 6, seed=seed), drawn(5, 6, seed=seed + 100)
    gate = sequence_gate(x, h, top_k, temperature)
    assert gate.dtype == torch.float32
    assert (gate >= 0).all()
    torch.testing.assert_close(gate.sum(1), torch.ones(5))
    assert ((gate > 0).sum(1) <= min(top_k, experts)).all()
    nearest = centred_cosines(x, h).argmax(1, keepdim=True)
    assert torch.equal(gate.gather(1, nearest)[:, 0], gate.amax(1))


@given(st.permutations(range(6)), st.integers(1, 6))
def test_reordering_experts_reorders_their_weights(order: list[int], top_k: int) -> None:
    h, x = drawn(6, 8), drawn(20, 8, seed=1)
    torch.testing.assert_close(
        sequence_gate(x, h[order], top_k), sequence_gate(x, h, top_k)[:, order]
    )


@pytest.mark.parametrize("top_k", [1, 3])
def test_one_expert_takes_all(top_k: int) -> None:
    assert sequence_gate(drawn(4, 5), drawn(1, 5, seed=1), top_k).tolist() == [[1.0]] * 4


def test_equal_experts_share_equally() -> None:
    h = (drawn(1, 5) / 3).expand(3, 5)
    gate = sequence_gate(drawn(4, 5, seed=1), h, 3)
    torch.testing.assert_close(gate, torch.full((4, 3), 1 / 3))
    assert sequence_gate(drawn(4, 5, seed=1), h, 2).tolist() == [[0.5, 0.5, 0.0]] * 4


def test_a_gate_by_hand() -> None:
    h = torch.tensor([[3.0, 0.0], [-1.0, 2.0], [-2.0, -2.0]])  # their mean is 0
    x = torch.tensor([[1.0, 0.0], [0.0, 5.0], [1.0, 1.0], [0.0, 0.0]])
    gate = sequence_gate(x, h, 2)
    cosines = [math.sqrt(0.5), 1 / math.sqrt(10)]
    wanted = [
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],  # the second best is orthogonal
        [cosines[0] / sum(cosines), cosines[1] / sum(cosines), 0.0],
        [0.5, 0.5, 0.0],  # at μ itself no expert is nearer: the first two share
    ]
    torch.testing.assert_close(gate, torch.tensor(wanted))


def test_the_nearest_is_taken_where_all_point_away() -> None:
    # Three experts around μ leave no direction that all point away from; off their plane one is.
    h = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, -1.0, 0.0]])
    gate = sequence_gate(torch.tensor([[0.0, 0.0, 4.0]]), h, 2)
    assert gate.tolist() == [[0.5, 0.5, 0.0]]


def test_a_common_part_does_not_blur_the_routes() -> None:
    # Means of real tasks are alike to 0.9 and more; here four directions under one large offset.
    tasks, width = 4, 32
    offset = 40 * drawn(width, seed=9)
    centres = offset + 3 * drawn(tasks, width)
    samples = centres[:, None] + 2 * drawn(tasks, 50, width, seed=1)
    h = (centres[:, None] + 2 * drawn(tasks, 64, width, seed=2)).mean(1)
    cosines = torch.nn.functional.cosine_similarity(h[:, None], h[None], dim=-1)
    assert cosines.min() > 0.9
    gate = sequence_gate(samples.flatten(0, 1), h, 2)
    right = gate.argmax(1) == torch.arange(tasks).repeat_interleave(50)
    assert right.float().mean() > 0.97
    hard = sequence_gate(samples.flatten(0, 1), h, 2, temperature=1e-3)
    assert (hard.amax(1) > 0.99).float().mean() > 0.9


def test_a_prompt_is_averaged_over_its_own_tokens() -> None:
    hidden = drawn(11, 4)
    rows = torch.tensor([0] * 1 + [1] * 7 + [2] * 3)
    wanted = torch.stack([part.mean(0) for part in hidden.split([1, 7, 3])])
    torch.testing.assert_close(prompt_mean(hidden, rows, 3), wanted)
    assert prompt_mean(hidden.bfloat16(), rows, 3).dtype == torch.float32


def test_an_even_mean_input_refines_nothing() -> None:
    A = drawn(3, 4, 9)
    torch.testing.assert_close(refined_projection(A, torch.full((3, 9), 0.7)), A)
    h = drawn(3, 9, seed=1)
    wanted = torch.stack([a @ torch.diag(3 * m / m.norm()) for a, m in zip(A, h, strict=True)])
    torch.testing.assert_close(refined_projection(A, h), wanted)


def test_every_experts_ranks_see_the_input() -> None:
    A, x = drawn(3, 4, 9), drawn(2, 5, 9, seed=1)
    z = rank_activations(x, A)
    assert z.shape == (2, 5, 3, 4)
    torch.testing.assert_close(z[1, 4, 2], A[2] @ x[1, 4])


def test_the_largest_ranks_of_all_experts_remain() -> None:
    z = torch.tensor([[[1.0, -5.0], [3.0, 0.5]], [[0.0, 2.0], [-2.0, 2.0]]])
    assert select_ranks(z, 2).tolist() == [[[0.0, -5.0], [3.0, 0.0]], [[0.0, 2.0], [-2.0, 0.0]]]
    assert torch.equal(select_ranks(z, 4), z)
    assert torch.equal(select_ranks(z, 100), z)


@given(st.permutations(range(4)), st.integers(1, 12))
def test_reordering_experts_reorders_their_ranks(order: list[int], keep: int) -> None:
    z = drawn(6, 4, 3)
    assert torch.equal(select_ranks(z[:, order], keep), select_ranks(z, keep)[:, order])


def test_one_expert_at_full_rank_is_its_adapter() -> None:
    A, B, x = drawn(1, 4, 9), drawn(6, 4, seed=2), drawn(5, 9, seed=1)
    z = select_ranks(rank_activations(x, A), 4)
    torch.testing.assert_close(z[:, 0] @ B.T, x @ (B @ A[0]).T)


def test_what_makes_no_sense_is_refused() -> None:
    x, h = drawn(2, 3), drawn(2, 3)
    with pytest.raises(ValueError, match="no expert"):
        sequence_gate(x, h[:0], 1)
    with pytest.raises(ValueError, match="top_k"):
        sequence_gate(x, h, 0)
    with pytest.raises(ValueError, match="temperature"):
        sequence_gate(x, h, 1, 0.0)
    with pytest.raises(ValueError, match="direction"):
        refined_projection(drawn(2, 3), torch.zeros(3))
    with pytest.raises(ValueError, match="keep"):
        select_ranks(x, 0)
    for count in (1, 3):  # a row that is none of theirs, a prompt without tokens
        with pytest.raises(ValueError, match="prompts"):
            prompt_mean(drawn(2, 3), torch.tensor([0, 1]), count)


def test_every_layer_has_one_vote() -> None:
    h, x = drawn(3, 2, 8), drawn(5, 2, 8, seed=1)
    h[:, 1] *= 1000.0  # the size of a layer's states gives it no more say
    x[:, 1] *= 1000.0
    wanted = (centred_cosines(x[:, 0], h[:, 0]) + centred_cosines(x[:, 1], h[:, 1])) / 2
    torch.testing.assert_close(voted_cosines(x, h), wanted)
    one = voted_cosines(x[:, :1], h[:, :1])
    assert torch.equal(gate_weights(one, 2), sequence_gate(x[:, 0], h[:, 0], 2))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_sequence_that_is_not_finite_is_shared_equally(wrong: Any) -> None:
    experts = torch.eye(3)
    inputs = torch.tensor([[wrong, 0.0, 0.0], [1.0, 0.0, 0.0]])
    assert centred_cosines(inputs, experts)[0].tolist() == [0.0, 0.0, 0.0]
    weights = sequence_gate(inputs, experts, top_k=2)
    assert weights[0].tolist() == [0.5, 0.5, 0.0]
    assert weights[1].argmax() == 0

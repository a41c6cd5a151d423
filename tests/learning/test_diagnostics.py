"""Diagnostics against the dense matrices that they avoid, and what makes Theorem 1 fail."""

import pytest
import torch
from torch import Tensor

from cosim.learning.diagnostics.theorems import (
    product_norms,
    projection_overlap,
    theorem_one,
    update_similarity,
)
from cosim.learning.evaluation.gate import refined_projection

MEMBERS, D, R, K = 4, 11, 3, 17


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def masks(density: float, seed: int = 5) -> Tensor:
    draws = torch.rand(MEMBERS, D, R, generator=torch.Generator().manual_seed(seed))
    return draws < density


def test_overlaps_are_those_of_the_dense_products() -> None:
    A = drawn(MEMBERS, R, K)
    found = projection_overlap(A)
    for i in range(MEMBERS):
        for j in range(MEMBERS):
            wanted = (A[i] @ A[j].T).norm() / (A[i].norm() * A[j].norm())
            assert float(found[i, j]) == pytest.approx(float(wanted), rel=1e-5)
    assert (found.diagonal() >= R**-0.5 - 1e-9).all()


def test_gaussian_projections_overlap_by_one_over_root_k() -> None:
    A = drawn(6, 16, 1024) / 32
    found = projection_overlap(A)
    between = found[~torch.eye(6, dtype=torch.bool)]
    assert float(between.mean()) == pytest.approx(1024**-0.5, rel=0.05)
    # One loud coordinate in every task's mean input undoes it.
    h = torch.ones(6, 1024)
    h[:, 0] = 100.0
    assert projection_overlap(refined_projection(A, h))[0, 1] > 0.5


def test_similarities_are_those_of_the_dense_updates() -> None:
    A, B = drawn(MEMBERS, R, K), drawn(MEMBERS, D, R, seed=1) * masks(0.4)
    dense = torch.nn.functional.normalize((B @ A).flatten(1), dim=1)
    torch.testing.assert_close(update_similarity(A, B).float(), dense @ dense.T)


def test_an_update_of_zero_resembles_nothing() -> None:
    A, B = drawn(2, R, K), drawn(2, D, R, seed=1)
    B[1] = 0.0
    torch.testing.assert_close(update_similarity(A, B).float(), torch.tensor([[1.0, 0], [0, 0]]))


def test_both_sides_are_those_of_the_dense_matrices() -> None:
    A, B, M = drawn(MEMBERS, R, K), drawn(MEMBERS, D, R, seed=1), masks(0.4)
    gradients = drawn(MEMBERS, D, R, seed=2)
    norms = product_norms(gradients, A)
    found = theorem_one(A, B, M, float(norms.max()), 0.2)
    kept = B * M
    average = kept.mean(0)
    gap = sum(float(((kept[i] - average) @ A[i]).square().sum()) for i in range(MEMBERS))
    G = max(float((gradients[i] @ A[i]).norm()) for i in range(MEMBERS))
    P = max(float((average @ A[i]).norm()) for i in range(MEMBERS))
    assert found.gap == pytest.approx(gap, rel=1e-5)
    assert found.gradient_bound == pytest.approx(G, rel=1e-5)
    assert len(norms) == MEMBERS
    assert found.average_bound == pytest.approx(P, rel=1e-5)
    assert found.bound == pytest.approx(2 * R * K * MEMBERS**2 * 0.2 * (G + P), rel=1e-5)
    own = kept.sum(0) / M.sum(0).clamp(min=1)
    gap = sum(float(((kept[i] - own * M[i]) @ A[i]).square().sum()) for i in range(MEMBERS))
    assert found.own_support_gap == pytest.approx(gap, rel=1e-5)


def test_disjoint_masks_contradict_the_printed_theorem() -> None:
    owner = torch.randint(MEMBERS, (D, R), generator=torch.Generator().manual_seed(3))
    M = torch.stack([owner == member for member in range(MEMBERS)])
    A, B = drawn(MEMBERS, R, K), drawn(MEMBERS, D, R, seed=1)
    found = theorem_one(A, B, M, 1.0, 0.0)
    assert found.bound == 0.0
    assert found.gap > 1.0
    assert found.own_support_gap == 0.0


def test_equal_devices_have_no_gap() -> None:
    A, B = drawn(MEMBERS, R, K), drawn(1, D, R, seed=1).expand(MEMBERS, D, R)
    M = masks(0.4)[:1].expand(MEMBERS, D, R)
    found = theorem_one(A, B, M, 0.0, 0.4)
    assert found.gap == pytest.approx(0.0, abs=1e-9)
    assert found.own_support_gap == pytest.approx(0.0, abs=1e-9)
    assert found.bound > 0.0

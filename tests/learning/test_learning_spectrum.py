"""Spectral entropies against dense decompositions, and in the cases that have closed forms."""

import math

import pytest
import torch
from torch import Tensor

from cosim.learning.spectrum import (
    InputMoments,
    singular_values,
    spectral_entropy,
    spectrum_flop,
)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moments(inputs: Tensor) -> InputMoments:
    found = InputMoments(inputs.shape[-1])
    found.add(inputs)
    return found


# Square, wide and long, with fewer tokens than features and with more; both ways to σ.
@pytest.mark.parametrize("shape", [(24, 24), (20, 30), (30, 20), (12, 40), (40, 12)])
@pytest.mark.parametrize("tokens", [6, 100])
def test_the_spectrum_is_that_of_the_dense_product(shape: tuple[int, int], tokens: int) -> None:
    weight, inputs = drawn(*shape), drawn(tokens, shape[1], seed=1)
    C = inputs.T @ inputs / tokens
    C += 0.01 * C.diagonal().mean() * torch.eye(shape[1], dtype=torch.float64)
    torch.testing.assert_close(moments(inputs).covariance(), C, atol=1e-12, rtol=0)
    sigma = singular_values(weight, C)
    wanted = torch.linalg.svdvals(weight @ C)
    torch.testing.assert_close(sigma, wanted, rtol=1e-7, atol=1e-8 * float(wanted[0]))
    p = wanted / wanted.sum()
    assert spectral_entropy(sigma) == pytest.approx(float(-(p * p.log()).sum()), abs=1e-7)


def test_the_gram_matrix_costs_less_than_a_thousandth_of_a_nat() -> None:
    # Activations with a few huge coordinates, as large models have: σ over nine decades.
    weight, inputs = drawn(150, 400), drawn(60, 400, seed=1)
    inputs[:, :3] *= 1000.0
    C = moments(inputs).covariance()
    exact = spectral_entropy(torch.linalg.svdvals(weight @ C))
    assert spectral_entropy(singular_values(weight, C)) == pytest.approx(exact, abs=1e-3)


def test_batches_add_up_and_are_not_kept() -> None:
    inputs = drawn(4, 9, 6)
    together, apart = moments(inputs), InputMoments(6)
    for batch in (inputs[:1], inputs[1:3].reshape(-1, 6), inputs[3, :4].float(), inputs[3, 4:]):
        apart.add(batch)
    assert apart.tokens == together.tokens == 36
    torch.testing.assert_close(apart.mean, inputs.mean((0, 1)), atol=1e-7, rtol=0)
    torch.testing.assert_close(apart.covariance(), together.covariance(), atol=1e-7, rtol=0)
    # Asking twice gives the same: the ridge is not added to what is kept.
    assert torch.equal(apart.covariance(), apart.covariance())
    assert torch.equal(together.covariance(0.0), together.covariance(0.0).T)


def test_activations_of_half_precision_are_summed_in_float64() -> None:
    inputs = drawn(2000, 8).bfloat16()
    inputs[:, 0] = 100.0
    found = moments(inputs).covariance(0.0)
    wanted = inputs.double().T @ inputs.double() / 2000
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_one_direction_has_no_entropy() -> None:
    one = moments(drawn(1, 20))
    assert spectral_entropy(singular_values(drawn(30, 20), one.covariance(0.0))) < 1e-6
    assert spectral_entropy(singular_values(drawn(30, 20), one.covariance())) > 0.05
    assert spectral_entropy(torch.tensor([3.0, 0.0, 0.0])) == 0.0


@pytest.mark.parametrize("rank", [1, 2, 50])
def test_equal_values_have_the_entropy_of_their_number(rank: int) -> None:
    sigma = torch.zeros(60)
    sigma[:rank] = 0.3
    assert spectral_entropy(sigma) == pytest.approx(math.log(rank), abs=1e-6)


def test_values_and_not_their_squares_are_normalised() -> None:
    assert spectral_entropy(torch.tensor([3.0, 1.0])) == pytest.approx(
        -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    )


def test_scale_does_not_matter() -> None:
    weight, inputs = drawn(20, 14), drawn(30, 14, seed=2)
    small, large = moments(inputs).covariance(), moments(50 * inputs).covariance()
    assert spectral_entropy(singular_values(weight, small)) == pytest.approx(
        spectral_entropy(singular_values(3 * weight, large))
    )


def test_the_literal_spectrum_does_not_know_the_task() -> None:
    weight, C = drawn(20, 14), moments(drawn(30, 14, seed=2)).covariance()
    printed = torch.linalg.svdvals(weight @ C @ torch.linalg.inv(C))
    torch.testing.assert_close(singular_values(weight), printed)
    narrow = moments(drawn(30, 14, seed=2) * torch.logspace(0, -3, 14)).covariance()
    entropies = [spectral_entropy(singular_values(weight, c)) for c in (C, narrow)]
    assert entropies[1] < entropies[0] - 0.3


def test_nothing_to_see_has_no_entropy() -> None:
    assert spectral_entropy(torch.zeros(4)) == 0.0
    silent = moments(torch.zeros(3, 5)).covariance()
    assert spectral_entropy(singular_values(drawn(12, 5), silent)) == 0.0


@pytest.mark.parametrize("wrong", [[1.0, -0.1], [1.0, math.nan], [math.inf, 1.0]])
def test_what_is_no_spectrum_is_refused(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="singular values"):
        spectral_entropy(torch.tensor(wrong))


def test_no_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="no calibration tokens"):
        InputMoments(3).covariance()


def test_covariances_of_single_precision_give_the_same_entropies() -> None:
    weight, inputs = drawn(40, 30), drawn(100, 30, seed=1)
    inputs[:, :2] *= 300.0
    single = InputMoments(30, dtype=torch.float32)
    single.add(inputs)
    exact = spectral_entropy(singular_values(weight, moments(inputs).covariance()))
    found = spectral_entropy(singular_values(weight, single.covariance()))
    assert found == pytest.approx(exact, abs=1e-4)


def test_a_spectrum_costs_its_products_and_its_decomposition() -> None:
    # d = 10, k = 4: the Gram matrix is 4×4; 7 tokens give C.
    assert spectrum_flop(10, 4, 7) == 2 * 7 * 16 + 2 * 10 * 16 + 2 * 16 * 10 + 4 * 64 // 3
    # Square: bidiagonalisation, and C is at hand.
    assert spectrum_flop(6, 6, 0) == 2 * 6 * 36 + 4 * 36 * 6 - 4 * 216 // 3

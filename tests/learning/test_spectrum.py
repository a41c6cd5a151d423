"""Spectral entropies against dense decompositions, and in the cases that have closed forms."""

import math

import pytest
import torch
from torch import Tensor

from cosim.learning.calibration.spectrum import (
    Inputs,
    UnfitError,
    singular_values,
    spectral_entropy,
    spectrum_flop,
    triangle,
)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exact(tokens: Tensor, ridge: float = 0.01) -> Inputs:
    return Inputs(tokens, ridge=ridge, dtype=torch.float64)


def entropy(weight: Tensor, inputs: Inputs) -> float:
    return spectral_entropy(singular_values(inputs.product(weight)))


# Square, wide and long, with fewer tokens than features and with more; every way to W0·C.
@pytest.mark.parametrize("shape", [(24, 24), (20, 30), (30, 20), (12, 40), (40, 12), (150, 140)])
@pytest.mark.parametrize("tokens", [6, 100])
@pytest.mark.parametrize("at_hand", [False, True])
def test_the_spectrum_is_that_of_the_dense_product(
    shape: tuple[int, int], tokens: int, at_hand: bool
) -> None:
    weight, X = drawn(*shape), drawn(tokens, shape[1], seed=1)
    C = X.T @ X / tokens
    C += 0.01 * C.diagonal().mean() * torch.eye(shape[1], dtype=torch.float64)
    inputs = exact(X)
    if at_hand:
        torch.testing.assert_close(inputs.covariance(), C, atol=1e-12, rtol=0)
    product = inputs.product(weight)
    torch.testing.assert_close(product, weight @ C, atol=1e-11, rtol=0)
    sigma = singular_values(product)
    wanted = torch.linalg.svdvals(weight @ C)
    torch.testing.assert_close(sigma, wanted, rtol=1e-7, atol=3e-8 * float(wanted[0]))
    p = wanted / wanted.sum()
    assert spectral_entropy(sigma) == pytest.approx(float(-(p * p.log()).sum()), abs=1e-6)


def test_the_gram_matrix_costs_less_than_a_thousandth_of_a_nat() -> None:
    # Activations with a few huge coordinates, as large models have: σ over nine decades.
    weight, X = drawn(150, 400), drawn(60, 400, seed=1)
    X[:, :3] *= 1000.0
    inputs = exact(X)
    wanted = spectral_entropy(torch.linalg.svdvals(weight @ inputs.covariance()))
    assert entropy(weight, inputs) == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (36, 36)])
@pytest.mark.parametrize("tokens", [20, 300])
def test_single_precision_gives_the_same_entropies(shape: tuple[int, int], tokens: int) -> None:
    weight, X = drawn(*shape).bfloat16(), drawn(tokens, shape[1], seed=1).bfloat16()
    X[:, :2] *= 300.0
    C = exact(X.double()).covariance()
    wanted = spectral_entropy(torch.linalg.svdvals(weight.double() @ C))
    assert entropy(weight, Inputs(X)) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("shape", [(40, 12), (300, 150)])
def test_a_long_weight_and_its_triangle_have_one_spectrum(shape: tuple[int, int]) -> None:
    weight, inputs = drawn(*shape).bfloat16(), exact(drawn(60, shape[1], seed=1))
    R = triangle(weight)
    assert R.shape == (shape[1], shape[1])
    sigma = singular_values(inputs.product(weight))
    found = singular_values(inputs.product(R))
    torch.testing.assert_close(found, sigma, rtol=1e-4, atol=1e-7 * float(sigma[0]))
    # A weight of lower rank has one as well.
    weight[:, 1:] = weight[:, :1]
    found = singular_values(inputs.product(triangle(weight)))
    wanted = singular_values(inputs.product(weight))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6 * float(wanted[0]))


def test_the_covariance_is_symmetric_and_the_mean_is_over_all_tokens() -> None:
    X = drawn(2000, 150).bfloat16()
    X[:, 0] = 100.0
    inputs = exact(X, 0.0)
    C = inputs.covariance()
    assert torch.equal(C, C.T)
    torch.testing.assert_close(C, X.double().T @ X.double() / 2000, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(inputs.mean, X.double().mean(0), rtol=1e-12, atol=1e-12)
    # Asking twice gives the same: the ridge is added once.
    ridged = exact(X)
    assert torch.equal(ridged.covariance().clone(), ridged.covariance())


def test_one_direction_has_no_entropy() -> None:
    one = drawn(1, 20)
    assert entropy(drawn(30, 20), exact(one, 0.0)) < 1e-6
    assert entropy(drawn(30, 20), exact(one)) > 0.05
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
    weight, X = drawn(20, 14), drawn(30, 14, seed=2)
    assert entropy(weight, exact(X)) == pytest.approx(entropy(3 * weight, exact(50 * X)))


def test_the_literal_spectrum_does_not_know_the_task() -> None:
    weight, X = drawn(20, 14), drawn(30, 14, seed=2)
    C = exact(X).covariance()
    printed = torch.linalg.svdvals(weight @ C @ torch.linalg.inv(C))
    torch.testing.assert_close(singular_values(weight), printed)
    narrow = X * torch.logspace(0, -3, 14)
    assert entropy(weight, exact(narrow)) < entropy(weight, exact(X)) - 0.3


def test_nothing_to_see_has_no_entropy() -> None:
    assert spectral_entropy(torch.zeros(4)) == 0.0
    for shape in [(12, 5), (5, 12)]:
        assert entropy(drawn(*shape), exact(torch.zeros(3, shape[1]))) == 0.0


@pytest.mark.parametrize("wrong", [[1.0, -0.1], [1.0, math.nan], [math.inf, 1.0]])
def test_what_is_no_spectrum_is_refused(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="singular values"):
        spectral_entropy(torch.tensor(wrong))


def test_no_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="no calibration tokens"):
        Inputs(torch.zeros(0, 3))


def test_a_spectrum_costs_its_products_and_its_decomposition() -> None:
    # d = 10, k = 4: the Gram matrix is 4×4; 7 tokens give C.
    assert spectrum_flop(10, 4, 7) == 7 * 16 + 2 * 10 * 16 + 16 * 10 + 4 * 64 // 3
    # C is at hand; W0's own spectrum needs no product.
    assert spectrum_flop(6, 6, 0) == 2 * 6 * 36 + 36 * 6 + 4 * 216 // 3
    assert spectrum_flop(6, 6, None) == 36 * 6 + 4 * 216 // 3
    # Wide, few tokens: (W0·Xᵀ)·X. With many, C is cheaper.
    assert spectrum_flop(4, 10, 7) == 4 * 7 * 40 + 16 * 10 + 4 * 64 // 3
    assert spectrum_flop(4, 10, 70) == 70 * 100 + 2 * 400 + 16 * 10 + 4 * 64 // 3


def test_fewer_tokens_than_features_and_weights_of_low_rank_have_an_entropy() -> None:
    """Their covariance and product are singular, which is normal: σ are 0 and count nothing."""
    X, low = drawn(3, 40), drawn(30, 2) @ drawn(2, 40, seed=1)
    assert torch.linalg.matrix_rank(exact(X, 0.0).covariance()) == 3
    assert 0.0 < entropy(drawn(30, 40), exact(X, 0.0)) <= math.log(3) + 1e-6
    assert 0.0 < entropy(low, exact(X)) <= math.log(2) + 1e-3
    same = torch.ones(8, 40, dtype=torch.float64)  # every token alike
    assert 0.0 < entropy(drawn(30, 40), exact(same)) < math.log(30)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_not_finite_has_no_spectrum(wrong: float) -> None:
    matrix = drawn(6, 9)
    matrix[2, 3] = wrong
    with pytest.raises(UnfitError, match=r"^is not finite$"):
        singular_values(matrix)
    with pytest.raises(UnfitError, match=r"^is not finite$"):  # squares that float32 cannot hold
        entropy(drawn(6, 9).float(), Inputs(torch.full((4, 9), 1e25)))


def test_eigenvalues_that_are_not_found_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def stubborn(matrix: Tensor) -> Tensor:
        raise torch.linalg.LinAlgError(  # type: ignore[attr-defined]
            "linalg.eigh: the algorithm failed to converge"
        )

    monkeypatch.setattr(torch.linalg, "eigvalsh", stubborn)
    with pytest.raises(UnfitError, match="was not found: the eigenvalues do not converge"):
        singular_values(drawn(4, 4))

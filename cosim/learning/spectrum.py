"""Spectral entropy: how many directions of a module's weight a task's activations call for."""

from __future__ import annotations

import torch
from torch import Tensor

# Share of mean(diag) that is added to the diagonal of C, as CorDA does, so that C is regular.
RIDGE = 0.01


class InputMoments:
    """Sums of a module's inputs x ∈ R^k over calibration tokens, kept without the tokens.

    Accumulated in `dtype` on `device`; needs k² + k values, 614 MiB at k = 8960 in float64.
    """

    def __init__(
        self,
        features: int,
        *,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        self.tokens = 0
        self._products = torch.zeros(features, features, dtype=dtype, device=device)
        self._sum = torch.zeros(features, dtype=dtype, device=device)

    @torch.no_grad()
    def add(self, inputs: Tensor) -> None:
        """Adds tokens: (..., k), padding already left out."""
        rows = inputs.detach().reshape(-1, inputs.shape[-1]).to(self._products)
        self._products.addmm_(rows.T, rows)
        self._sum += rows.sum(0)
        self.tokens += rows.shape[0]

    @property
    def mean(self) -> Tensor:
        """h = Σx/N (k,): the task's average input H⁰ of arXiv 2602.20492, section IV-B."""
        return self._sum / self._counted()

    def covariance(self, ridge: float = RIDGE) -> Tensor:
        """C = XᵀX/N + ridge·mean(diag)·I (k, k), X (N, k) all tokens; uncentred, as CorDA's."""
        covariance = self._products / self._counted()
        diagonal = covariance.diagonal()
        diagonal += ridge * diagonal.mean()
        return covariance

    def _counted(self) -> int:
        if self.tokens == 0:
            raise ValueError("no calibration tokens have been added")
        return self.tokens


@torch.no_grad()
def singular_values(weight: Tensor, covariance: Tensor | None = None) -> Tensor:
    """σ of W0·C, falling, float64 (min(d, k),): eq. 20 of arXiv 2602.20492, corrected.

    Printed, eq. 20 multiplies by C⁻¹ again, which leaves W0 whatever the task is: that literal
    spectrum is the one without a `covariance`. weight: (d, k); covariance: (k, k). A matrix that
    is at least twice as long as wide goes by the eigenvalues of its Gram matrix, several times
    faster, where σ below about 1e-8·σ_max are lost in rounding: less than a thousandth of a nat.
    """
    product = weight.double()
    if covariance is not None:
        # In the precision of C: float32 there costs a millionth of a nat and halves the time. The
        # Gram matrix squares what is lost, and stays in float64.
        product = (weight.to(covariance) @ covariance).double()
    long, short = max(product.shape), min(product.shape)
    if long < 2 * short:
        sigma: Tensor = torch.linalg.svdvals(product)
        return sigma
    gram = product @ product.T if product.shape[0] == short else product.T @ product
    squares: Tensor = torch.linalg.eigvalsh(gram)
    return squares.clamp(min=0).sqrt().flip(0)


def spectral_entropy(sigma: Tensor) -> float:
    """H(σ) = −Σ_j p_j·ln p_j in nats, p_j = σ_j/Σ_z σ_z (eq. 21 of arXiv 2602.20492).

    sigma: (R,), not negative. Between 0 (one direction) and ln R (all alike); 0 where all are
    zero: such a module asks for nothing. ValueError for negative, infinite or NaN values.
    """
    if not bool(((sigma >= 0) & sigma.isfinite()).all()):
        raise ValueError("singular values must be finite and not negative")
    total = sigma.sum()
    if float(total) == 0.0:
        return 0.0
    return float(torch.special.entr(sigma.double() / total).sum())


def spectrum_flop(out_features: int, in_features: int, tokens: int) -> int:
    """FLOP of a module's spectrum as `singular_values` takes it, a multiply-add counted as 2.

    2·N·k² for C (0 with `tokens` 0: C is at hand), 2·d·k² for W0·C, then with m and n the short
    and the long side either 2·m²·n for the Gram matrix and 4/3·m³ for its eigenvalues, or
    4·m²·n − 4/3·m³ for singular values by bidiagonalisation (Golub and Van Loan, sections 8.3.1
    and 5.4.8).
    """
    short, long = sorted((out_features, in_features))
    if long < 2 * short:
        values = 4 * short**2 * long - 4 * short**3 // 3
    else:
        values = 2 * short**2 * long + 4 * short**3 // 3
    return 2 * in_features**2 * (tokens + out_features) + values

"""Spectral entropy: how many directions of a module's weight a task's activations call for."""

from __future__ import annotations

import torch
from torch import Tensor

# Share of mean(diag) that is added to the diagonal of C, as CorDA does, so that C is regular.
RIDGE = 0.01

# Rows of a symmetric product that are found at once; what lies right of them is left out.
_BLOCK = 128


class UnfitError(ValueError):
    """The numbers have no spectrum, entropy or direction; the message goes on after their name."""


class Inputs:
    """A module's inputs X (N, k), all calibration tokens, and the products with their C.

    C = XᵀX/N + ridge·mean(diag)·I (k, k), uncentred, as CorDA's. X is kept in `dtype`, in which
    everything here is computed: float32 costs the entropies a millionth of a nat.

    With N < k tokens XᵀX has rank N at most, which is normal; the ridge makes C regular. With X = 0
    there is nothing for it to add to: C = 0, every σ of W0·C is 0, and so is the entropy.
    """

    def __init__(
        self, tokens: Tensor, *, ridge: float = RIDGE, dtype: torch.dtype = torch.float32
    ) -> None:
        if tokens.shape[0] == 0:
            raise ValueError("there are no calibration tokens")
        self._X = tokens.detach().to(dtype)
        self._ridge = ridge
        self._covariance: Tensor | None = None

    @property
    def mean(self) -> Tensor:
        """h = Σx/N (k,): the task's average input H⁰ of arXiv 2602.20492, section IV-B."""
        return self._X.sum(0) / self._X.shape[0]

    @torch.no_grad()
    def covariance(self) -> Tensor:
        """C (k, k), found once."""
        if self._covariance is None:
            lower = _gram(self._X.T) / self._X.shape[0]
            self._covariance = lower.tril() + lower.tril(-1).T
            diagonal = self._covariance.diagonal()
            diagonal += self._ridge * diagonal.mean()
        return self._covariance

    @torch.no_grad()
    def product(self, weight: Tensor) -> Tensor:
        """W0·C (d, k) in the inputs' precision, by way of W0·Xᵀ where C would cost more."""
        W, X = weight.to(self._X), self._X
        if self._covariance is None and _by_tokens(W.shape[0], W.shape[1], X.shape[0]):
            scaled = W * (self._ridge * X.square().mean())
            return scaled.addmm_(W @ X.T, X, alpha=1 / X.shape[0])
        return W @ self.covariance()


def _by_tokens(out_features: int, in_features: int, tokens: int) -> bool:
    """Whether (W0·Xᵀ)·X is cheaper than C and W0·C. Only of a wide W0: C serves siblings too."""
    with_covariance = in_features * (tokens + 2 * out_features)
    return out_features < in_features and 4 * tokens * out_features < with_covariance


def _gram(rows: Tensor) -> Tensor:
    """The lower triangle of rows·rowsᵀ (n, n), in blocks; what lies above it means nothing."""
    size = rows.shape[0]
    product = rows.new_zeros(size, size)
    for begin in range(0, size, _BLOCK):
        end = min(begin + _BLOCK, size)
        torch.mm(rows[begin:end], rows[:end].T, out=product[begin:end, :end])
    return product


@torch.no_grad()
def triangle(weight: Tensor) -> Tensor:
    """R (k, k), float32, of a long W0 = Q·R (d, k): W0·C and R·C have the same singular values."""
    R: Tensor = torch.linalg.qr(weight.double(), mode="r").R
    return R.float()


@torch.no_grad()
def singular_values(matrix: Tensor) -> Tensor:
    """σ of a matrix (d, k), falling, float64 (min(d, k),), by the eigenvalues of its Gram matrix.

    Of W0·C they are eq. 20 of arXiv 2602.20492, corrected. Printed, eq. 20 multiplies by C⁻¹
    again, which leaves W0 whatever the task is: the literal spectrum is that of W0 itself.

    Faster than a decomposition of the matrix. The Gram matrix squares what rounding loses and is
    therefore in float64, where σ below about 1e-8·σ_max are lost: less than a thousandth of a nat.
    Zero and rank-deficient matrices have as many σ as others, some of them 0. UnfitError for values
    that are not finite, or eigenvalues that are not found.
    """
    product = matrix.double()
    if not bool(product.isfinite().all()):
        raise UnfitError("is not finite")
    short = product if product.shape[0] <= product.shape[1] else product.T
    try:
        squares: Tensor = torch.linalg.eigvalsh(_gram(short))  # reads the lower triangle alone
    except RuntimeError as error:  # torch's LinAlgError is one
        raise UnfitError("was not found: the eigenvalues do not converge") from error
    return squares.clamp(min=0).sqrt().flip(0)


def spectral_entropy(sigma: Tensor) -> float:
    """H(σ) = −Σ_j p_j·ln p_j in nats, p_j = σ_j/Σ_z σ_z (eq. 21 of arXiv 2602.20492).

    sigma: (R,), not negative. Between 0 (one direction) and ln R (all alike); 0 where all are
    zero: such a module asks for nothing. UnfitError for negative, infinite or NaN values.
    """
    if not bool(((sigma >= 0) & sigma.isfinite()).all()):
        raise UnfitError("singular values must be finite and not negative")
    total = sigma.sum()
    if float(total) == 0.0:
        return 0.0
    return float(torch.special.entr(sigma.double() / total).sum())


def spectrum_flop(out_features: int, in_features: int, tokens: int | None) -> int:
    """FLOP of a module's spectrum from W0 and N tokens, a multiply-add counted as 2.

    W0·C: N·k² for one triangle of C (0 with `tokens` 0: C is at hand) and 2·d·k², or 4·N·d·k by
    way of W0·Xᵀ where `Inputs.product` goes that way; nothing with None, for W0 itself. Then, with
    m and n the short and the long side, m²·n for one triangle of the Gram matrix and 4/3·m³ for
    its eigenvalues (Golub and Van Loan, section 8.3.1).
    """
    short, long = sorted((out_features, in_features))
    values = short**2 * long + 4 * short**3 // 3
    if tokens is None:
        return values
    if tokens and _by_tokens(out_features, in_features, tokens):
        return 4 * tokens * out_features * in_features + values
    return in_features**2 * (tokens + 2 * out_features) + values

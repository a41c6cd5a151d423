"""`product_svd`: devices agree on the product B·A, and take it apart into factors again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from cosim.methods.aggregation.products import SVD_FLOP, Truncated, completed, truncated_sum
from cosim.methods.aggregation.slot import Aggregation, Mixing
from cosim.methods.chosen import Chosen
from cosim.methods.layout import Layout
from cosim.methods.message import Heard
from cosim.methods.state import DeviceState
from cosim.methods.workload import Workload

if TYPE_CHECKING:
    from torch import Tensor


class ProductSvd(Aggregation):
    """B·A becomes the best rank-r matrix to Σ_j w_j·B_j·A_j (DeCAF, arXiv 2505.21382).

    Module by module, U·Σ·Vᵀ is the truncated SVD of the sum, found from the stacked factors. Where
    the sum has less than rank r, B = 0 in what is missing and A has orthonormal rows out of what
    the device had, so that it can be learnt; where the sum is zero A stays. Ours, as the paper's
    text was not to be had: how Σ is split, what stands in for missing directions, and the moments.
    Those belong to the basis that is left: AdamW's second moments cannot be turned into the new
    one, and with the first alone its step would be many times too long.

    Directions come in the order of their singular values, so that the first r_i of them, which a
    device of a lower rank r_i keeps, are the best of that rank.
    """

    name: Literal["product_svd"] = "product_svd"
    keeps_basis: ClassVar[bool] = False
    unpadded: ClassVar[str | None] = None
    split: Literal["balanced", "expansion"] = Field(
        "balanced", description="B = U·√Σ and A = √Σ·Vᵀ; or B = U·Σ and A = Vᵀ"
    )
    moments: Literal["reset", "kept"] = Field(
        "reset", description="the optimiser's, of B and A, once both are in another basis"
    )

    def refuses(self, method: Chosen) -> str | None:
        """An A that stays, and a B of which only a part is trained."""
        if not method.projection.moves:
            return (
                "aggregation 'product_svd' gives every device another A, and with projection "
                f"{method.projection} A is not trained or sent: use projection 'trained', or "
                "aggregation 'mean', 'support_normalised' or 'stacked'"
            )
        if method.expansion.masked:
            return (
                "aggregation 'product_svd' gives every device a dense B, and expansion "
                f"{method.expansion} keeps a part of it: use expansion 'dense'"
            )
        return None

    def mix(self, own: DeviceState, heard: Sequence[Heard], at: Mixing) -> DeviceState:
        """New factors, of a product that all who heard the same have in common."""
        B, A, ranks = at.shared(lambda: self._factors(heard, at))
        rank, adapter = at.layout.rank, own.adapter
        if any(count < rank for count in ranks):
            A = _completed(A, ranks, at.layout, adapter.projection)
        moments = adapter.moments if self.moments == "kept" else {}
        return own.with_adapter(values=B, projection=A, moments=moments)

    def _factors(self, heard: Sequence[Heard], at: Mixing) -> tuple[Tensor, Tensor, list[int]]:
        """Flat B and A, zero where the sum has no more directions, and how many it has of each
        module."""
        import torch

        pairs = [at.layout.pairs(part.message.projection, part.message.values) for part in heard]
        shares = [weight / at.total for weight in at.weights]
        expansions, projections, ranks = [], [], []
        for module in zip(*pairs, strict=True):
            As, Bs = [A[0].double() for A, _ in module], [B[0].double() for _, B in module]
            truncation = truncated_sum(Bs, As, shares, at.layout.rank)
            B, A = self.factors(truncation, at.layout.rank)
            expansions.append(B.float().flatten())
            projections.append(A.float().flatten())
            ranks.append(truncation.sigma.numel())
        return torch.cat(expansions), torch.cat(projections), ranks

    def factors(self, truncation: Truncated, rank: int) -> tuple[Tensor, Tensor]:
        """B (d, r) and A (r, k) of U·Σ·Vᵀ, zero in what is missing to rank r."""
        from torch.nn.functional import pad

        if self.split == "balanced":
            root = truncation.sigma.sqrt()
            B, A = truncation.U * root, root.unsqueeze(-1) * truncation.Vt
        else:
            B, A = truncation.U * truncation.sigma, truncation.Vt
        missing = rank - truncation.sigma.numel()
        return pad(B, (0, missing)), pad(A, (0, 0, 0, missing))

    def work(self, sizes: Sequence[int], layout: Layout) -> Workload:
        """QR of the stacked factors, with m = Σ_j r_j columns, an SVD of m×m numbers, and the
        products that bring r directions back: 2(d+k)·m² + 21·m³ + 2(d+k)·m·r a module."""
        edges = sum(module.out_features + module.in_features for module in layout.modules)
        m = sum(sizes) // edges
        by_edge = 2.0 * m * (m + layout.rank)
        return Workload.of_flop(edges * by_edge + len(layout.modules) * SVD_FLOP * m**3)


def _completed(A: Tensor, ranks: Sequence[int], layout: Layout, before: Tensor) -> Tensor:
    """Flat A with the rows that are missing out of a device's own, flat too."""
    import torch

    sizes, shapes = layout.projection_sizes, layout.projection_shapes
    parts = []
    for new, old, shape, count in zip(
        A.split(sizes), before.split(sizes), shapes, ranks, strict=True
    ):
        if count == layout.rank:
            parts.append(new)
            continue
        rows = new.view(shape)[:count].double()
        filled = completed(rows, layout.rank, old.view(shape).double())
        parts.append(filled.float().flatten())
    return torch.cat(parts)

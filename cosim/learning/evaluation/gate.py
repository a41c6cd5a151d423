"""Which experts answer: a gate per sequence, and the paper's literal selection of ranks."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def prompt_mean(tokens: Tensor, rows: Tensor, count: int) -> Tensor:
    """x̄ (n, k), float32: the mean over each prompt's tokens.

    tokens: (N, k) of all prompts; rows: (N,) which prompt each belongs to; count: n. The answer
    stays out, so that all choices of a question meet the same gate. ValueError for a prompt
    without tokens.
    """
    lengths = torch.bincount(rows, minlength=count)
    if lengths.numel() != count or bool((lengths == 0).any()):
        raise ValueError(f"rows must name each of {count} prompts, and no others")
    total = torch.zeros(count, tokens.shape[1], device=tokens.device)
    total = total.index_add_(0, rows, tokens.float())
    return total / lengths[:, None]


def centred_cosines(inputs: Tensor, experts: Tensor) -> Tensor:
    """cos(x̄ − μ, h_j − μ) (n, J), μ the mean of the known h_j; 0 where a side is zero.

    inputs: x̄ (n, k); experts: h_j (J, k), the calibration means, finite. Without μ all cosines are
    near 1, because a few large coordinates are common to all tasks. A sequence that the base model
    reads to no finite x̄ has cosine 0 to all, so that they share it equally: whichever answered,
    its answer would be no finite number either.
    """
    x, h = inputs.double(), experts.to(inputs.device).double()
    centre = h.mean(0)
    return _directions(x, centre) @ _directions(h, centre).T


def voted_cosines(inputs: Tensor, experts: Tensor) -> Tensor:
    """The mean over layers of `centred_cosines` (n, J): every layer has one vote.

    inputs: x̄ (n, L, k); experts: h_j (J, L, k), both at the same L layers.
    """
    pairs = zip(inputs.unbind(1), experts.unbind(1), strict=True)
    return torch.stack([centred_cosines(x, h) for x, h in pairs]).mean(0)


def gate_weights(cosines: Tensor, top_k: int, temperature: float = 1.0) -> Tensor:
    """Weights (n, J) of the experts for each sequence: eq. 27 of arXiv 2602.20492, corrected.

    g_j ∝ relu(cosine_j)^(1/T) over the `top_k` largest cosines, 0 elsewhere, each row summing to
    1, float32. Where none of them is positive they share equally. Equal cosines go to the lower
    index. cosines: (n, J); T → 0 is hard routing. ValueError for no experts, top_k < 1 or T not
    positive.
    """
    if cosines.shape[1] == 0:
        raise ValueError("there is no expert to route to")
    if top_k < 1 or not 0 < temperature < math.inf:
        raise ValueError("top_k must be at least 1, and the temperature positive and finite")
    best = cosines.sort(dim=1, descending=True, stable=True).indices[:, :top_k]
    chosen = torch.zeros_like(cosines).scatter_(1, best, 1.0)
    similar = cosines.clamp(min=0) * chosen
    highest = similar.amax(1, keepdim=True)
    # Relative to the highest, so that a low temperature does not push all of them to zero.
    gate = torch.where(highest > 0, (similar / highest).pow(1 / temperature), chosen)
    return (gate / gate.sum(1, keepdim=True)).float()


def sequence_gate(inputs: Tensor, experts: Tensor, top_k: int, temperature: float = 1.0) -> Tensor:
    """Weights (n, J) by `gate_weights` from the centred cosines at one layer.

    With a single expert, whose h is μ itself, it answers alone. inputs: x̄ (n, k); experts: h_j
    (J, k), the calibration means. ValueError as `gate_weights`.
    """
    if experts.shape[0] == 0:
        raise ValueError("there is no expert to route to")
    return gate_weights(centred_cosines(inputs, experts), top_k, temperature)


def refined_projection(projection: Tensor, mean_input: Tensor) -> Tensor:
    """A·diag(√k·h/‖h‖): eq. 26 of arXiv 2602.20492, `literal`, of the shape of A.

    The one static reading whose shapes fit; √k keeps the norm of A where |h| is even.
    projection: A (..., r, k); mean_input: h (..., k), the owner's. ValueError for h = 0.
    """
    norm = mean_input.norm(dim=-1, keepdim=True)
    if bool((norm == 0).any()):
        raise ValueError("the mean input is zero: it has no direction")
    scale: Tensor = math.sqrt(mean_input.shape[-1]) * mean_input / norm
    return projection * scale.unsqueeze(-2)


def rank_activations(inputs: Tensor, refined: Tensor) -> Tensor:
    """z_j = A_j,refined·x (..., J, r) of every expert: the product in eq. 27, `literal`.

    inputs: x (..., k); refined: A_refined (J, r, k).
    """
    activations: Tensor = torch.einsum("...k,jrk->...jr", inputs, refined)
    return activations


def select_ranks(activations: Tensor, keep: int) -> Tensor:
    """z with all but the `keep` largest |z| of all experts' ranks set to zero: eq. 29, `literal`.

    activations: z (..., J, r), returned in that shape; the answer is then Σ_j B_j·z_j. `keep` is
    the paper's k, and r where one adapter's cost is wanted. Ranked across experts, because inside
    one adapter a top-k selects no expert; by magnitude, because the sign of a rank means nothing.
    Equal magnitudes go to the lower expert and rank. ValueError for keep < 1.
    """
    if keep < 1:
        raise ValueError("keep must be at least 1")
    flat = activations.flatten(-2)
    best = flat.abs().sort(dim=-1, descending=True, stable=True).indices[..., :keep]
    mask = torch.zeros_like(flat, dtype=torch.bool).scatter_(-1, best, True)
    return flat.masked_fill(~mask, 0.0).view_as(activations)


def _directions(points: Tensor, centre: Tensor) -> Tensor:
    """(points − centre) at length 1; zero where the difference is only rounding, or not finite."""
    offset = points - centre
    length = offset.norm(dim=1, keepdim=True)
    noise = 1e-12 * (points.norm(dim=1, keepdim=True) + centre.norm())
    unit: Tensor = torch.where((length > noise) & length.isfinite(), offset / length, 0.0)
    return unit

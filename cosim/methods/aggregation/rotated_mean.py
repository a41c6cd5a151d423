"""`rotated_mean`: factors are turned towards a reference before they are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from cosim.methods.aggregation.averages import weighted_mean
from cosim.methods.aggregation.products import SVD_FLOP
from cosim.methods.aggregation.slot import Aggregation, Mixing, Speaking
from cosim.methods.chosen import Chosen
from cosim.methods.layout import Layout
from cosim.methods.message import Heard, Said, Values
from cosim.methods.state import DeviceState
from cosim.methods.workload import Workload

if TYPE_CHECKING:
    from torch import Tensor

# Beside ‖M‖ this much of the identity decides in directions about which M says nothing, where an
# SVD gives any rotation.
_LEAN = 1e-13
# Factors that agree less than this share of what they could are taken not to agree at all.
_NOTHING = 1e-12


class RotatedMean(Aggregation):
    """The mean is that of B_j·R_j and R_jᵀ·A_j, R_j in SO(r) (FedRot-LoRA, arXiv 2602.23638).

    R_j brings a factor of j nearest to the reference's (orthogonal Procrustes), softened by λ;
    B_j·A_j stays as it is. As in the authors' code the first round is not turned and, alternating,
    A decides in the second. Theirs is a server's last model as the reference; ours are those that
    a device has without one. Against the receiver's own factors its own message is not turned,
    so that its moments fit, and what comes of it differs by receiver. Against what the sender
    last mixed, which is the paper's where all hear all, the sender's own factors turn with it.
    """

    name: Literal["rotated_mean"] = "rotated_mean"
    keeps_basis: ClassVar[bool] = False
    unpadded: ClassVar[str | None] = (
        "turns r directions into each other, and a device of a lower rank has fewer"
    )
    strength: float = Field(0.5, ge=0, le=1, description="λ: 0 is the mean, 1 turns all the way")
    reflections: bool = Field(
        False,
        description="R of O(r) and not of SO(r), as in the authors' code with their λ above 1; "
        "needs strength: 1",
    )
    anchor: Literal["alternate", "projection", "expansion"] = Field(
        "alternate",
        description="the factor that decides R: A in even rounds and B in odd ones; A; or B",
    )
    reference: Literal["receiver", "own_previous"] = Field(
        "receiver",
        description="the receiver turns what it hears towards its own factors; or the sender "
        "towards those that it last mixed",
    )
    moments: Literal["reset", "kept"] = Field(
        "reset", description="the optimiser's, of a device whose own factors were turned"
    )

    def refuses(self, method: Chosen) -> str | None:
        """An A that stays, and a B of which only a part is trained."""
        if not method.projection.moves:
            return (
                "aggregation 'rotated_mean' turns A with B, and with projection "
                f"{method.projection} A is not trained or sent: use projection 'trained', or "
                "aggregation 'mean', 'support_normalised' or 'stacked'"
            )
        if method.expansion.masked:
            return (
                "aggregation 'rotated_mean' mixes all columns of B, and expansion "
                f"{method.expansion} keeps a part of each: use expansion 'dense'"
            )
        if self.reflections and self.strength != 1:
            return (
                "aggregation 'rotated_mean' turns a part of the way by rotations, and none leads "
                "to a reflection: use strength: 1, or reflections: false"
            )
        return None

    def says(self, own: DeviceState, at: Speaking) -> tuple[Said, ...]:
        """B and A, turned where the sender turns them."""
        return super().says(self._as_sent(own, at.layout), at)

    def _as_sent(self, own: DeviceState, layout: Layout) -> DeviceState:
        """The state with its factors turned towards what the device last mixed."""
        last, factor = own.memory.get(self.slot), self.deciding(own.adapter.round)
        if last is None or factor is None:
            return own
        B, A = turned(
            (own.adapter.values, own.adapter.projection),
            (last["B"], last["A"]),
            layout,
            factor,
            self.strength,
            proper=not self.reflections,
        )
        return own.with_adapter(values=B, projection=A)

    def deciding(self, round_: int) -> Literal["A", "B"] | None:
        """The factor that decides how far messages are turned in a round; None: they are not."""
        if round_ <= 1 or self.strength == 0:
            return None
        by_round: Literal["A", "B"] = "B" if round_ % 2 else "A"
        return {"alternate": by_round, "projection": "A", "expansion": "B"}[self.anchor]

    def mix(self, own: DeviceState, heard: Sequence[Heard], at: Mixing) -> DeviceState:
        """B and A, factor by factor once they are turned."""
        size, adapter = at.layout.expansion_size, own.adapter
        factor = self.deciding(adapter.round)
        if self.reference == "receiver" and factor is not None:
            near = [
                part if part.message.device == at.device else self._nearer(part, own, at, factor)
                for part in heard
            ]
            B, A = weighted_mean(near, at.weights, at.total, size)
        else:
            B, A = at.shared(lambda: weighted_mean(heard, at.weights, at.total, size))
        projection = adapter.projection if A is None else A
        if self.reference == "receiver" or self.strength == 0:
            return own.with_adapter(values=B, projection=projection)
        stays = factor is None or self.slot not in own.memory or self.moments == "kept"
        moments = adapter.moments if stays else {}
        mixed = own.with_adapter(values=B, projection=projection, moments=moments)
        return mixed.remember(self.slot, B=B, A=projection)

    def _nearer(
        self, part: Heard, own: DeviceState, at: Mixing, factor: Literal["A", "B"]
    ) -> Heard:
        """What was heard, turned towards the receiver's factors."""
        message, reference = part.message, (own.adapter.values, own.adapter.projection)
        B, A = turned(
            (message.values, message.projection),
            reference,
            at.layout,
            factor,
            self.strength,
            proper=not self.reflections,
        )
        fresh = {"B": B, "A": A}
        content = tuple(
            replace(item, values=fresh[item.name])
            if isinstance(item, Values) and item.name in fresh
            else item
            for item in message.content
        )
        return replace(part, message=replace(message, content=content))

    def work(self, sizes: Sequence[int], layout: Layout) -> Workload:
        """The mean's, and of each message that the device turns two r×r SVDs, M and the turning:
        2r²·max(d, k) + 42r³ + 2r²(d+k) a module."""
        flop = super().work(sizes, layout).flop
        if self.strength == 0:
            return Workload.of_flop(flop)
        messages = len(sizes) - 1 if self.reference == "receiver" else 1
        r = layout.rank
        turning = sum(
            2.0 * r * r * (max(module.out_features, module.in_features))
            + 2.0 * r * r * (module.out_features + module.in_features)
            + 2.0 * SVD_FLOP * r**3
            for module in layout.modules
        )
        return Workload.of_flop(flop + messages * turning)


def turned(
    factors: tuple[Tensor, Tensor],
    reference: tuple[Tensor, Tensor],
    layout: Layout,
    factor: Literal["A", "B"],
    strength: float,
    *,
    proper: bool = True,
) -> tuple[Tensor, Tensor]:
    """Flat (B·R, Rᵀ·A) of flat factors (B, A), R module by module towards a reference (B, A)."""
    import torch

    (B, A), (B_ref, A_ref) = factors, reference
    expansions, projections = [], []
    for pair, aim in zip(layout.pairs(A, B), layout.pairs(A_ref, B_ref), strict=True):
        a, b = (part[0].double() for part in pair)
        a_ref, b_ref = (part[0].double() for part in aim)
        own, aims_at = (a, a_ref) if factor == "A" else (b.mT, b_ref.mT)
        R = procrustes(own, aims_at, strength, proper=proper)
        expansions.append((b @ R).float().flatten())
        projections.append((R.mT @ a).float().flatten())
    return torch.cat(expansions), torch.cat(projections)


def procrustes(own: Tensor, reference: Tensor, strength: float, *, proper: bool = True) -> Tensor:
    """R (r, r) in SO(r), with proper=False in O(r), by which Rᵀ·own comes nearer to the reference.

    Both are (r, n). Strength 1 is the rotation that minimises ‖Rᵀ·own − reference‖_F, below it the
    one nearest to (1−λ)·I + λ·R; the identity where the two do not agree at all.
    """
    import torch

    identity = torch.eye(own.shape[0], dtype=own.dtype)
    M = own @ reference.mT
    size = M.norm()
    if strength == 0 or not bool(size > _NOTHING * own.norm() * reference.norm()):
        return identity
    R = nearest_orthogonal(M / size + _LEAN * identity, proper=proper)
    return R if strength == 1 else nearest_orthogonal((1 - strength) * identity + strength * R)


def nearest_orthogonal(M: Tensor, *, proper: bool = True) -> Tensor:
    """The R of SO(r) that is nearest to M (r, r): U·Vᵀ, with the sign of the least singular value
    changed where that were a reflection; with proper=False U·Vᵀ itself, the nearest of O(r)."""
    import torch

    U, _, Vt = torch.linalg.svd(M)
    if proper and float(torch.linalg.det(U @ Vt)) < 0:
        U = torch.cat([U[:, :-1], -U[:, -1:]], dim=1)
    R: Tensor = U @ Vt
    return R

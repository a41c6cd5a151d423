"""`rotated_mean`: rotations that change no product, and bring factors together."""

from typing import Any, Literal

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from cosim.methods import METHODS
from cosim.methods.aggregation.mean import Mean
from cosim.methods.aggregation.rotated_mean import (
    RotatedMean,
    nearest_orthogonal,
    procrustes,
    turned,
)
from cosim.methods.aggregation.slot import Speaking
from cosim.methods.composition.single import Single
from cosim.methods.projection.trained import Trained
from cosim.methods.state import DeviceState
from tests.learning.flat_factors import (
    LAYOUT,
    RANK,
    drawn,
    factors,
    heard,
    held,
    mixing,
    of,
    products,
)

WEIGHTS = [0.5, 0.2, 0.3]
REFERENCES = ["receiver", "own_previous"]
IDENTITY = torch.eye(RANK, dtype=torch.float64)


def rotation(seed: int) -> Tensor:
    """Any of SO(r)."""
    return nearest_orthogonal(drawn(RANK, RANK, seed=seed))


def rotated(pair: tuple[Tensor, Tensor], R: Tensor) -> tuple[Tensor, Tensor]:
    """Flat (B·R, Rᵀ·A)."""
    B, A = pair
    parts = [(b[0].double() @ R, R.mT @ a[0].double()) for a, b in LAYOUT.pairs(A, B)]
    return (
        torch.cat([b.float().flatten() for b, _ in parts]),
        torch.cat([a.float().flatten() for _, a in parts]),
    )


def says(part: RotatedMean, own: DeviceState) -> tuple[Tensor, Tensor]:
    """B and A of the device's message."""
    kept = LAYOUT.expansion_sizes
    B, A = part.says(own, Speaking(LAYOUT, kept, Trained(), Single()))
    return B.values, A.values  # type: ignore[union-attr]


@pytest.mark.parametrize("strength", [0.0, 0.2, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("factor", ["A", "B"])
def test_a_rotation_changes_no_product(strength: float, factor: Literal["A", "B"]) -> None:
    pair = factors(1)
    near = turned(pair, factors(2), LAYOUT, factor, strength)
    for before, after in zip(products(pair), products(near), strict=True):
        assert float((after - before).norm()) <= 1e-6 * float(before.norm())
    assert torch.equal(near[0], pair[0]) == torch.equal(near[1], pair[1]) == (strength == 0.0)


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.5, 1.0])
def test_what_turns_is_in_so_r_and_no_farther_than_its_strength(strength: float) -> None:
    for seed in range(20):
        own, reference = drawn(RANK, 17, seed=seed), drawn(RANK, 17, seed=100 + seed)
        R = procrustes(own, reference, strength)
        torch.testing.assert_close(R @ R.mT, IDENTITY, rtol=0, atol=1e-12)
        assert float(torch.linalg.det(R)) == pytest.approx(1.0)
        hard = procrustes(own, reference, 1.0)
        bound = 2 * strength * float((hard - IDENTITY).norm())
        assert float((R - IDENTITY).norm()) <= bound + 1e-12


def test_no_other_rotation_is_nearer_than_the_hard_one() -> None:
    own, reference = drawn(RANK, 17), drawn(RANK, 17, seed=1)
    best = float((procrustes(own, reference, 1.0).mT @ own - reference).norm())
    for seed in range(300):
        other = rotation(seed)
        assert float((other.mT @ own - reference).norm()) >= best


def test_a_rotated_copy_is_brought_back_exactly() -> None:
    A_ref, R = drawn(RANK, 17), rotation(3)
    back = procrustes(R.mT @ A_ref, A_ref, 1.0)
    torch.testing.assert_close(back.mT @ (R.mT @ A_ref), A_ref, rtol=0, atol=1e-12)


def test_a_reflection_is_undone_where_it_is_allowed_and_nowhere_else() -> None:
    reference, mirror = drawn(RANK, 17, seed=3), IDENTITY.clone()
    mirror[0, 0] = -1.0
    own = mirror @ reference
    R = procrustes(own, reference, 1.0, proper=False)
    assert float(torch.linalg.det(R)) == pytest.approx(-1.0)
    torch.testing.assert_close(R.mT @ own, reference, rtol=0, atol=1e-12)
    assert float((procrustes(own, reference, 1.0).mT @ own - reference).norm()) > 0.1
    part = METHODS["fedrot_lora"]
    assert part.with_(aggregation=RotatedMean(reflections=True, strength=1.0))
    with pytest.raises(ValidationError, match="use strength: 1"):
        part.with_(aggregation=RotatedMean(reflections=True, strength=0.5))


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_device_that_hears_nobody_keeps_its_product(reference: Any) -> None:
    pair, part = factors(1), RotatedMean(reference=reference)
    state = held(pair)
    for _ in range(3):
        state = part.mix(state, heard(pair), mixing([1.0]))
    for before, after in zip(products(pair), products(of(state)), strict=True):
        assert float((after - before).norm()) <= 1e-6 * float(before.norm())


@pytest.mark.parametrize("anchor", ["projection", "expansion"])
def test_a_hard_rotation_undoes_whatever_senders_have_turned(anchor: Any) -> None:
    """Copies of one pair, each turned by its sender, are averaged to that pair again."""
    pair = factors(1)
    part = RotatedMean(strength=1, anchor=anchor)
    said = heard(pair, rotated(pair, rotation(1)), rotated(pair, rotation(2)))
    B, A = of(part.mix(held(pair), said, mixing(WEIGHTS)))
    torch.testing.assert_close(B, pair[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(A, pair[1], rtol=0, atol=1e-5)
    # The mean factor by factor is another thing.
    mean = of(Mean().mix(held(pair), said, mixing(WEIGHTS)))
    assert float((mean[1] - pair[1]).norm()) > 0.1 * float(pair[1].norm())
    # Of different pairs the mixture is one, however each sender has turned its own.
    others = [factors(2), factors(3)]
    plain = of(part.mix(held(pair), heard(pair, *others), mixing(WEIGHTS)))
    moved = [rotated(other, rotation(n)) for n, other in enumerate(others)]
    again = of(part.mix(held(pair), heard(pair, *moved), mixing(WEIGHTS)))
    for before, after in zip(plain, again, strict=True):
        torch.testing.assert_close(after, before, rtol=0, atol=1e-5)


def test_where_all_a_are_one_turned_differently_the_mean_of_the_factors_is_that_of_products() -> (
    None
):
    """Hard alignment recovers A, and the aggregation error is 0 whatever the Bs are."""
    _, A = reference = factors(1)
    pairs = [reference] + [rotated((factors(n)[0], A), rotation(n)) for n in (2, 3)]
    part = RotatedMean(strength=1, anchor="projection")
    mixed = of(part.mix(held(reference), heard(*pairs), mixing(WEIGHTS)))
    torch.testing.assert_close(mixed[1], A, rtol=0, atol=1e-5)
    plain = of(Mean().mix(held(reference), heard(*pairs), mixing(WEIGHTS)))
    by_device = [products(pair) for pair in pairs]
    for module, found in enumerate(products(mixed)):
        mean = sum(w * own[module] for w, own in zip(WEIGHTS, by_device, strict=True))
        size = float(torch.as_tensor(mean).norm())
        assert float((found - mean).norm()) <= 1e-6 * size
        assert float((products(plain)[module] - mean).norm()) > 0.1 * size


@pytest.mark.parametrize("reference", REFERENCES)
def test_without_strength_it_is_the_mean_to_the_bit(reference: Any) -> None:
    part = RotatedMean(strength=0, reference=reference)
    own, said = held(factors(0), round_=3), heard(factors(0), factors(1), factors(2))
    found, mean = part.mix(own, said, mixing(WEIGHTS)), Mean().mix(own, said, mixing(WEIGHTS))
    for one, other in zip(of(found), of(mean), strict=True):
        assert torch.equal(one, other)
    assert found.adapter.moments is own.adapter.moments
    assert found.memory == own.memory
    assert all(torch.equal(a, b) for a, b in zip(says(part, own), of(own), strict=True))
    sizes = [100, 100, 100]
    assert part.work(sizes, LAYOUT) == Mean().work(sizes, LAYOUT)


def test_who_decides_by_round() -> None:
    part = RotatedMean()
    assert [part.deciding(number) for number in range(6)] == [None, None, "A", "B", "A", "B"]
    for anchor, factor in (("projection", "A"), ("expansion", "B")):
        fixed = RotatedMean(anchor=anchor)
        assert [fixed.deciding(number) for number in range(4)] == [None, None, factor, factor]
    own, said = held(factors(0), round_=1), heard(factors(0), factors(1))
    for reference in REFERENCES:
        part = RotatedMean(strength=1, reference=reference)
        found = of(part.mix(own, said, mixing([1, 1])))
        for one, other in zip(found, of(Mean().mix(own, said, mixing([1, 1]))), strict=True):
            assert torch.equal(one, other)


def test_factors_that_do_not_agree_at_all_are_left_alone() -> None:
    zero = torch.zeros(LAYOUT.expansion_size)
    A, other = factors(1)[1], factors(2)
    for near in (
        turned((zero, A), other, LAYOUT, "B", 1.0),
        turned((zero, A), (zero, other[1]), LAYOUT, "B", 0.5),
    ):
        assert torch.equal(near[0], zero)
        assert torch.equal(near[1], A)
    # A direction of which M says nothing is left alone, and the others are turned.
    own = drawn(RANK, 17)
    own[2] = 0.0
    plane = torch.eye(RANK, dtype=torch.float64)
    plane[:2, :2] = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    torch.testing.assert_close(procrustes(plane @ own, own, 1.0), plane, rtol=0, atol=1e-12)


def test_a_sender_turns_towards_what_it_last_mixed() -> None:
    part = RotatedMean(strength=1, anchor="projection", reference="own_previous")
    first, said = held(factors(0), round_=1), heard(factors(0), factors(1))
    mixed = part.mix(first, said, mixing([1, 1]))
    assert mixed.adapter.moments is first.adapter.moments, "nothing was turned yet"
    B, A = of(mixed)
    assert torch.equal(mixed.memory["aggregation"]["A"], A)
    assert torch.equal(mixed.memory["aggregation"]["B"], B)
    # Had the next training but turned the factors, the message would turn them back.
    later = held(rotated((B, A), rotation(5)), round_=2, A=A, B=B)
    for told, before in zip(says(part, later), (B, A), strict=True):
        torch.testing.assert_close(told, before, rtol=0, atol=1e-5)
    again = part.mix(later, heard(says(part, later), factors(1)), mixing([1, 1]))
    assert not again.adapter.moments
    kept = part.model_copy(update={"moments": "kept"})
    assert kept.mix(later, said, mixing([1, 1])).adapter.moments is later.adapter.moments


def test_a_receivers_own_message_and_moments_stay_as_they_are() -> None:
    """Device 1 hears what turns to its own factors, and keeps them."""
    part, own = RotatedMean(strength=1, anchor="projection"), held(factors(1))
    said = heard(rotated(factors(1), rotation(4)), factors(1))
    found = part.mix(own, said, mixing([1, 1], device=1))
    for after, before in zip(of(found), of(own), strict=True):
        torch.testing.assert_close(after, before, rtol=0, atol=1e-5)
    assert found.adapter.moments is own.adapter.moments
    assert all(torch.equal(told, kept) for told, kept in zip(says(part, own), of(own), strict=True))


def test_what_turns_is_charged_by_message() -> None:
    """Modules 12×17 and 9×14 of rank 3: 2·9·17 + 2·9·29 + 42·27, and 2·9·14 + 2·9·23 + 42·27."""
    turning = 2 * 9 * (17 + 29 + 14 + 23) + 2 * 42 * 27
    mean = Mean().work([50, 50, 50, 50], LAYOUT).flop
    assert RotatedMean().work([50] * 4, LAYOUT).flop == mean + 3 * turning
    by_sender = RotatedMean(reference="own_previous")
    assert by_sender.work([50] * 4, LAYOUT).flop == mean + turning


def by_server(
    start: tuple[Tensor, Tensor], steps: list[list[tuple[Tensor, Tensor]]], strength: float
) -> tuple[Tensor, Tensor]:
    """The paper's loop: a server sends its model, clients train, turn towards it and send back.

    steps: what each client's training of each round adds to (B, A).
    """
    model = start
    for state, added in enumerate(steps):
        sent = []
        for B_step, A_step in added:
            B, A = model[0] + B_step, model[1] + A_step
            if state > 0:  # the first round is not turned
                parts = []
                for (a, b), (a_ref, b_ref) in zip(
                    LAYOUT.pairs(A, B), LAYOUT.pairs(model[1], model[0]), strict=True
                ):
                    odd = state % 2 == 1
                    M = a[0] @ a_ref[0].mT if odd else b[0].mT @ b_ref[0]
                    U, _, Vt = torch.linalg.svd(M.double())
                    if float(torch.linalg.det(U @ Vt)) < 0:
                        Vt[-1] *= -1
                    U, _, Vt = torch.linalg.svd((1 - strength) * IDENTITY + strength * (U @ Vt))
                    parts.append((b[0].double() @ (U @ Vt), (U @ Vt).mT @ a[0].double()))
                B = torch.cat([b.flatten() for b, _ in parts]).float()
                A = torch.cat([a.flatten() for _, a in parts]).float()
            sent.append((B, A))
        model = (
            torch.stack([B for B, _ in sent]).mean(0),
            torch.stack([A for _, A in sent]).mean(0),
        )
    return model


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_where_all_hear_all_it_is_the_papers_server(strength: float) -> None:
    """Three rounds, of which A decides in the second and B in the third."""
    part = RotatedMean(strength=strength, reference="own_previous")
    steps = [[factors(10 * number + device) for device in range(3)] for number in range(3)]
    start = (torch.zeros(LAYOUT.expansion_size), factors(99)[1])
    states = [held(start, round_=0) for _ in range(3)]
    for number, added in enumerate(steps, start=1):
        trained = []
        for own, (B_step, A_step) in zip(states, added, strict=True):
            B, A = of(own)
            trained.append(own.with_adapter(values=B + B_step, projection=A + A_step, round=number))
        said = heard(*(says(part, own) for own in trained))
        states = [part.mix(own, said, mixing([1, 1, 1])) for own in trained]
    for own in states:
        for found, wanted in zip(of(own), by_server(start, steps, strength), strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    mean = by_server(start, steps, 0.0)
    assert float((of(states[0])[1] - mean[1]).norm()) > 0.01 * float(mean[1].norm())

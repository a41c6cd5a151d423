"""`product_svd` against dense matrices: what it keeps exactly, and what no other pair betters."""

import pytest
import torch
from torch import Tensor

from cosim.methods import METHODS
from cosim.methods.aggregation.mean import Mean
from cosim.methods.aggregation.product_svd import ProductSvd
from cosim.methods.aggregation.products import core_of, largest_signs, truncated_sum
from cosim.methods.aggregation.rotated_mean import RotatedMean
from tests.learning.flat_factors import LAYOUT, RANK, drawn, factors, heard, held, mixing, of
from tests.learning.flat_factors import products as products_of

WEIGHTS = [0.5, 0.2, 0.3]
SPLITS = ["balanced", "expansion"]


def pairs(count: int, d: int = 21, k: int = 30) -> tuple[list[Tensor], list[Tensor]]:
    Bs = [drawn(d, RANK, seed=10 + n) for n in range(count)]
    return Bs, [drawn(RANK, k, seed=40 + n) for n in range(count)]


def summed(Bs: list[Tensor], As: list[Tensor], weights: list[float]) -> Tensor:
    return sum((w * B @ A for w, B, A in zip(weights, Bs, As, strict=True)), torch.zeros(1))


@pytest.mark.parametrize(("d", "k"), [(21, 30), (30, 21), (7, 30), (21, 8), (5, 6)])
def test_the_cheap_form_is_the_dense_truncated_svd(d: int, k: int) -> None:
    Bs, As = pairs(3, d, k)
    U, sigma, Vt = torch.linalg.svd(summed(Bs, As, WEIGHTS), full_matrices=False)
    dense = (U[:, :RANK] * sigma[:RANK]) @ Vt[:RANK]
    found = truncated_sum(Bs, As, WEIGHTS, RANK)
    assert float(((found.U * found.sigma) @ found.Vt - dense).norm()) <= 1e-12 * float(sigma[0])
    torch.testing.assert_close(found.sigma, sigma[:RANK], rtol=1e-12, atol=0)
    identity = torch.eye(RANK, dtype=torch.float64)
    for basis in (found.U.mT @ found.U, found.Vt @ found.Vt.mT):
        torch.testing.assert_close(basis, identity, rtol=0, atol=1e-12)
    core = core_of(Bs, As, WEIGHTS)
    assert core.left.shape[1] <= min(d, 3 * RANK)
    assert core.right.shape[1] <= min(k, 3 * RANK)


def test_no_pair_of_rank_r_is_nearer() -> None:
    """Eckart and Young: what is left is the tail of the spectrum, and every other pair leaves more,
    be it any or one beside the best."""
    Bs, As = pairs(3)
    Z = summed(Bs, As, WEIGHTS)
    found = truncated_sum(Bs, As, WEIGHTS, RANK)
    B, A = ProductSvd().factors(found, RANK)
    left = float((Z - B @ A).square().sum())
    tail = float(torch.linalg.svdvals(Z)[RANK:].square().sum())
    assert left == pytest.approx(tail, rel=1e-12)
    for trial in range(200):
        step = 10.0 ** (trial % 5 - 4)
        B_near = B + step * drawn(*B.shape, seed=1000 + trial)
        A_near = A + step * drawn(*A.shape, seed=2000 + trial)
        for other in (B_near @ A_near, B_near @ torch.linalg.lstsq(B_near, Z).solution):
            assert float((Z - other).square().sum()) > left


@pytest.mark.parametrize("split", SPLITS)
def test_equal_messages_keep_their_product(split: str) -> None:
    pair = factors(1)
    mixed = ProductSvd(split=split).mix(held(pair), heard(pair, pair, pair), mixing(WEIGHTS))
    for before, after in zip(products_of(pair), products_of(of(mixed)), strict=True):
        torch.testing.assert_close(after, before, rtol=0, atol=1e-6 * float(before.norm()))


@pytest.mark.parametrize("split", SPLITS)
def test_a_sum_of_rank_r_or_less_comes_back_whole(split: str) -> None:
    """Three messages whose B have one column each, in subspaces orthogonal to each other."""
    sparse = []
    for column in range(RANK):
        B, A = factors(column + 1)
        kept = torch.zeros(RANK).index_fill_(0, torch.tensor([column]), 1.0)
        sparse.append((torch.cat([(b[0] * kept).flatten() for _, b in LAYOUT.pairs(A, B)]), A))
    at = mixing(WEIGHTS)
    mixed = ProductSvd(split=split).mix(held(sparse[0]), heard(*sparse), at)
    wanted = [products_of(pair) for pair in sparse]
    for number, after in enumerate(products_of(of(mixed))):
        Z = sum((w * one[number] for w, one in zip(WEIGHTS, wanted, strict=True)), torch.zeros(1))
        torch.testing.assert_close(after, Z, rtol=0, atol=1e-6 * float(Z.norm()))
    # In float64 the same without the rounding of what is held.
    Bs, As = pairs(2)
    whole = truncated_sum(Bs, As, [0.75, 0.25], 2 * RANK)
    Z = summed(Bs, As, [0.75, 0.25])
    torch.testing.assert_close((whole.U * whole.sigma) @ whole.Vt, Z, rtol=0, atol=1e-12)


def test_with_one_a_in_common_the_product_is_that_of_the_mean() -> None:
    A = factors(9)[1]
    said = [(factors(n)[0], A) for n in range(3)]
    own, at = held(said[0]), mixing(WEIGHTS)
    mean = products_of(of(Mean().mix(own, heard(*said), at)))
    for after, wanted in zip(
        products_of(of(ProductSvd().mix(own, heard(*said), at))), mean, strict=True
    ):
        torch.testing.assert_close(after, wanted, rtol=0, atol=1e-6 * float(wanted.norm()))


def test_where_every_b_is_zero_a_stays_and_can_be_learnt_with() -> None:
    said = [(torch.zeros(LAYOUT.expansion_size), factors(n)[1]) for n in range(3)]
    for own in said:
        B, A = of(ProductSvd().mix(held(own), heard(*said), mixing(WEIGHTS)))
        assert torch.equal(A, own[1])
        assert not B.any()
    # ∂‖Y − B·A·x‖²/∂B at B = 0 is −2·Y·xᵀ·Aᵀ.
    (a, b), *_ = LAYOUT.pairs(A, B)
    weight = b[0].clone().requires_grad_()
    inputs, outputs = drawn(17, 5).float(), drawn(12, 5, seed=1).float()
    (outputs - weight @ (a[0] @ inputs)).square().sum().backward()
    assert weight.grad is not None
    assert (weight.grad.norm(dim=0) > 0).all()


@pytest.mark.parametrize("split", SPLITS)
def test_missing_directions_come_out_of_the_devices_own_a(split: str) -> None:
    """One column of B that is not zero, in both messages the same."""
    B, A = factors(1)
    first = torch.tensor([1.0, 0.0, 0.0])
    one = torch.cat([(b[0] * first).flatten() for _, b in LAYOUT.pairs(A, B)])
    own = factors(7)[1]
    mixed = ProductSvd(split=split).mix(held((one, own)), heard((one, A), (one, A)), mixing([1, 1]))
    for (a, b), (a_own, _) in zip(
        LAYOUT.pairs(mixed.adapter.projection, mixed.adapter.values),
        LAYOUT.pairs(own, one),
        strict=True,
    ):
        rows, added = a[0], a[0][1:]
        assert not b[0][:, 1:].any()
        torch.testing.assert_close(added @ added.mT, torch.eye(2), rtol=0, atol=1e-5)
        torch.testing.assert_close(added @ rows[0], torch.zeros(2), rtol=0, atol=1e-5)
        span = torch.cat([a_own[0], rows[:1]])
        assert int(torch.linalg.matrix_rank(torch.cat([span, added]), rtol=1e-4)) == RANK + 1
    for before, after in zip(products_of((one, A)), products_of(of(mixed)), strict=True):
        torch.testing.assert_close(after, before, rtol=0, atol=1e-6 * float(before.norm()))


def test_how_the_singular_values_are_split() -> None:
    own, said = held(factors(0)), heard(factors(0), factors(1))
    for split, in_both in (("balanced", True), ("expansion", False)):
        mixed = ProductSvd(split=split).mix(own, said, mixing([1, 1]))
        for a, b in LAYOUT.pairs(mixed.adapter.projection, mixed.adapter.values):
            rows, columns = a[0].norm(dim=1), b[0].norm(dim=0)
            wanted = columns if in_both else torch.ones(RANK)
            torch.testing.assert_close(rows, wanted, rtol=1e-5, atol=1e-6)
            assert (columns.diff() < 0).all(), "the largest first"
            assert (largest_signs(a[0]) == 1).all()


def test_moments_go_with_the_basis_that_they_belong_to() -> None:
    own, said = held(factors(0)), heard(factors(0), factors(1))
    assert not ProductSvd().mix(own, said, mixing([1, 1])).adapter.moments
    kept = ProductSvd(moments="kept").mix(own, said, mixing([1, 1])).adapter
    assert kept.moments is own.adapter.moments


@pytest.mark.parametrize("wrong", [torch.inf, torch.nan])
def test_a_sum_that_is_not_finite_is_nan_like_a_mean(wrong: float) -> None:
    """What diverged is found where it is trained with, in its own sentence."""
    B, A = factors(1)
    spoilt = (B.clone().index_fill_(0, torch.tensor([4]), wrong), A)
    own, said = held(factors(0)), heard(factors(0), spoilt)
    B_mixed, A_mixed = of(ProductSvd().mix(own, said, mixing([1, 1])))
    assert not B_mixed[:12].isfinite().any()
    assert not A_mixed[:17].isfinite().any()
    assert B_mixed[12 * RANK :].isfinite().all(), "the other module is as it would be"
    turned = RotatedMean(strength=1).mix(own, said, mixing([1, 1]))
    assert not turned.adapter.values[4].isfinite()


def test_work_is_that_of_the_stacked_factors() -> None:
    """Two modules with d + k = 29 and 23, three messages of rank 3: m = 9."""
    flop = ProductSvd().work([3 * 52] * 3, LAYOUT).flop
    assert flop == 2 * (29 + 23) * 9 * (9 + 3) + 2 * 21 * 9**3
    two = ProductSvd().work([3 * 52] * 2, LAYOUT).flop
    assert flop > 1.5**2 * two


@pytest.mark.parametrize("aggregation", ["product_svd", "rotated_mean"])
@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"projection": {"name": "frozen", "seed": "shared"}}, "A is not trained or sent"),
        ({"projection": "frozen"}, "A is not trained or sent"),
        ({"projection": "none", "expansion": "every_parameter"}, "A is not trained or sent"),
        ({"expansion": "gradient_mask"}, "use expansion 'dense'"),
        ({"composition": "gate"}, "routes between stored experts"),
    ],
)
def test_what_it_does_not_fit(aggregation: str, parts: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        METHODS["lora"].with_(aggregation=aggregation, **parts)

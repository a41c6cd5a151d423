"""What averaging errs by, against dense matrices, and when it errs by nothing."""

from collections.abc import Callable
from math import isnan
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cosim.learning.data.pool import TaskPool
from cosim.learning.diagnostics import agreement
from cosim.learning.diagnostics.agreement import (
    centred,
    cross_term,
    mixing_errors,
    singular_values,
    squared_distances,
)
from cosim.learning.learner import ModelLearner
from cosim.methods import METHODS
from cosim.methods.adapter import Adapter
from cosim.methods.weights.by_rows import ByRows
from tests.learning.flat_factors import LAYOUT, RANK, drawn, factors, products
from tests.learning.small_learners import one_round, small_learner, small_pools, tuning

SHARES = [0.5, 0.2, 0.3]


def adapters(*pairs: tuple[Tensor, Tensor]) -> list[Adapter]:
    return [Adapter(B, None, A) for B, A in pairs]


def dense(pairs: list[tuple[Tensor, Tensor]], shares: list[float]) -> tuple[list[Tensor], float]:
    """Z of each module, and ‖Z − B̄·Ā‖_F over all of them."""
    parts = zip(*(products(pair) for pair in pairs), strict=True)
    Z = [sum((w * P for w, P in zip(shares, of, strict=True)), torch.zeros(1)) for of in parts]
    mean = tuple(
        sum(
            (w * pair[side].double() for w, pair in zip(shares, pairs, strict=True)), torch.zeros(1)
        )
        for side in (0, 1)
    )
    gaps = [z - p for z, p in zip(Z, products((mean[0], mean[1])), strict=True)]
    return Z, float(torch.stack([gap.square().sum() for gap in gaps]).sum().sqrt())


def test_errors_are_those_of_the_dense_matrices() -> None:
    pairs = [factors(n) for n in range(3)]
    found = mixing_errors(LAYOUT, adapters(*pairs), SHARES)
    Z, crossed = dense(pairs, SHARES)
    size = float(torch.stack([z.square().sum() for z in Z]).sum().sqrt())
    tails = [torch.linalg.svdvals(z)[RANK:].square().sum() for z in Z]
    assert found.cross_term == pytest.approx(crossed, rel=1e-10)
    assert found.aggregation == pytest.approx(crossed / size, rel=1e-10)
    assert found.broadcast == pytest.approx(
        float(torch.stack(tails).sum().sqrt()) / size, rel=1e-10
    )


def test_there_is_no_aggregation_error_if_one_factor_is_in_common_and_only_then() -> None:
    A, B = factors(5)[1], factors(6)[0]
    for pairs in (
        [(factors(n)[0], A) for n in range(3)],
        [(B, factors(n)[1]) for n in range(3)],
    ):
        found = mixing_errors(LAYOUT, adapters(*pairs), SHARES)
        assert found.cross_term == found.aggregation == 0.0
        other = (factors(8)[0], pairs[2][1] + 1e-3)
        errs = mixing_errors(LAYOUT, adapters(*pairs[:2], other), SHARES)
        assert errs.aggregation is not None
        assert errs.aggregation > 1e-5


def test_there_is_no_broadcast_error_where_rank_r_holds_the_sum() -> None:
    A = factors(5)[1]
    in_common = [(factors(n)[0], A) for n in range(3)]
    found = mixing_errors(LAYOUT, adapters(*in_common), SHARES)
    assert found.broadcast == pytest.approx(0.0, abs=1e-12)
    # n·r ≤ r: a single one.
    alone = mixing_errors(LAYOUT, adapters(factors(1)), [1.0])
    assert alone.broadcast == pytest.approx(0.0, abs=1e-12)
    assert alone.cross_term == 0.0


def test_a_sum_of_zero_has_no_relative_error() -> None:
    zero = torch.zeros(LAYOUT.expansion_size)
    found = mixing_errors(LAYOUT, adapters(*((zero, factors(n)[1]) for n in range(2))), [0.5, 0.5])
    assert (found.cross_term, found.aggregation, found.broadcast) == (0.0, None, None)


def test_errors_of_what_is_not_finite_are_nan() -> None:
    B, A = factors(1)
    spoilt = (B.clone().index_fill_(0, torch.tensor([4]), torch.inf), A)
    found = mixing_errors(LAYOUT, adapters(factors(0), spoilt), [0.5, 0.5])
    assert found.broadcast is not None
    assert isnan(found.broadcast)
    assert isnan(found.cross_term)


def test_the_cross_term_is_taken_of_what_differs() -> None:
    """Large common parts cancel out of it before anything is multiplied."""
    Bs, As = drawn(3, 12, RANK), drawn(3, RANK, 17, seed=1)
    plain = cross_term(Bs, As, SHARES)
    assert cross_term(Bs + 1e6, As - 1e6, SHARES) == pytest.approx(plain, rel=1e-8)
    weighted = torch.tensordot(torch.tensor(SHARES, dtype=Bs.dtype), centred(Bs, SHARES), dims=1)
    assert float(weighted.norm()) < 1e-14 * float(Bs.norm())
    assert singular_values(Bs, As, SHARES).numel() == 3 * RANK


def test_distances_are_from_the_plain_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = [drawn(40, seed=n).float() for n in range(4)]
    mean = torch.stack(vectors).double().mean(0)
    wanted = [float((vector.double() - mean).square().sum()) for vector in vectors]
    assert squared_distances(vectors) == pytest.approx(wanted, rel=1e-12)
    assert squared_distances([vectors[0]] * 3) == [0.0] * 3
    monkeypatch.setattr(agreement, "_PIECE", 7)
    assert squared_distances(vectors) == pytest.approx(wanted, rel=1e-12), "piece by piece"


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> dict[str, TaskPool]:
    return small_pools(tiny_llama)


@pytest.fixture
def make(tiny_llama: Path, pools: dict[str, TaskPool]) -> Callable[..., ModelLearner]:
    def build(method: Any, **adapter: Any) -> ModelLearner:
        return small_learner(tiny_llama, pools, method, **adapter)

    return build


def told(learner: ModelLearner, updates: Any, together: Any = None) -> dict[str, list[float]]:
    """Values by quantity, of all devices, which exchange with all others."""
    sets = dict.fromkeys(range(3), updates)
    out: dict[str, list[float]] = {}
    for found in learner.diagnosis.of([0, 1, 2], sets, together):
        if found.task is None and found.peer is None:
            out.setdefault(found.quantity, []).append(found.value)
    return out


def test_a_learner_tells_them_of_every_device(make: Callable[..., ModelLearner]) -> None:
    learner = make(METHODS["decaf"], devices=["sums", "times", "times"])
    updates = one_round(learner)
    found = told(learner, updates)
    rows = [update.rows for update in updates]
    errors = mixing_errors(
        learner.layout,
        [Adapter(u.values, u.support, u.projection) for u in updates],
        [row / sum(rows) for row in rows],
    )
    assert len(set(rows)) > 1
    assert found["aggregation_error"] == [errors.aggregation] * 3
    assert found["broadcast_error"] == [errors.broadcast] * 3
    assert found["cross_term"] == [errors.cross_term] * 3
    assert errors.cross_term > 0
    # All heard all, and hold the same.
    assert found["consensus_projection"] == found["consensus_expansion"] == [0.0] * 3
    tuning(learner, 1, 2).result()
    apart = told(learner, updates)
    for word in ("consensus_projection", "consensus_expansion"):
        assert apart[word][0] == apart[word][2] > 0
        assert apart[word][1] == pytest.approx(4 * apart[word][0], rel=1e-5)


def test_a_shared_a_has_no_aggregation_error_and_masks_are_read(
    make: Callable[..., ModelLearner],
) -> None:
    shared = METHODS["lora"].with_(projection={"name": "frozen", "seed": "shared"})
    learner = make(shared)
    found = told(learner, one_round(learner))
    assert found["aggregation_error"] == found["cross_term"] == [0.0] * 3
    assert found["consensus_projection"] == [0.0] * 3
    masked = make(METHODS["proposed_single_cluster"])
    updates = one_round(masked)
    assert told(masked, updates)["consensus_expansion"][0] > 0
    assert told(masked, updates[:1]).keys() & {"cross_term", "aggregation_error"} == set()
    whole = make(METHODS["full_finetune"])
    spoken = one_round(whole)
    assert told(whole, spoken) == {"consensus_expansion": [0.0] * 3}, "all heard all"
    tuning(whole, 1, 2).result()
    parameters = torch.stack([adapter.values.double() for adapter in whole.fleet.adapters])
    apart = (parameters - parameters.mean(0)).square().sum(1)
    assert told(whole, spoken)["consensus_expansion"] == pytest.approx(apart.tolist(), rel=1e-9)
    assert min(apart) > 0


def test_weights_that_ask_for_degrees_are_told_them(
    make: Callable[..., ModelLearner], monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = make(METHODS["lora"])
    updates = one_round(learner)
    plain = told(learner, updates)["cross_term"]
    monkeypatch.setattr(ByRows, "asks_degrees", True)
    assert told(learner, updates, dict.fromkeys(range(3), range(3)))["cross_term"] == plain
    # Of a device that is not evaluated nobody knows the degree.
    assert "cross_term" not in told(learner, updates, dict.fromkeys(range(2), range(3)))

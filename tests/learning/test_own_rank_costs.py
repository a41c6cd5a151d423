"""What devices of unequal ranks send and compute, by hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cosim.learning.jobs import FineTuningJob
from cosim.learning.learner import ModelLearner
from cosim.methods import METHODS
from cosim.methods.codec.rounded import Rounded
from cosim.methods.message import Turn
from cosim.methods.method import Method
from tests.learning.small_learners import one_round, small_learner, small_pools

RANKS = (1, 4, 2)


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> Any:
    return small_pools(tiny_llama)


@pytest.fixture
def learner(tiny_llama: Path, pools: Any) -> Any:
    def make(method: Method | str = "lora", ranks: Sequence[int] = RANKS) -> ModelLearner:
        chosen = METHODS[method] if isinstance(method, str) else method
        return small_learner(
            tiny_llama, pools, chosen, ranks=ranks, rank=4, alpha=8, bits_per_value=32
        )

    return make


def edges(learner: ModelLearner) -> tuple[int, int]:
    """Σk and Σd over the modules."""
    modules = learner.layout.modules
    return sum(m.in_features for m in modules), sum(m.out_features for m in modules)


@pytest.mark.parametrize(
    ("method", "codec", "bits"),
    [
        ("lora", None, lambda r, k, d, modules: 32 * r * (k + d)),
        ("decaf", None, lambda r, k, d, modules: 32 * r * (k + d)),
        ("ffa_lora", None, lambda r, k, d, modules: 32 * r * d),
        ("rolora", None, lambda r, k, d, modules: 32 * r * d),
        ("lora", Rounded(bits=8), lambda r, k, d, modules: 8 * r * (k + d) + 2 * 32 * modules),
    ],
)
def test_bits_are_those_of_a_devices_own_rank(
    learner: Any, method: str, codec: Any, bits: Any
) -> None:
    chosen = METHODS[method] if codec is None else METHODS[method].with_(codec=codec)
    own = learner(chosen)
    k, d = edges(own)
    foreseen = own.describe(range(3)).first_bits
    for device, rank in enumerate(RANKS):
        own.submit(device, 1).result()
        receiver = (device + 1) % 3
        outgoing = own.messages(device, Turn(1), [receiver])
        expected = bits(rank, k, d, len(own.layout.modules))
        assert outgoing.bits[receiver] == expected == foreseen[device]


def test_experts_of_a_bank_have_the_bits_of_their_owners_ranks(learner: Any) -> None:
    own = learner(METHODS["lori_dense"].with_(topology="complete"))
    one_round(own)
    own.fleet.states[1] = replace(own.fleet.states[1], bank={})
    _, d = edges(own)
    assert own.post.bank_bits(own.post.bank(0), 1) == 32 * d * (RANKS[0] + RANKS[2])


def test_work_is_that_of_a_devices_own_rank(learner: Any) -> None:
    """A rank more costs as much as the one before; values are r_i·Σ(d + k)."""
    own = learner("local", (1, 2, 4))
    k, d = edges(own)
    k_d = k + d
    batches = own.batches(0, 1)
    trains = frozenset("AB")
    work = [
        own.costs_of(device).workload(batches, rank * d, trains, chooses=False)
        for device, rank in enumerate((1, 2, 4))
    ]
    assert [one.trained for one in work] == [k_d, 2 * k_d, 4 * k_d]
    assert work[2].flop - work[1].flop == 2 * (work[1].flop - work[0].flop) > 0
    assert own.costs_of(2) is own.costs, "one record a rank"
    for device, rank in enumerate((1, 2, 4)):
        job = own.submit(device, 1)
        assert isinstance(job, FineTuningJob)
        assert job.work.trained == rank * k_d


def test_mixing_costs_what_was_heard_and_is_held(learner: Any) -> None:
    own = learner()
    k, d = edges(own)
    said = one_round(own)
    inbox = {1: said[1], 2: said[2]}
    assert own.post.mixing_work(0, inbox, {}).flop == 2 * (k + d) * (1 + 4 + 2)
    turned = learner("decaf")
    m, modules = 1 + 4 + 2, len(own.layout.modules)
    work = turned.post.mixing_work(0, inbox, {}).flop
    assert work == 2 * (k + d) * m * (m + 1) + modules * 21 * m**3

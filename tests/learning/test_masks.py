"""How many positions of B are trained, and which: by gradient, by magnitude, as printed."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from cosim.errors import CosimError
from cosim.methods import METHODS
from cosim.methods.calibration import Calibration
from cosim.methods.expansion.dense import Dense
from cosim.methods.expansion.entropy_mask import EntropyMask
from cosim.methods.expansion.every_parameter import EveryParameter
from cosim.methods.expansion.gradient_mask import GradientMask
from cosim.methods.expansion.magnitude_mask import MagnitudeMask
from cosim.methods.expansion.ranking import first_step, top_magnitude_support, top_support
from cosim.methods.expansion.slot import Expansion
from cosim.methods.layout import AdaptedModule, Layout, shared_inputs

LAYOUT = Layout(
    tuple(
        AdaptedModule(f"layers.{block}.{leaf}", block, d, 8)
        for block in range(3)
        for leaf, d in (("q_proj", 20), ("down_proj", 50))
    ),
    4,
)
SIZES = np.array([80, 200] * 3)


def planned(
    expansion: Expansion, density: float, entropies: NDArray[np.float64] | None = None
) -> NDArray[np.int64]:
    return expansion.planned(LAYOUT, density, Calibration(entropies=entropies))


class Told:
    """A trainer that has a gradient, and B after its steps."""

    layout = LAYOUT

    def __init__(self, gradient: Tensor, optimizer: str = "adamw") -> None:
        self.gradient, self.optimizer = gradient, optimizer

    def first_gradients(self) -> Iterator[Tensor]:
        return iter([self.gradient])

    def trained(self) -> Iterator[Tensor]:
        return iter([self.gradient])


@pytest.mark.parametrize("density", [0.01, 0.1, 0.37, 1.0])
def test_every_mask_spends_the_budget(density: float) -> None:
    entropies = np.array([1.0, 1.2, 2.0, 2.2, 0.5, 0.7])
    for expansion in (EntropyMask(), GradientMask(), MagnitudeMask()):
        kept = planned(expansion, density, entropies)
        assert (kept <= SIZES).all()
        # One position a module where each is rounded by itself.
        assert abs(kept.sum() - density * SIZES.sum()) <= (
            len(SIZES) if type(expansion) is GradientMask else 1
        )
    for whole in (Dense(), EveryParameter()):
        assert planned(whole, density).tolist() == SIZES.tolist()


def test_more_entropy_is_more_density_and_a_block_has_one() -> None:
    entropies = np.array([1.0, 1.2, 2.0, 2.2, 0.5, 0.7])
    kept = planned(EntropyMask(), 0.1, entropies)
    block = (kept / SIZES).reshape(3, 2)
    assert block[1].min() > block[0].max() > block[0].min() > block[2].max()
    np.testing.assert_allclose(block[:, 0], block[:, 1], atol=1 / 80)
    even = EntropyMask().planned(LAYOUT, 0.1, None)
    assert even.tolist() == [8, 20] * 3


def test_as_printed_every_position_is_kept() -> None:
    assert planned(EntropyMask(budget="whole"), 0.1, np.ones(6)).tolist() == SIZES.tolist()


def test_a_global_threshold_spares_whole_modules() -> None:
    B = torch.zeros(int(SIZES.sum()))
    B[100:130] = -torch.arange(30, 0, -1.0)
    B[500:520] = 0.5
    assert top_magnitude_support(B, 30).tolist() == list(range(100, 130))
    assert top_magnitude_support(B, 35).tolist() == [*range(100, 130), *range(500, 505)]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_printed_mask_is_the_largest_signed_b_after_one_step(optimizer: str) -> None:
    gradient = torch.randn(int(SIZES.sum()), generator=torch.Generator().manual_seed(2)) * 1e-8
    B = torch.zeros_like(gradient).requires_grad_()
    B.grad = gradient.clone()
    kind = torch.optim.SGD if optimizer == "sgd" else torch.optim.AdamW
    kind([B], lr=0.1).step()
    kept = np.array([8, 20] * 3)
    (found,) = GradientMask(ranked_by="first_step").choose(Told(gradient, optimizer), [kept])
    assert torch.equal(found, top_support(LAYOUT, first_step(gradient, optimizer), kept))
    wanted = top_support(LAYOUT, B.detach(), kept)
    assert len(set(found.tolist()) & set(wanted.tolist())) >= 0.95 * len(wanted)
    assert (gradient[found] < 0).all(), "a signed threshold never keeps a falling value"


def test_each_expansion_has_its_rule() -> None:
    """The first of four: by size and sign, over a module or over all."""
    values = torch.zeros(int(SIZES.sum()))
    values[[3, 90, 100, 110]] = torch.tensor([-1.0, 9.0, -5.0, 7.0])
    kept = np.array([1, 2, 0, 0, 0, 0])
    chosen = {
        name: method.expansion.choose(Told(values), [kept])[0].tolist()
        for name, method in METHODS.items()
        if method.expansion.masked
    }
    assert chosen == {
        "lori": [90, 100, 110],
        "proposed": [3, 90, 110],
        "proposed_single_cluster": [3, 90, 110],
        # −g/(|g| + ε) is 1 where g falls: the lowest such position, then the untouched ones.
        "proposed_literal": [3, 80, 100],
    }
    dense = {name for name, method in METHODS.items() if not method.expansion.masked}
    alone = {"local", "hard_moe", "centralised"}
    averaged = {"lora", "full_finetune", "decaf", "fedrot_lora", "sum_product", "product_sum"}
    mixed = {"tad_lora", "adf_lora", "rolora", "ffa_lora", "dec_lora"}
    others = {"event_gossip", "ef_hc", "salf", "dfl_imperfect", "air_fedavg", "flexatc"}
    assert dense == alone | averaged | mixed | others | {"lori_dense"}
    assert {name for name, method in METHODS.items() if method.expansion.warms_up} == {"lori"}


def test_nobody_knows_the_first_step_of_another_optimiser() -> None:
    with pytest.raises(CosimError, match=r"training\.optimizer: .*'lion'"):
        first_step(torch.ones(3), "lion")


def test_siblings_share_their_input_and_strangers_do_not() -> None:
    names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "c_fc"]
    modules = [
        AdaptedModule(f"layers.{block}.{leaf}", block, 4, 8) for block in (0, 1) for leaf in names
    ]
    once = [0, 0, 0, 3, 4, 4, 6, 7]
    assert shared_inputs(modules) == once + [8 + number for number in once]

"""How many positions of B are trained, and which: by gradient, by magnitude, as printed."""

from typing import Any

import numpy as np
import pytest
import torch

from cosim.learning.adapters.adapter import Layout
from cosim.learning.adapters.masks import (
    mask_rule,
    planned_counts,
    printed_support,
    top_magnitude_support,
    top_support,
)
from cosim.learning.base.target_modules import AdaptedModule, shared_inputs
from cosim.methods import METHODS
from cosim.methods.recipe import Recipe

LAYOUT = Layout(
    tuple(
        AdaptedModule(f"layers.{block}.{leaf}", block, d, 8)
        for block in range(3)
        for leaf, d in (("q_proj", 20), ("down_proj", 50))
    ),
    4,
)
SIZES = np.array([80, 200] * 3)


def recipe(name: str = "proposed", **changes: Any) -> Recipe:
    return METHODS[name].model_copy(update=changes)


@pytest.mark.parametrize("density", [0.01, 0.1, 0.37, 1.0])
def test_every_mask_spends_the_budget(density: float) -> None:
    entropies = np.array([1.0, 1.2, 2.0, 2.2, 0.5, 0.7])
    for expansion in ("entropy_mask", "gradient_mask", "magnitude_mask"):
        one = recipe(expansion=expansion, literal=(), composition="oracle")
        kept = planned_counts(one, LAYOUT, density, entropies)
        assert (kept <= SIZES).all()
        # One position a module where each is rounded by itself.
        assert abs(kept.sum() - density * SIZES.sum()) <= (
            len(SIZES) if expansion == "gradient_mask" else 1
        )
    assert planned_counts(recipe("lora"), LAYOUT, density).tolist() == SIZES.tolist()


def test_more_entropy_is_more_density_and_a_block_has_one() -> None:
    entropies = np.array([1.0, 1.2, 2.0, 2.2, 0.5, 0.7])
    kept = planned_counts(recipe(), LAYOUT, 0.1, entropies)
    block = (kept / SIZES).reshape(3, 2)
    assert block[1].min() > block[0].max() > block[0].min() > block[2].max()
    np.testing.assert_allclose(block[:, 0], block[:, 1], atol=1 / 80)
    even = planned_counts(recipe(), LAYOUT, 0.1)
    assert even.tolist() == [8, 20] * 3


def test_as_printed_every_position_is_kept() -> None:
    literal = recipe(literal=("density",))
    assert planned_counts(literal, LAYOUT, 0.1, np.ones(6)).tolist() == SIZES.tolist()


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
    kept = [8, 20] * 3
    found = printed_support(LAYOUT, gradient, kept, optimizer)
    wanted = top_support(LAYOUT, B.detach(), kept)
    assert len(set(found.tolist()) & set(wanted.tolist())) >= 0.95 * len(wanted)
    assert (gradient[found] < 0).all(), "a signed threshold never keeps a falling value"


def test_each_expansion_has_its_rule() -> None:
    rules = {name: mask_rule(one) for name, one in METHODS.items()}
    assert rules["lora"] == rules["lori_dense"] == "none"
    assert rules["lori"] == "magnitude"
    assert rules["proposed"] == "gradient"
    assert rules["proposed_literal"] == "printed"


def test_siblings_share_their_input_and_strangers_do_not() -> None:
    names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "c_fc"]
    modules = [
        AdaptedModule(f"layers.{block}.{leaf}", block, 4, 8) for block in (0, 1) for leaf in names
    ]
    once = [0, 0, 0, 3, 4, 4, 6, 7]
    assert shared_inputs(modules) == once + [8 + number for number in once]

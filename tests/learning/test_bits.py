"""A message's bits follow from what it says, for every method, whoever wrote it."""

import functools
import math
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from cosim.learning.data.pool import TaskPool
from cosim.learning.learner import ModelLearner
from cosim.methods import METHODS
from cosim.methods.message import Common, Mask, Said, Seed, Values
from cosim.methods.method import Method
from tests.learning.every_method import every_method
from tests.learning.small_learners import one_round, small_learner, small_pools


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> dict[str, TaskPool]:
    return small_pools(tiny_llama)


@pytest.fixture
def make(tiny_llama: Path, pools: dict[str, TaskPool]) -> Callable[..., ModelLearner]:
    return functools.partial(small_learner, tiny_llama, pools)


def bits_of(content: Iterable[Said], known: Collection[str] = ()) -> float:
    """Bits of what is said, worked out from the content alone, at 16 bits a value."""
    total = 0.0
    for said in content:
        if said.once and said.name in known:
            continue
        match said:
            case Values():
                total += 16 * said.values.numel()
            case Mask():
                starts = np.cumsum([0, *said.sizes])
                kept = np.histogram(said.support.numpy(), starts)[0]
                shares = kept / said.sizes
                coded = said.sizes * entropy([shares, 1 - shares], base=2, axis=0)
                total += np.ceil(coded.round(6)).sum()
            case Seed():
                total += 64
            case Common():
                pass
            case _:
                pytest.fail(f"content of a kind that nobody charges: {said}")
    return total


@pytest.mark.slow
@every_method
def test_payload_bits_follow_from_the_content(
    make: Callable[..., ModelLearner], recipe: Method
) -> None:
    learner = make(recipe)
    updates = one_round(learner, arrives=lambda src, dst: (src, dst) == (0, 1))
    for update in updates:
        assert torch.equal(update.values, update.values.half().float())
        names = {said.name for said in update.content}
        assert len(names) == len(update.content)
        for receiver in {0, 1, 2} - {update.device}:
            # Only what arrived has told what is told once.
            arrived = (update.device, receiver) == (0, 1) and recipe.aggregation.exchanges
            expected = bits_of(update.content, names if arrived else ())
            assert learner.post.payload_bits(update, receiver) == expected


@pytest.mark.slow
@every_method
def test_bits_before_a_first_round_are_those_of_its_messages(
    make: Callable[..., ModelLearner], recipe: Method
) -> None:
    """But for a mask whose modules the first round alone decides."""
    learner = make(recipe)
    for device in range(3):
        if (job := learner.submit(device, 0)) is not None:
            job.result()
    planned = learner.describe(range(3)).first_bits
    updates = one_round(learner, arrives=lambda src, dst: False)
    slack = 0.02 if recipe.expansion.warms_up else 0.0
    for update, bits in zip(updates, planned, strict=True):
        receiver = (update.device + 1) % 3
        assert learner.post.payload_bits(update, receiver) == pytest.approx(bits, rel=slack, abs=0)


# Two blocks of 32 wide q, k (half), v (half), o, gate and up to 64, down; rank 2, a tenth kept.
INPUTS = 2 * (32 + 32 + 32 + 64)  # of q, k, v; of o; of gate, up; of down
A_VALUES = 2 * 2 * (6 * 32 + 64)


@pytest.mark.parametrize("name", ["lora", "proposed", "proposed_literal", "full_finetune"])
def test_bits_by_hand(make: Callable[..., ModelLearner], name: str) -> None:
    learner = make(METHODS[name])
    sizes = [module.out_features * 2 for module in learner.layout.modules]
    (update, *_) = one_round(learner, arrives=lambda src, dst: False)
    kept = update.values.numel()
    if name == "full_finetune":
        assert kept == sum(v.numel() for v in learner.base.model.parameters())
        wanted = 16 * kept
    elif name == "lora":
        assert kept == sum(sizes)
        wanted = 16 * (sum(sizes) + A_VALUES)
    elif name == "proposed":
        assert kept == round(0.1 * sum(sizes))
        parts = zip(sizes, (layer.active for layer in learner.fleet.layers(0)), strict=True)
        masks = sum(math.ceil(n * entropy([k / n, 1 - k / n], base=2) - 1e-9) for n, k in parts)
        # h at two blocks of width 32, and the seed.
        wanted = 16 * (kept + 2 * 32) + masks + 64
    else:
        assert kept == sum(sizes)
        wanted = 16 * (kept + INPUTS) + 64
    assert learner.post.payload_bits(update, 1) == wanted

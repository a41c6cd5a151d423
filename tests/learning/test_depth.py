"""How deep back-propagation comes with so many FLOP, and what whole steps there are before."""

import copy
from itertools import accumulate, pairwise
from typing import Any

import pytest

from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load
from cosim.learning.costs.depth import FineTuningProgress, block_works, depth_reached, progress
from cosim.learning.costs.flop import Work
from cosim.learning.data.encoding import Encoded
from cosim.methods.layout import AdaptedModule, Layout

BATCHES = [
    (Encoded((0, 5, 77, 301, 12), (9, 1)), Encoded(tuple(range(40)), (7,) * 9)),
    (Encoded(tuple(range(11)), (3, 3, 3)),),
]


@pytest.mark.parametrize(
    ("flop_done", "depth"),
    [(0, 0), (100, 0), (129, 0), (130, 1), (149, 1), (150, 2), (159, 2), (160, 3), (10**9, 3)],
)
def test_blocks_are_reached_from_the_last_once_their_gradients_are_whole(
    flop_done: int, depth: int
) -> None:
    assert depth_reached(flop_done, 100, [30, 20, 10]) == depth


def test_a_model_without_blocks_is_no_depth() -> None:
    assert depth_reached(100, 10, []) == 0


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_qwen2"])
def parts(request: pytest.FixtureRequest) -> tuple[Any, Layout, Work]:
    base = load(f"path:{request.getfixturevalue(request.param)}", "float32")
    model = AdaptedModel(copy.deepcopy(base.model))
    layout = Layout(model.modules, 3)
    return model.model, layout, Work.of(model.model, layout, trainable_projection=True)


@pytest.mark.parametrize("trains", ["A", "B", "AB"])
def test_blocks_sum_to_the_whole_to_the_flop(parts: Any, trains: str) -> None:
    model, layout, work = parts
    blocks = [block.training(trains) for block in block_works(model, layout, work)]
    whole = work.training(trains)
    for batch in BATCHES:
        assert sum(block.forward_of(batch) for block in blocks) == whole.forward_of(batch)
        assert sum(block.backward_of(batch) for block in blocks) == whole.backward_of(batch)
        assert whole.training_flop([batch]) == whole.forward_of(batch) + whole.backward_of(batch)
    head = 2 * sum(len(row.answer) for row in BATCHES[0]) * work.head
    last, first = (block.backward_of(BATCHES[0]) for block in (blocks[0], blocks[-1]))
    assert last - first == head


def test_progress_is_whole_steps_and_blocks_of_the_next(parts: Any) -> None:
    model, layout, work = parts
    blocks = block_works(model, layout, work)
    begun = 0
    for step, batch in enumerate(BATCHES):
        costs = [work.forward_of(batch), *(block.backward_of(batch) for block in blocks)]
        marks = list(accumulate(costs, initial=begun))
        assert progress(begun, work, blocks, BATCHES) == FineTuningProgress(step)
        for number, (low, high) in enumerate(pairwise(marks)):
            # The first is the forward pass; a block counts once its own is over.
            depth = max(number - 1, 0)
            lowest = len(blocks) - depth if depth else None
            for flop in {low, (low + high) // 2, high - 1}:
                assert progress(flop, work, blocks, BATCHES) == FineTuningProgress(step, lowest)
        begun = marks[-1]
    assert progress(begun, work, blocks, BATCHES) == FineTuningProgress(len(BATCHES))
    assert progress(-1, work, blocks, BATCHES) == FineTuningProgress(0)


def test_only_blocks_with_adapters_count_as_depth() -> None:
    modules = tuple(AdaptedModule(f"m{block}", block, 4, 4) for block in (1, 1, 4))
    layout = Layout(modules, 2)
    assert layout.blocks == [1, 4]
    depths = [FineTuningProgress(0, lowest).depth(layout) for lowest in (None, 5, 4, 3, 2, 1, 0)]
    assert depths == [0, 0, 1, 1, 1, 2, 2]
    assert [layout.in_last(count) for count in range(3)] == [[], [2], [0, 1, 2]]

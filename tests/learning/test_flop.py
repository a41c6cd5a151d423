"""The counted FLOP against torch's own counter on real forward and backward passes."""

import copy
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cosim.learning.adapters.adapter import Layout
from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load, skeleton
from cosim.learning.costs.flop import Work
from cosim.learning.data.encoding import Encoded, token_rows
from cosim.learning.training.full import layout_of
from cosim.learning.workload import Workload
from cosim.methods import METHODS

RANK = 3
ROWS = [Encoded((0, 5, 77, 301, 12), (9, 1)), Encoded(tuple(range(40)), (7,) * 9)]


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_qwen2"])
def model(request: pytest.FixtureRequest) -> Any:
    return load(f"path:{request.getfixturevalue(request.param)}", "float32").model


def counted(adapted: AdaptedModel, layout: Layout, row: Encoded, trained: bool) -> tuple[int, int]:
    """FLOP that torch counts forward and backward, one row, logits at scored positions only."""
    A, B = (
        [torch.randn(1, *shape) for shape in shapes]
        for shapes in (layout.projection_shapes, layout.expansion_shapes)
    )
    for factor in [*B, *(A if trained else [])]:
        factor.requires_grad_()
    rows = token_rows([row])
    with FlopCounterMode(display=False) as forward:
        with adapted.adapters(list(zip(A, B, strict=True)), 1.0):
            hidden = adapted.hidden(rows.input_ids)
        logits = adapted.logits(hidden.flatten(0, 1).index_select(0, rows.positions))
    loss = torch.nn.functional.cross_entropy(logits, rows.targets)
    with FlopCounterMode(display=False) as backward:
        loss.backward()
    return forward.get_total_flops(), backward.get_total_flops()


@pytest.mark.parametrize("trained", [False, True], ids=["frozen A", "trained A"])
@pytest.mark.parametrize("row", ROWS, ids=["short", "long"])
def test_every_flop_is_accounted_for(model: Any, row: Encoded, trained: bool) -> None:
    adapted = AdaptedModel(copy.deepcopy(model))
    layout = Layout(adapted.modules, RANK)
    work = Work.of(adapted.model, layout, trainable_projection=trained)
    T, scored = row.tokens, len(row.answer)
    forward, backward = counted(adapted, layout, row, trained)
    assert forward == work.forward_flop(T, scored)
    # Autograd skips the gradient of the frozen embeddings, which Q, K and V of the first block
    # read: their input gradients, and that of A·x unless A is trained.
    first = [m for m in layout.modules if m.layer == 0 and m.name[-6:-5] in "qkv"]
    assert len(first) == 3
    skipped = sum(m.out_features * m.in_features + RANK * m.in_features for m in first)
    if not trained:
        skipped += sum(RANK * m.out_features for m in first)
    assert backward == work.backward_flop(T, scored) - 2 * T * skipped


@pytest.mark.parametrize("row", ROWS, ids=["short", "long"])
def test_training_every_parameter_is_counted_too(model: Any, row: Encoded) -> None:
    plain = copy.deepcopy(model).requires_grad_()
    layout = layout_of(METHODS["full_finetune"], plain, "all-linear", RANK)
    work = Work.of(plain, layout, trainable_projection=False)
    adapted = AdaptedModel(plain)
    rows = token_rows([row])
    with FlopCounterMode(display=False) as forward:
        hidden = adapted.hidden(rows.input_ids)
        logits = adapted.logits(hidden.flatten(0, 1).index_select(0, rows.positions))
    loss = torch.nn.functional.cross_entropy(logits, rows.targets)
    with FlopCounterMode(display=False) as backward:
        loss.backward()
    assert forward.get_total_flops() == work.forward_flop(row.tokens, len(row.answer))
    assert backward.get_total_flops() == work.backward_flop(row.tokens, len(row.answer))


def test_reading_rows_is_one_forward_pass_without_the_head(model: Any) -> None:
    adapted = AdaptedModel(copy.deepcopy(model))
    work = Work.of(adapted.model, Layout(adapted.modules, RANK), trainable_projection=False)
    with FlopCounterMode(display=False) as counter:
        adapted.hidden(token_rows(ROWS).input_ids)
    assert counter.get_total_flops() == work.reading_flop(ROWS)


def test_few_adapted_layers_are_overcounted_by_less_than_a_block(model: Any) -> None:
    adapted = AdaptedModel(copy.deepcopy(model), ["q_proj", "v_proj"])
    layout = Layout(adapted.modules, RANK)
    work = Work.of(adapted.model, layout, trainable_projection=False)
    row = ROWS[1]
    _, backward = counted(adapted, layout, row, trained=False)
    estimate = work.backward_flop(row.tokens, len(row.answer))
    head = 2 * len(row.answer) * work.head
    assert 0 < estimate - backward < (estimate - head) / 2


def test_work_of_plain_adapted_and_weightless_models_agree(
    tiny_llama: Any, tiny_qwen2: Any
) -> None:
    for folder in (tiny_llama, tiny_qwen2):
        plain = load(f"path:{folder}", "float32").model
        empty, _ = skeleton(f"path:{folder}")
        adapted = AdaptedModel(copy.deepcopy(plain))
        layout = Layout(adapted.modules, RANK)
        works = [
            Work.of(model, layout, trainable_projection=True)
            for model in (plain, empty, adapted.model)
        ]
        assert works[0] == works[1] == works[2]
        # Two blocks: Q, O 32×32; K, V 16×32; gate, up, down 64×32.
        assert works[0].frozen == 2 * 32 * (32 + 32 + 16 + 16 + 3 * 64)
        assert works[0].head == 32 * 400
        assert works[0].attention == 2 * 32
        assert works[0].adapter_in == 2 * RANK * (6 * 32 + 64)
        assert works[0].adapter_out == 2 * RANK * (32 + 32 + 16 + 16 + 64 + 64 + 32)


@pytest.fixture(scope="module")
def work(model: Any) -> Work:
    layout = Layout(AdaptedModel(copy.deepcopy(model)).modules, RANK)
    return Work.of(model, layout, trainable_projection=False)


def both_ways(work: Work, tokens: int, scored: int) -> int:
    return work.forward_flop(tokens, scored) + work.backward_flop(tokens, scored)


def test_training_is_the_sum_over_rows_of_all_batches_padded_to_their_longest(work: Work) -> None:
    short, long = ROWS
    assert short.tokens < long.tokens
    alone = [both_ways(work, row.tokens, len(row.answer)) for row in ROWS]
    padded = both_ways(work, long.tokens, len(short.answer))
    assert padded > alone[0]
    assert work.training_flop([[short], [long]]) == sum(alone)
    assert work.training_flop([[short], [long, short]]) == sum(alone) + padded
    assert work.training_flop([]) == 0


def test_a_workload_counts_what_takes_time(work: Work) -> None:
    batches = [[ROWS[0], ROWS[1]], [ROWS[0]], [ROWS[1]]]
    later = work.workload(batches, trained=70)
    assert later == Workload(
        flop=work.training_flop(batches), passes=3, steps=3, samples=4, trained=70, ranked=0
    )
    assert later.samples / later.batch_size == later.steps


def test_choosing_a_mask_takes_the_first_batch_once_more(work: Work) -> None:
    batches = [[ROWS[0], ROWS[1]], [ROWS[0]]]
    first = work.workload(batches, trained=70, ranked=700)
    later = work.workload(batches, trained=70)
    assert first.flop - later.flop == work.training_flop(batches[:1])
    assert (first.passes, first.steps, first.samples, first.ranked) == (3, 2, 3, 700)


def test_a_dense_warm_up_is_a_round_of_its_own(work: Work) -> None:
    batches = [[ROWS[0], ROWS[1]], [ROWS[0]]]
    plain = work.workload(batches, trained=70)
    both = work.warm_up_workload(batches, trained=70, ranked=700)
    assert both.flop == 2 * plain.flop
    assert (both.passes, both.steps, both.samples) == (4, 4, 6)
    assert both.trained * both.steps == 70 * 2 + 700 * 2
    assert both.batch_size == plain.batch_size


def test_what_trains_nothing_takes_no_step(work: Work) -> None:
    reading = Workload(flop=5.0, passes=1, steps=0, samples=0, trained=0)
    assert reading.samples / reading.batch_size == 0
    later = work.workload([[ROWS[0]]], trained=70)
    first = later.after(reading)
    assert (first.flop, first.passes) == (later.flop + 5, later.passes + 1)
    assert (first.steps, first.samples, first.trained) == (later.steps, later.samples, 70)

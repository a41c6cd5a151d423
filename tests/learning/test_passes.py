"""Which lessons share a pass, and what a scenario will need in memory."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cosim.errors import CosimError
from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load
from cosim.learning.base.target_modules import adapted_modules
from cosim.learning.costs.memory import MemoryEstimate, estimate_memory, refuse_what_does_not_fit
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import pack, reading
from cosim.learning.training.passes import DEVICES_PER_PASS, PADDING_RATIO, passes
from cosim.methods import METHODS
from cosim.methods.layout import Layout
from cosim.methods.method import Method


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 3)), max_size=60))
def test_every_lesson_is_in_one_pass_of_its_kind(lessons: list[tuple[int, int]]) -> None:
    longest, steps = [a for a, _ in lessons], [b for _, b in lessons]
    found = passes(longest, steps)
    assert sorted(number for group in found for number in group) == list(range(len(lessons)))
    for group in found:
        assert len({steps[number] for number in group}) == 1
        assert len(group) <= DEVICES_PER_PASS
        lengths = [longest[number] for number in group]
        assert max(lengths) <= PADDING_RATIO * min(lengths)
    packed = passes(longest, steps, padded=False)
    assert sorted(number for group in packed for number in group) == list(range(len(lessons)))
    assert len(packed) == sum(
        -(-steps.count(number) // DEVICES_PER_PASS) for number in sorted(set(steps))
    )


def estimate(tiny_llama: Path, recipe: Method, devices: int) -> MemoryEstimate:
    model = load(f"path:{tiny_llama}", "float32").model
    return estimate_memory(
        model,
        Layout(adapted_modules(model), 4),
        recipe,
        density=0.1,
        dtype=torch.float32,
        devices=devices,
        devices_per_pass=min(devices, DEVICES_PER_PASS),
        tokens_per_pass=1000,
        longest=50,
        scored_per_pass=100,
        lean=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("recipe", METHODS.values(), ids=METHODS)
def test_the_base_model_is_counted_once_and_the_devices_each(
    tiny_llama: Path, recipe: Method
) -> None:
    few, many = estimate(tiny_llama, recipe, 20), estimate(tiny_llama, recipe, 200)
    weights = sum(p.numel() for p in load(f"path:{tiny_llama}", "float32").model.parameters())
    # Norms and biases are left out of the estimate: a part in a hundred of this tiny model.
    assert few.base_model == many.base_model == pytest.approx(4 * weights, rel=0.01)
    assert many.device_states >= 10 * few.device_states
    assert many.working_copies == few.working_copies


def test_more_devices_than_memory_is_one_sentence(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = estimate(tiny_llama, METHODS["lora"], 50)
    monkeypatch.setattr("cosim.learning.costs.memory.available_bytes", lambda: needed.total - 1)
    with pytest.raises(CosimError, match=r"^devices: 50 devices need about \d+\.\d GiB of memory"):
        refuse_what_does_not_fit(needed, 50)
    monkeypatch.setattr("cosim.learning.costs.memory.available_bytes", lambda: needed.total)
    refuse_what_does_not_fit(needed, 50)


@pytest.mark.parametrize("lean", [True, False])
@pytest.mark.parametrize(("rows", "longest"), [(8, 16), (2, 128), (1, 512)])
def test_what_a_pass_keeps_is_no_more_than_estimated(rows: int, longest: int, lean: bool) -> None:
    """Counted by autograd's own hooks, each storage once, the weights left out."""
    from transformers import LlamaConfig, LlamaForCausalLM

    shape: dict[str, Any] = {"hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 3}
    heads: dict[str, Any] = {"num_attention_heads": 6, "num_key_value_heads": 2, "vocab_size": 64}
    shape["attn_implementation"] = "eager"
    config = LlamaConfig(**shape, **heads)
    model = LlamaForCausalLM(config).requires_grad_(False)
    layout = Layout(adapted_modules(model), 8)
    needed = estimate_memory(
        model,
        layout,
        METHODS["lora"],
        density=0.1,
        dtype=torch.float32,
        devices=1,
        devices_per_pass=1,
        tokens_per_pass=rows * longest,
        longest=longest,
        scored_per_pass=rows,
        lean=lean,
    )
    adapted = AdaptedModel(model, lean=lean)
    assert adapted.lean == lean
    A = torch.zeros(layout.projection_size, requires_grad=True)
    B = torch.zeros(layout.expansion_size, requires_grad=True)
    weights = {p.untyped_storage().data_ptr() for p in (*model.parameters(), A, B)}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        row = reading(Encoded((0,) * longest, (0,)))
        hidden = adapted.scored(pack([[row] * rows]), layout.pairs(A, B), 1.0)
        assert hidden.requires_grad
    # The lean pass keeps no attention weights, and needs those of one product for a moment.
    assert (0.1 if lean else 0.4) * needed.activations < sum(kept.values()) <= needed.activations

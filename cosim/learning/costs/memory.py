"""How much memory a scenario's learning needs, from shapes alone, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from cosim.errors import CosimError
from cosim.host.available_memory import available, available_bytes
from cosim.learning.base.geometry import Geometry
from cosim.learning.base.packed_llama.geometry import KEPT_LENGTH
from cosim.learning.costs.planned_state import state_bytes
from cosim.learning.evaluation.request import MEMBERS_TOGETHER, ROWS_PER_PASS
from cosim.methods.layout import Layout
from cosim.methods.method import Method

GIB = float(2**30)
# Of one product of the lean forward pass, which bounds how many rows it takes together.
ATTENTION_WEIGHTS = 2**21
# The interpreter with torch and transformers loaded, measured on Linux.
_PROCESS_BYTES = 0.8 * GIB


@dataclass(frozen=True)
class MemoryEstimate:
    """A memory estimate is bytes by use; its total is meant to be within a fifth of the peak that
    is measured.

    base_model: the parameters.
    device_states: what all devices hold between rounds.
    working_copies: adapters of the training passes that are held at once.
    activations: what these passes keep for their gradients.
    experts: of all devices side by side, where all of them may answer.
    answering: what the passes of an evaluation hold that are read at once, adapters included.
    """

    base_model: float
    device_states: float
    working_copies: float
    activations: float
    experts: float = 0.0
    answering: float = 0.0

    @property
    def total(self) -> float:
        """Everything together with the process itself; nobody trains while experts answer."""
        at_once = max(self.working_copies + self.activations, self.experts + self.answering)
        return self.base_model + self.device_states + at_once + _PROCESS_BYTES


def estimate_memory(
    model: Any,
    layout: Layout,
    method: Method,
    *,
    density: float,
    dtype: torch.dtype,
    devices: int,
    devices_per_pass: int,
    tokens_per_pass: int,
    longest: int,
    scored_per_pass: int,
    lean: bool,
    passes: int = 1,
    threads: int = 2,
) -> MemoryEstimate:
    """Memory of a run in bytes.

    Base: its parameters in `dtype`. Device states: float32 values, two moments, int64 positions
    of a mask, A, what parts remember, and the bank of experts. Working copies: A and B of one pass
    with gradients, and what the optimiser works on.
    Experts: of all devices side by side, where all of them may answer. Activations: what the
    transformer blocks keep for the backward pass, and the logits. The `lean` forward pass keeps
    4h + 2·h_kv + 2·inner + 7·r values by token and block, the attention weights of rows up to a
    length, and others of one product; transformers keeps more, and the attention weights by pair
    of tokens of a row (`longest`). Answering: some rows without gradients, and the adapters of
    several experts. passes: of a round's training. threads: that compute side by side where the
    pass is lean, two a training pass and one a pass of an evaluation.
    """
    side_by_side = lean and not method.expansion.every_parameter
    at_once = min(passes, max(1, threads // 2)) if side_by_side else 1
    size = torch.finfo(dtype).bits // 8
    projection, expansion = method.projection, method.expansion
    shape = Geometry.of(model)
    layers, _ = method.composition.reading
    held = state_bytes(method, layout, density, (layers, shape.hidden))
    # Devices whose inboxes differ hold banks of their own: at worst all of them.
    bank = held.trained * devices**2 if method.aggregation.keeps_experts else 0.0
    # Settling a round holds the states before and after it, and the update on its way. What parts
    # remember: a message is one for all who heard it, and older ones are few.
    states = devices * (2.0 * held.total + held.trained + held.remembered) + bank
    # Beside them the float32 masters with their moments, one gradient after the other: with LoRA's
    # trained A a fifth of the whole, measured on scenarios/paper/smollm2.yaml.
    # A mask by magnitude is found by training all of B.
    mastered = layout.expansion_size if expansion.warms_up else held.trained / 4
    copies = devices_per_pass * (2.0 * size * layout.expansion_size + 12.0 * mastered)
    one_for_all = not (projection.own or projection.moves)
    # Each of two shares of a pass has an A and a gradient on its way.
    shares = min(2, devices_per_pass)
    projections = shares if one_for_all else devices_per_pass
    copies += 2.0 * size * layout.projection_size * projections + 4.0 * mastered * shares
    if devices_per_pass == 1:  # slices of its mini-batch have gradients of their own
        copies += size * layout.expansion_size
    if expansion.every_parameter:
        # One device at a time: gradients, the base's own copy, float32 masters and their gradient.
        copies = (2.0 * size + 8.0) * layout.expansion_size
    values = devices * (layout.expansion_size + layout.projection_size)
    values = values if method.composition.together else 0
    # With the float32 parts that they are put together from.
    experts = float(values * (size + 4))
    blocks, hidden, inner = shape.blocks, shape.hidden, shape.inner
    if lean:
        keys = hidden * shape.key_heads / shape.heads
        kept_by_block = 4.0 * hidden + 2.0 * keys + 2.0 * inner + 7.0 * layout.rank
        kept_by_block += shape.heads * min(longest, KEPT_LENGTH)
        of_one_block = 4.0 * (hidden + inner)
        activations = tokens_per_pass * (blocks * kept_by_block + of_one_block) * size
        of_a_row = shape.heads * longest**2
        of_a_product = min(max(ATTENTION_WEIGHTS, of_a_row), of_a_row // longest * tokens_per_pass)
        activations += of_a_product * 3.0 * size
    else:
        # Attention weights: the softmax in float32 and its copy in the model's dtype.
        weights = shape.attending * shape.heads * longest * (4.0 + size)
        by_token = blocks * (16.0 * hidden + 6.0 * inner) * size + weights
        activations = tokens_per_pass * by_token
    # The logits with their gradient in their place; by autograd also in float32, three times.
    activations += (
        scored_per_pass * shape.vocabulary * (12.0 if expansion.every_parameter else size)
    )
    parameters = sum(value.numel() for value in model.parameters())
    answering = 0.0
    if side_by_side:
        rows = min(ROWS_PER_PASS, tokens_per_pass)
        of_a_pass = rows * longest * (7.0 * hidden + 3.0 * inner) * size
        adapters = 1.0 if values else float(MEMBERS_TOGETHER)
        adapters *= size * (layout.expansion_size + layout.projection_size)
        answering = threads * (of_a_pass + adapters)
    return MemoryEstimate(
        parameters * float(size),
        states,
        at_once * copies,
        at_once * activations,
        experts,
        answering,
    )


def refuse_what_does_not_fit(estimate: MemoryEstimate, devices: int) -> None:
    """Raises `CosimError` with the numbers of GiB."""
    free_bytes = available_bytes()
    if estimate.total > free_bytes:
        limit = available().limit
        room = f"{free_bytes / GIB:.1f} GiB are there" + (f", by {limit}," if limit else "")
        raise CosimError(
            f"devices: {devices} devices need about {estimate.total / GIB:.1f} GiB of memory and "
            f"{room} (base model {estimate.base_model / GIB:.1f}, device "
            f"states {estimate.device_states / GIB:.1f}, training "
            f"{(estimate.working_copies + estimate.activations) / GIB:.1f}, an evaluation "
            f"{(estimate.experts + estimate.answering) / GIB:.1f}); use fewer devices, a smaller "
            "rank or density, or a smaller batch"
        )

"""Linear layers that add each device's own low-rank update to one shared, frozen product."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cosim.learning.base.answer_loss import answer_loss
from cosim.learning.base.answer_score import AnswerScores, answer_scores, likeliest
from cosim.learning.base.converted_llama import lean_model
from cosim.learning.base.geometry import trunk
from cosim.learning.base.packed_llama.continuation import Continuation
from cosim.learning.base.target_modules import adapted_modules, weight_of
from cosim.learning.data.packing import PackedRows

# From the ranks z = A·x (n, R) of n tokens, and the number of each token's row (n,), to what B is
# multiplied with, of the shape of z.
Mix = Callable[[Tensor, Tensor], Tensor]


class AdaptedLinear(nn.Module):
    """y = W0·x + (α/r)·B_g·f(A_g·x), where row group g of the batch has its own A_g and B_g.

    x: (G·n, T, k), or the same rows end to end; A: (G, r, k), or (1, r, k) for all; B: (G, d, r);
    f is the identity unless experts are mixed. With no group set it is the base layer.
    """

    def __init__(self, base: Any) -> None:
        super().__init__()
        self.base = base
        self.group: tuple[Tensor, Tensor, float] | None = None
        self.mix: Callable[[Tensor], Tensor] | None = None

    @property
    def weight(self) -> Tensor:
        """The base layer's own, for blocks that look at it."""
        weight: Tensor = self.base.weight
        return weight

    @property
    def bias(self) -> Tensor | None:
        """The base layer's own, for blocks that look at it."""
        bias: Tensor | None = self.base.bias
        return bias

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.base(x)
        if self.group is None:
            return y
        A, B, scale = self.group
        groups = B.shape[0]
        projection = A.expand(groups, -1, -1).transpose(1, 2)
        z = torch.bmm(x.reshape(groups, -1, x.shape[-1]), projection)
        if self.mix is not None:
            z = self.mix(z.flatten(0, 1)).view_as(z)
        grouped = y.view(groups, -1, y.shape[-1])
        return torch.baddbmm(grouped, z, B.transpose(1, 2), alpha=scale).view_as(y)


class AdaptedModel:
    """An adapted model is a causal language model whose chosen linear layers accept adapters by row
    group.

    Rows are read packed (`scored`, `states`, `walk`): by a lean forward pass of our own where it
    knows the architecture, else by the patched transformers model on padded rows, which `lean`
    False asks for everywhere. Both give the same numbers but for rounding.
    """

    def __init__(
        self, model: Any, target_modules: str | Sequence[str] = "all-linear", *, lean: bool = True
    ) -> None:
        self.model = model
        self.modules = adapted_modules(model, target_modules)
        self._layers: list[AdaptedLinear] = []
        for module in self.modules:
            parent, _, leaf = module.name.rpartition(".")
            layer = AdaptedLinear(model.get_submodule(module.name))
            setattr(model.get_submodule(parent), leaf, layer)
            self._layers.append(layer)
        self._lean = lean_model(model, self.modules) if lean else None

    @property
    def lean(self) -> bool:
        """True where rows are read without padding, several answers of a prompt beside each
        other."""
        return self._lean is not None

    @contextmanager
    def adapters(
        self,
        pairs: Sequence[tuple[Tensor, Tensor]] | None,
        scale: float,
        mix: Callable[[Tensor], Tensor] | None = None,
    ) -> Iterator[None]:
        """Sets (A, B) of every adapted layer for the patched model's passes inside the block.

        mix: what becomes of the ranks of several experts side by side, the same in every layer.
        """
        for number, layer in enumerate(self._layers):
            layer.group = None if pairs is None else (*pairs[number], scale)
            layer.mix = mix
        try:
            yield
        finally:
            for layer in self._layers:
                layer.group = layer.mix = None

    def scored(
        self,
        packed: PackedRows,
        pairs: Sequence[tuple[Tensor, Tensor]] | None = None,
        scale: float = 1.0,
        mix: Mix | None = None,
    ) -> Tensor:
        """The last hidden states (P, h) at the scored tokens.

        pairs: A (G, r, k), or (1, r, k) for all, and B (G, d, r) of every adapted layer, G the
        groups of `packed`. mix: what becomes of the ranks of several experts side by side, by row.
        """
        if self._lean is not None:
            return self._lean.scored(packed, pairs, scale, mix)
        padded = _Padded.of(packed)
        with self.adapters(pairs, scale, mix and (lambda z: mix(z, padded.rows))):
            hidden = self.hidden(padded.input_ids)
        return hidden.flatten(0, 1).index_select(0, padded.places[packed.scored])

    def begun(
        self,
        packed: PackedRows,
        pairs: Sequence[tuple[Tensor, Tensor]] | None,
        scale: float,
        mix: Mix | None,
        places: int,
    ) -> tuple[Tensor, Continuation]:
        """The last hidden states as `scored`, and the rows, of one group, to be read on up to so
        many places; by lean passes alone."""
        assert self._lean is not None, "only lean passes remember what they have read"
        return self._lean.begun(packed, pairs, scale, mix, places)

    def read_on(self, ids: Tensor, rows: Continuation) -> Tensor:
        """The last hidden states (n, h) at one more token of each row that `begun` has read."""
        assert self._lean is not None, "only lean passes remember what they have read"
        return self._lean.read_on(ids, rows)

    def states(self, packed: PackedRows, blocks: Sequence[int]) -> list[Tensor]:
        """The hidden states (N, h) that these transformer blocks of the base model read."""
        if self._lean is not None:
            return self._lean.states(packed, blocks)
        padded = _Padded.of(packed)
        states = trunk(self.model)(
            input_ids=padded.input_ids, use_cache=False, output_hidden_states=True
        ).hidden_states
        return [states[block].flatten(0, 1).index_select(0, padded.places) for block in blocks]

    def walk(self, packed: PackedRows, see: Callable[[int, Tensor, Tensor], None]) -> None:
        """Reads rows with the base model and calls `see(module's number, W0, x (N, k))` before
        every adapted layer, in the order in which the pass comes to them."""
        if self._lean is not None:
            self._lean.walk(packed, see)
            return
        padded = _Padded.of(packed)
        with self.watched(lambda n, W, x: see(n, W, x.reshape(-1, x.shape[-1])[padded.places])):
            self.hidden(padded.input_ids)

    @contextmanager
    def watched(self, see: Callable[[int, Tensor, Tensor], None]) -> Iterator[None]:
        """Calls `see(module's number, W0, x)` before every adapted layer inside the block."""

        def hook(number: int) -> Callable[[AdaptedLinear, tuple[Tensor, ...]], None]:
            return lambda layer, args: see(number, weight_of(layer.base), args[0])

        handles = [
            layer.register_forward_pre_hook(hook(number))
            for number, layer in enumerate(self._layers)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def hidden(self, input_ids: Tensor) -> Tensor:
        """The last hidden states (rows, T, h).

        Rows are padded on the right, so the causal mask alone keeps padding from real tokens.
        """
        out: Tensor = trunk(self.model)(input_ids=input_ids, use_cache=False)[0]
        return out

    def answer_loss(
        self, hidden: Tensor, targets: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Nats (P,) of each target and the gradient of Σ weight·nats at its hidden state."""
        return answer_loss(self.model.get_output_embeddings(), hidden, targets, weights)

    def answer_scores(
        self, hidden: Tensor, places: Tensor, targets: Tensor, *, ranks: bool
    ) -> AnswerScores:
        """ln P (P,) of each target at hidden[places], and whether it is the argmax, in float32."""
        head = self.model.get_output_embeddings()
        return answer_scores(head, hidden, places, targets, ranks=ranks)

    def likeliest(self, hidden: Tensor) -> Tensor:
        """The token (n,) that is the argmax after each hidden state (n, h), in float32."""
        return likeliest(self.model.get_output_embeddings(), hidden)

    def logits(self, hidden_rows: Tensor) -> Tensor:
        """Logits of chosen positions only, multiplied in the model's dtype, as float32: the head is
        a large part of a small model."""
        head = self.model.get_output_embeddings()
        scores: Tensor = head(hidden_rows.contiguous())
        return scores.float()


@dataclass(frozen=True)
class _Padded:
    """Packed rows padded on the right to the longest, groups to the largest.

    input_ids: (G·n, T). places: (N,) of each token in the G·n·T. rows: (G·n·T,) number of the row
    of each place, 0 in empty rows.
    """

    input_ids: Tensor
    places: Tensor
    rows: Tensor

    @classmethod
    def of(cls, packed: PackedRows) -> _Padded:
        if packed.branched or packed.stemmed:
            raise ValueError("several answers in one row and stems need the lean forward pass")
        of_group = packed.rows_by_group
        size, width = max(map(len, of_group)), max(packed.lengths)
        slots = torch.zeros(len(packed.lengths), dtype=torch.long)
        rows = torch.zeros(len(of_group) * size, dtype=torch.long)
        for group, members in enumerate(of_group):
            for number, row in enumerate(members):
                slots[row] = group * size + number
                rows[group * size + number] = row
        device = packed.ids.device
        places = slots.to(device)[packed.rows] * width + packed.depths
        flat = torch.zeros(len(rows) * width, dtype=torch.long, device=device)
        flat[places] = packed.ids
        row_of_slot = rows.repeat_interleave(width).to(device)
        return cls(flat.view(-1, width), places, row_of_slot)

"""What the base model makes of a prompt: the gate's view of a sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor

from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.geometry import Geometry
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import PackedRows, pack, reading
from cosim.learning.evaluation.gate import prompt_mean

# All blocks' hidden states of a pass are held at once.
_TOKENS_PER_PASS = 4096


def gate_blocks(blocks: int, layers: int) -> list[int]:
    """Numbers of `layers` transformer blocks, evenly spaced inside 0 … blocks; fewer if needed."""
    targets = (round((number + 1) * blocks / (layers + 1)) for number in range(layers))
    return sorted({min(block, blocks - 1) for block in targets})


def unit_tokens(states: Tensor) -> Tensor:
    """Hidden states at root mean square 1, float32, as the blocks' own norms pass them on.

    Unscaled, the first token, on which attention rests, is a hundred times as long as the others
    and leaves little in a mean but the prompt's length. On SmolLM2-135M and five tasks (trec,
    sst2, clinc, boolq, arc) the mean routes 71 % of the sequences right without this and 97 % with.
    states: (..., h).
    """
    x = states.float()
    scaled: Tensor = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)
    return scaled


class PromptReader:
    """A prompt reader finds x̄ at the inputs of a few blocks of the base model, each prompt read
    once.

    x̄ is the mean of the prompt's tokens at unit length, or the `last` of them.

    The base model without adapters: what a device has learnt does not move its own routes, and
    all devices and rounds share the features of a test row.
    """

    def __init__(
        self, model: AdaptedModel, layers: int, reads: Literal["mean", "last"] = "mean"
    ) -> None:
        self.model, self.reads = model, reads
        self.device = next(model.model.parameters()).device
        self.blocks = gate_blocks(Geometry.of(model.model).blocks, layers)
        self.known: dict[tuple[int, ...], Tensor] = {}

    def features(self, prompts: Sequence[tuple[int, ...]]) -> Tensor:
        """x̄ (n, L, h), float32, of each prompt."""
        for rows in self.passes([prompts]):
            self.read(rows)
        return torch.stack([self.known[prompt] for prompt in prompts])

    def passes(self, lists: Iterable[Sequence[tuple[int, ...]]]) -> list[list[tuple[int, ...]]]:
        """What is still to be read so that each list's features are known, in passes that are
        those of reading one list after the other."""
        parts: list[list[tuple[int, ...]]] = []
        prompts_read = set(self.known)
        for prompts in lists:
            fresh = sorted(set(prompts) - prompts_read, key=lambda p: (-len(p), p))
            prompts_read.update(fresh)
            while fresh:
                fit = max(1, _TOKENS_PER_PASS // len(fresh[0]))
                parts.append(fresh[:fit])
                fresh = fresh[fit:]
        return parts

    @torch.no_grad()
    def read(self, prompts: Sequence[tuple[int, ...]]) -> None:
        """Reads one of the passes; the order of passes does not matter."""
        # A row's last token is only predicted, so that one more is read as the answer.
        readings = [reading(Encoded(prompt, (0,))) for prompt in prompts]
        rows = pack([readings], self.device, stems=self.model.lean)
        read_out = self._read_out(rows)
        states = self.model.states(rows, self.blocks)
        features = torch.stack([read_out(unit_tokens(x)) for x in states], dim=1)
        self.known.update(zip(prompts, features.cpu().unbind(0), strict=True))

    def _read_out(self, rows: PackedRows) -> Callable[[Tensor], Tensor]:
        """From the tokens' states at unit length to x̄ of each prompt."""
        if self.reads == "last":
            # A prompt's last token is the one that is scored.
            return lambda units: units[rows.scored]
        tokens, prompts = rows.whole_rows()
        count = len(rows.candidate_counts)
        return lambda units: prompt_mean(units[tokens], prompts, count)

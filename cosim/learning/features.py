"""What the base model makes of a prompt: the gate's view of a sequence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cosim.learning.adapted_linear import AdaptedModel
from cosim.learning.encoding import Encoded, token_rows
from cosim.learning.gate import prompt_mean

# All blocks' hidden states of a pass are held at once.
_TOKENS_PER_PASS = 4096


def gate_blocks(blocks: int, layers: int) -> list[int]:
    """Numbers of `layers` transformer blocks, evenly spaced inside 0 … blocks; fewer if needed."""
    wanted = (round((number + 1) * blocks / (layers + 1)) for number in range(layers))
    return sorted({min(block, blocks - 1) for block in wanted})


class PromptReader:
    """x̄ at the inputs of a few blocks of the base model, each prompt read once.

    The base model without adapters: what a device has learnt does not move its own routes, and
    all devices and rounds share the features of a test row.
    """

    def __init__(self, model: AdaptedModel, layers: int) -> None:
        self.model = model
        self.device = next(model.model.parameters()).device
        self.blocks = gate_blocks(model.model.config.num_hidden_layers, layers)
        self._known: dict[tuple[int, ...], Tensor] = {}

    @torch.no_grad()
    def features(self, prompts: Sequence[tuple[int, ...]]) -> Tensor:
        """x̄ (n, L, h), float32: means over the tokens of each prompt."""
        fresh = sorted(set(prompts) - self._known.keys(), key=lambda p: (-len(p), p))
        while fresh:
            fit = max(1, _TOKENS_PER_PASS // len(fresh[0]))
            self._read(fresh[:fit])
            fresh = fresh[fit:]
        return torch.stack([self._known[prompt] for prompt in prompts])

    def _read(self, prompts: Sequence[tuple[int, ...]]) -> None:
        # A row's last token is only predicted, so that one more is read as the answer.
        rows = token_rows([Encoded(prompt, (0,)) for prompt in prompts], self.device)
        lengths = torch.tensor([len(prompt) for prompt in prompts])
        states = self.model.block_inputs(rows.input_ids)
        found = torch.stack([prompt_mean(states[block], lengths) for block in self.blocks], dim=1)
        self._known.update(zip(prompts, found.cpu().unbind(0), strict=True))

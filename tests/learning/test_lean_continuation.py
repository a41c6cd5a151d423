"""Rows read on token by token, against every row read whole."""

from typing import Any

import pytest
import torch

from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import pack, reading
from tests.learning.row_by_row import SCALE, assert_near, both, factors, one_by_one

# Answers of one length to unequal prompts, two of which begin alike; the last token is predicted.
PROMPTS = [(7,), (9, 8, 11, 40, 3), (9, 8, 5), (20, 21, 22, 23, 24, 25, 26, 27, 28)]
ANSWERS = [(5, 17, 6, 80), (90, 14, 9, 9), (3, 4, 3, 61), (44, 45, 46, 2)]
LENGTH = 4


@pytest.mark.parametrize("stem", [(), (150, 151, 152)])
@pytest.mark.parametrize("mixed", [False, True])
def test_a_row_that_is_read_on_has_the_states_of_the_whole(
    known: Any, stem: tuple[int, ...], mixed: bool
) -> None:
    """Rows that end meanwhile take nothing from the others."""
    adapted, lean = both(known)
    whole = [
        Encoded(stem + prompt, answer) for prompt, answer in zip(PROMPTS, ANSWERS, strict=True)
    ]
    A, B = factors(adapted, 1)
    pairs = list(zip(A.blocks, B.blocks, strict=True))
    shares = torch.tensor([0.5, -1.0, 2.0, 0.0])

    def mix(z: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return z * shares.to(z.dtype)[rows, None]

    states = []
    for row, share in zip(whole, shares, strict=True):
        own = [(a, b * share) if mixed else (a, b) for a, b in pairs]
        states.append(one_by_one(adapted, [[row]], own).detach())
    first = [Encoded(row.prompt, (0,)) for row in whole]
    packed = pack([[reading(row) for row in first]], stems=bool(stem) and not mixed)
    assert packed.stemmed == (bool(stem) and not mixed)
    places = max(len(row.prompt) for row in whole) + LENGTH - 1
    hidden, begun = lean.begun(packed, pairs, SCALE, mix if mixed else None, places)
    going = list(range(len(whole)))
    for step in range(LENGTH):
        assert_near(hidden, torch.stack([states[row][step] for row in going]))
        if step == LENGTH - 1:
            break
        if step == 1:
            begun.keep([0, 2, 3])
            going = [0, 2, 3]
        hidden = lean.read_on(torch.tensor([ANSWERS[row][step] for row in going]), begun)

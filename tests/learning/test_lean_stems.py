"""What rows begin with alike, read once by the lean passes, against every row alone."""

from typing import Any

import numpy as np
import pytest
import torch

from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import candidates_reading, pack, reading
from tests.learning.row_by_row import SCALE, Groups, assert_near, both, factors, one_by_one, rows


def begun(seed: int, count: int, stem: int, longest: int = 9) -> list[Encoded]:
    """Rows that begin alike."""
    (first,) = rows(seed, 1, longest=2)
    stems = tuple(np.random.default_rng(seed).integers(5, 200, stem).tolist())
    return [
        Encoded(first.prompt + stems + row.prompt, row.answer)
        for row in rows(seed + 1, count, longest)
    ]


# Unequal groups of unlike stems, one long enough that its attention weights are not kept, one of
# rows that are nothing but their stem, and ones without a stem.
BEGUN: Groups = [
    begun(20, 3, 11),
    [],
    begun(22, 5, 30),
    rows(24, 1),
    begun(26, 2, 140),
    [Encoded((7, 8, 9), (3,)), Encoded((7, 8, 9), (4,)), Encoded((7, 8, 9), (5, 6))],
    [Encoded((7, 9), (3,)), Encoded((7, 9), (4,))],
    [Encoded((9,), (3,)), Encoded((8, 9), (4,))],
    begun(28, 4, 11),
]


@pytest.mark.slow
@pytest.mark.parametrize("projected", [False, True])
def test_rows_that_continue_a_stem_are_read_as_if_whole(known: Any, projected: bool) -> None:
    adapted, lean = both(known)
    layouts = {
        stems: pack([[reading(row) for row in group] for group in BEGUN], stems=stems)
        for stems in (False, True)
    }
    lengths = {stems: one.ids.numel() for stems, one in layouts.items()}
    assert lengths[True] < 0.7 * lengths[False]
    assert layouts[True].scored.unique().numel() < layouts[True].scored.numel()
    found = []
    for way in ("stems", "one by one"):
        A, B = factors(adapted, len(BEGUN), projected=projected)
        pairs = list(zip(A.blocks, B.blocks, strict=True))
        if way == "stems":
            states = lean.scored(layouts[True], pairs, SCALE)
        else:
            states = one_by_one(adapted, BEGUN, pairs)
        weights = torch.linspace(-1, 1, states.numel()).view_as(states)
        (states * weights).sum().backward()
        found.append((states.detach(), [f.gradient for f in (A, B) if f.gradient is not None]))
    (states, gradients), (true_states, true_gradients) = found
    assert_near(states, true_states)
    for gradient, true_gradient in zip(gradients, true_gradients, strict=True):
        assert_near(gradient, true_gradient)
    with pytest.raises(ValueError, match="stems need the lean forward pass"):
        adapted.scored(layouts[True])


def test_candidates_of_questions_that_begin_alike_continue_a_stem(known: Any) -> None:
    adapted, lean = both(known)
    answers = [[row.answer for row in rows(40 + n, 2 + n)] for n in range(3)]
    questions = [
        [Encoded(row.prompt, answer) for answer in own]
        for row, own in zip(begun(30, 3, 12), answers, strict=True)
    ]
    # One is nothing but the stem and its answers.
    stem = questions[0][0].prompt[:13]
    questions.append([Encoded(stem, (3, 4)), Encoded(stem, (5, 6, 7))])
    packed_rows = pack([[candidates_reading(q) for q in questions]], stems=True)
    assert packed_rows.branched
    assert packed_rows.stemmed
    A, B = factors(adapted, 1)
    pairs = list(zip(A.blocks, B.blocks, strict=True))
    apart = [[row for question in questions for row in question]]
    with torch.no_grad():
        assert_near(lean.scored(packed_rows, pairs, SCALE), one_by_one(adapted, apart, pairs))

"""Bits on the air, against formulas worked out elsewhere and by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import entropy

from cosim.methods.message import (
    Common,
    Mask,
    Said,
    Seed,
    Values,
    mask_bits,
    on_air,
    payload_bits,
)


@given(n=st.integers(2, 2000), share=st.floats(0, 1))
@example(n=2000, share=0.1)
def test_a_mask_costs_its_entropy(n: int, share: float) -> None:
    k = round(share * n)
    bits = mask_bits(n, k)
    if k in (0, n):
        assert bits == 0
        return
    assert bits == pytest.approx(n * entropy([k / n, 1 - k / n], base=2), abs=1)
    # No code tells C(n, k) masks apart in fewer bits; log2(n+1) bits more are always enough.
    fewest = math.log2(math.comb(n, k))
    assert fewest - 1e-9 <= bits <= fewest + math.log2(n + 1) + 1


def test_a_tenth_kept_costs_about_4_7_bits_a_value() -> None:
    n = 576 * 32
    kept = round(0.1 * n)
    assert mask_bits(n, kept) / kept == pytest.approx(4.69, abs=0.01)
    assert mask_bits(1024, 512) == 1024
    assert mask_bits(4, 1) == math.ceil(4 * (0.5 + 0.75 * math.log2(4 / 3))) == 4


B = Values("B", torch.zeros(100))
A = torch.zeros(40)


@pytest.mark.parametrize(
    ("told", "per_value", "first", "later"),
    [
        (Values("A", A), 16, (100 + 40) * 16, (100 + 40) * 16),
        (Values("A", A), 32, (100 + 40) * 32, (100 + 40) * 32),
        (Seed("A", A), 16, 100 * 16 + 64, 100 * 16),
        (Common("A", A), 32, 100 * 32, 100 * 32),
        (Values("h", torch.zeros(7), once=True), 16, (100 + 7) * 16, 100 * 16),
    ],
)
def test_what_is_told_once_is_on_the_air_once(
    told: Said, per_value: int, first: int, later: int
) -> None:
    assert payload_bits([B, told], (), per_value) == first
    assert payload_bits([B, told], {told.name, "B"}, per_value) == later
    assert payload_bits([B, told], {"another"}, per_value) == first


def test_a_mask_is_coded_module_by_module() -> None:
    sizes, support = [1024, 4, 8], torch.arange(521)
    mask = Mask("M", support, sizes, np.array([512, 1, 8]).tolist())
    assert mask.bits(16) == mask.bits(32) == 1024 + 4 + 0
    assert payload_bits([B, mask], (), 16) == 1600 + 1028
    assert payload_bits([B, mask], ["M"], 16) == 1600
    with pytest.raises(ValueError, match="zip"):
        Mask("M", support, sizes, [512, 1]).bits(16)


@pytest.mark.parametrize("per_value", [16, 32])
def test_on_the_air_values_lose_their_precision_and_names_nothing(per_value: int) -> None:
    fine = torch.tensor([1 / 3, 2 / 3])
    content = (Values("B", fine), Seed("A", fine), Mask("M", torch.arange(2), [9], [2]))
    values, seed, mask = on_air(content, per_value)
    assert isinstance(values, Values)
    assert torch.equal(values.values, fine) == (per_value == 32)
    assert (seed, mask) == content[1:]

"""Bits on the air, against formulas worked out elsewhere and by hand."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import entropy

from cosim.learning.federation.payload import introduction_bits, mask_bits, values_bits
from cosim.methods.parts import Projection


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


@pytest.mark.parametrize(
    ("projection", "per_value", "bits"),
    [
        ("trainable", 16, (100 + 40) * 16),
        ("trainable", 32, (100 + 40) * 32),
        ("frozen_own_seed", 16, 100 * 16),
        ("frozen_shared_seed", 32, 100 * 32),
    ],
)
def test_the_projection_is_sent_only_where_it_is_trained(
    projection: Projection, per_value: int, bits: int
) -> None:
    assert values_bits(100, 40, projection, per_value) == bits


@pytest.mark.parametrize(
    ("projection", "seed"), [("frozen_own_seed", 64), ("frozen_shared_seed", 0), ("trainable", 0)]
)
def test_an_introduction_is_one_mask_a_module_and_an_own_seed(
    projection: Projection, seed: int
) -> None:
    sizes = [1024, 4, 8]
    assert introduction_bits(sizes, np.array([512, 1, 8]), projection) == 1024 + 4 + 0 + seed
    assert introduction_bits(sizes, None, projection) == seed
    with pytest.raises(ValueError, match="zip"):
        introduction_bits(sizes, np.array([512, 1]), projection)

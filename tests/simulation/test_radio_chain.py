"""A radio chain's energy is its watts times the time in which any transfer is open."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.simulation.energy.radio_chain import RadioChain

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=8)


def test_two_transfers_that_overlap() -> None:
    chain = RadioChain(2.0)
    chain.open(0, 1.0)  # alone for 2 s, with another for 1 s
    chain.open(1, 3.0)
    assert chain.close(0, 4.0) == 2.0 * (2.0 + 0.5)
    assert chain.close(1, 7.0) == 2.0 * (0.5 + 3.0)


@given(SPANS)
def test_the_shares_add_up_to_the_union_of_the_times(spans: list[tuple[int, int]]) -> None:
    chain = RadioChain(0.7)
    moments = [(begin, 0, number) for number, (begin, _) in enumerate(spans)]
    moments += [(begin + length, 1, number) for number, (begin, length) in enumerate(spans)]
    shares = []
    for time, ends, number in sorted(moments):
        if ends:
            shares.append(chain.close(number, float(time)))
        else:
            chain.open(number, float(time))
    busy = {t for begin, length in spans for t in range(begin, begin + length)}
    assert all(share >= 0 for share in shares)
    assert math.fsum(shares) == pytest.approx(0.7 * len(busy), rel=1e-12, abs=1e-12)

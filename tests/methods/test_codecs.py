"""Codecs by themselves: what is read of what is said, and its bits by hand."""

import math
from collections.abc import Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from cosim.methods import METHODS
from cosim.methods.codec.floating import Floating
from cosim.methods.codec.rounded import Rounded, rounded, scale_of
from cosim.methods.codec.slot import Codec, Coding, Memory
from cosim.methods.codec.top_k import TopK
from cosim.methods.message import Renewed, Turn, Values, as_transmitted, payload_bits
from cosim.randomness import stream

NOTHING: Memory = MappingProxyType({})
LARGEST = 2.0**99
floats = st.floats(-LARGEST, LARGEST, width=32, allow_nan=False)
vectors = st.lists(floats, min_size=1, max_size=40)


def coding(counts: Sequence[int], number: int = 1, per_value: int = 32) -> Coding:
    count = sum(counts)
    draw = partial(stream, 1, "codec", 0, number, 0, "B")
    return Coding(Turn(number), counts, per_value, torch.zeros(count), draw)


def heard(codec: Codec, values: Tensor, counts: Sequence[int], number: int = 1) -> Values:
    return codec.read(Values("B", values), NOTHING, coding(counts, number))[0]


@pytest.mark.parametrize("per_value", [16, 32])
@given(vector=vectors)
def test_floating_point_is_the_air_s_precision_to_the_bit(
    per_value: int, vector: list[float]
) -> None:
    values = torch.tensor(vector)
    at = coding([len(vector)], per_value=per_value)
    read, memory = Floating().read(Values("B", values), NOTHING, at)
    assert torch.equal(read.values, as_transmitted(values, per_value))
    assert read.bits(per_value) == len(vector) * per_value
    assert not memory


@given(vector=vectors, bits=st.sampled_from([4, 8]), number=st.integers(0, 1000))
@example(vector=[127.0, -127.0, 0.5], bits=8, number=1)
@example(vector=[1e-45, 3e-45], bits=4, number=1)
def test_what_is_rounded_is_a_multiple_of_the_scale_within_one_of_it(
    vector: list[float], bits: int, number: int
) -> None:
    values = torch.tensor(vector)
    read = rounded(values, bits, stream(number, "codec"))
    largest = float(values.abs().max())
    if largest == 0:
        assert not read.any()
        return
    scale, most = scale_of(largest, bits), 2 ** (bits - 1) - 1
    assert largest / most <= scale <= math.nextafter(largest / most * (1 + 2**-22), 1) + 2e-45
    codes = read.double() / scale
    # The product of integer and scale is rounded to single precision.
    slack = 2.0**-23 * codes.abs() + 1e-9
    assert (codes - codes.round()).abs().le(slack).all()
    assert codes.abs().max() <= most * (1 + 2**-23)
    off = (read.double() - values.double()).abs() / scale
    assert (off <= 1 + slack).all()


@pytest.mark.slow
@pytest.mark.parametrize("bits", [4, 8])
def test_rounding_is_unbiased(bits: int) -> None:
    """Over n draws a mean is off by a normal variable of at most scale/(2·√n)."""
    draws = 40_000
    values = torch.tensor([1.0, -0.77, 0.5, 0.3141, -0.01, 1e-4, 0.0])
    random = stream(3, "codec")
    total = torch.zeros(len(values), dtype=torch.float64)
    for _ in range(draws):
        total += rounded(values, bits, random).double()
    scale = scale_of(1.0, bits)
    assert (total / draws - values).abs().max() < 4.5 * scale / (2 * math.sqrt(draws))
    # The largest is a multiple of the scale, up to the scale's own rounding, and zero is one.
    assert total[0] / draws == pytest.approx(1.0, rel=1e-6)
    assert total[-1] == 0


def test_a_module_without_a_finite_scale_arrives_as_no_numbers_and_the_others_as_they_are() -> None:
    values = torch.tensor([1.0, math.nan, 2.0, math.inf, 1.0, 0.5])
    read = heard(Rounded(), values, [2, 2, 2]).values
    assert read[:4].isnan().all()
    assert read[4:].isfinite().all()
    assert not heard(Rounded(), torch.zeros(3), [3]).values.any()


@pytest.mark.parametrize("bits", [4, 8])
@given(counts=st.lists(st.integers(0, 50), min_size=1, max_size=6))
def test_integers_cost_their_bits_and_each_module_s_scale(bits: int, counts: list[int]) -> None:
    codec = Rounded(bits=bits)
    n, modules = sum(counts), np.count_nonzero(counts)
    form = codec.form(Values("B", torch.zeros(n)), counts, NOTHING)
    assert form.bits(16) == form.bits(32) == bits * n + 32 * modules
    assert codec.factor_bits(counts, 16) == bits * n + 32 * modules
    assert heard(codec, torch.ones(n), counts).values.shape == (n,)


@given(n=st.integers(1, 5000), share=st.floats(0.0001, 1), per_value=st.sampled_from([16, 32]))
@example(n=1024, share=0.1, per_value=16)
@example(n=1, share=0.5, per_value=16)
def test_renewed_values_cost_themselves_and_the_shorter_list_of_places(
    n: int, share: float, per_value: int
) -> None:
    codec = TopK(share=share)
    k = min(n, max(1, round(share * n)))
    first = codec.form(Values("B", torch.zeros(n)), [n], NOTHING)
    assert isinstance(first, Renewed)
    assert (first.kept, first.version) == (k, 1)
    each_place = next(b for b in range(64) if 2**b >= n)
    one = k * per_value + (0 if k == n else min(k * each_place, n))
    assert codec.factor_bits([n], per_value) == one
    for version in (1, 2, 5):
        said = Renewed("B", torch.zeros(n), kept=k, version=version)
        for had in range(version):
            bits = payload_bits([said], (), per_value, {"B": had})
            assert bits == min((version - had) * one, n * per_value)
    assert payload_bits([first], (), per_value) == min(one, n * per_value)


@pytest.mark.slow
@given(vector=vectors, other=vectors, per_value=st.sampled_from([16, 32]))
def test_all_values_renewed_are_what_floating_point_is(
    vector: list[float], other: list[float], per_value: int
) -> None:
    memory: Memory = NOTHING
    codec, count = TopK(share=1), min(len(vector), len(other))
    for number, said in enumerate((vector, other, vector), start=1):
        values = torch.tensor(said[:count])
        at = coding([count], number, per_value)
        read, memory = codec.read(Values("B", values), memory, at)
        assert torch.equal(read.values, as_transmitted(values, per_value))
        versions = {"B": number - 1}
        assert payload_bits([read], (), per_value, versions) == count * per_value
        assert torch.equal(memory["B"]["settled"], values)


def test_the_farthest_values_are_renewed_and_the_rest_stays() -> None:
    codec, memory = TopK(share=0.4), NOTHING
    values = torch.tensor([0.1, -5.0, 3.0, 0.2, -0.3])
    read, memory = codec.read(Values("B", values), memory, coding([2, 3]))
    assert read.values.tolist() == pytest.approx([0, -5, 3, 0, 0])
    # In the same turn the same again, whatever the values.
    again, same = codec.read(Values("B", 2 * values), memory, coding([2, 3]))
    assert torch.equal(again.values, read.values)
    assert isinstance(again, Renewed)
    assert again.version == 1
    assert same is memory
    moved = torch.tensor([0.1, -5.0, 3.5, 0.2, -0.3])
    read, memory = codec.read(Values("B", moved), memory, coding([2, 3], 2))
    assert read.values.tolist() == pytest.approx([0, -5, 3.5, 0, -0.3])
    assert memory["B"]["version"] == 2


REFUSED: list[tuple[str, Any, str]] = [
    ("decaf", "top_k", "puts them into another basis"),
    ("fedrot_lora", {"name": "top_k", "share": 0.5}, "top_k .share: 0.5. renews some values"),
    ("event_gossip", "top_k", "both remember what was last said"),
    ("ef_hc", "top_k", "takes all of it for said"),
    ("salf", "top_k", "says the blocks that were reached"),
    ("lora", {"name": "rounded", "bits": 16}, "4"),
    ("lora", {"name": "top_k", "share": 0}, "greater than 0"),
]


@pytest.mark.parametrize(("name", "codec", "reason"), REFUSED)
def test_what_makes_no_sense_is_refused(name: str, codec: Any, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        METHODS[name].with_(codec=codec)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_may_be_rounded(name: str) -> None:
    assert METHODS[name].codec == Floating()
    assert METHODS[name].with_(codec={"name": "rounded", "bits": 4}).codec == Rounded(bits=4)

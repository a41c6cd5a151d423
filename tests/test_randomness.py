"""A named stream is Philox under the hash of its name, and nothing else."""

import hashlib

import numpy as np
import pytest

from cosim.randomness import first_uniforms, stream


def test_a_stream_is_philox_keyed_by_its_name() -> None:
    name = "\x1f".join(["7", "fading", "int:2", "str:b"])
    key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=16).digest(), "little")
    expected = np.random.Generator(np.random.Philox(key=key))
    np.testing.assert_array_equal(stream(7, "fading", 2, "b").random(99), expected.random(99))


def test_streams_of_one_name_are_the_same_and_independent_objects() -> None:
    one, other = stream(1, "a"), stream(1, "a")
    first = one.random(5)
    np.testing.assert_array_equal(other.random(5), first)
    assert not np.array_equal(one.random(5), first)
    assert not np.array_equal(stream(1, "a", 1).random(5), stream(1, "a", "1").random(5))


@pytest.mark.parametrize("count", [0, 1, 2, 5000])
def test_first_draws_of_many_streams_are_those_of_each(count: int) -> None:
    """Also of ids and seeds that are words, negative or beyond 64 bits."""
    named = [(k, 3 * k + 1) for k in range(count)] + [("a", -2), (2**70,), ()]
    for seed in (7, -1, 2**80):
        found = first_uniforms(seed, "los", named)
        assert found.tolist() == [stream(seed, "los", *ids).random() for ids in named]

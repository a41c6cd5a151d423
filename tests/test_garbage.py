"""The collector is put off, not forgotten."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from cosim.host.collector import seldom_collected, uncollected


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    was_on = gc.isenabled()
    yield
    if was_on:
        gc.enable()
    else:
        gc.disable()


def test_nothing_is_collected_inside() -> None:
    gc.enable()
    with uncollected():
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_does_not_leave_it_off() -> None:
    gc.enable()

    @uncollected()
    def fail() -> None:
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    assert gc.isenabled()


def test_who_has_switched_it_off_keeps_it_off() -> None:
    gc.disable()
    with uncollected():
        pass
    assert not gc.isenabled()


class Loop:
    """An object of a cycle."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.slow
def test_what_was_made_inside_is_old_and_its_cycles_are_found_later() -> None:
    gc.enable()
    with uncollected():
        kept, forgotten = Loop(), Loop()
        gone = weakref.ref(forgotten)
        del forgotten
    assert any(one is kept for one in gc.get_objects(generation=2))
    assert gone() is not None
    gc.collect()
    assert gone() is None


def test_seldom_is_only_inside_the_block() -> None:
    before = gc.get_threshold()
    with seldom_collected(devices=10):
        assert gc.isenabled()
        few = gc.get_threshold()[0]
        assert few > 10_000
    assert gc.get_threshold() == before
    with seldom_collected(devices=10_000):
        assert gc.get_threshold()[0] > 10 * few
    assert gc.get_threshold() == before

"""Deadlines fire last in their instant: exactly on time counts, a float later does not."""

import math
from collections.abc import Generator
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simpy import Environment, Event

from cosim.simulation.clock import CutOff, Deadline

delays = st.floats(1e-9, 1e9)


def first_of(env: Environment, arrival: Event, deadline: Event) -> str:
    def wait() -> Generator[Event, Any, str]:
        yield arrival | deadline
        return "arrival" if arrival.processed else "deadline"

    return str(env.run(until=env.process(wait())))


@given(start=st.floats(0, 1e9), delay=delays, arrival_first=st.booleans())
def test_exactly_on_time_counts_whichever_was_scheduled_first(
    start: float, delay: float, arrival_first: bool
) -> None:
    env = Environment(start)
    if arrival_first:
        arrival: Event = env.timeout(delay)
        deadline: Event = Deadline(env, delay)
    else:
        deadline = Deadline(env, delay)
        arrival = env.timeout(delay)
    assert first_of(env, arrival, deadline) == "arrival"


@given(delay=delays)
def test_one_ulp_late_does_not_count(delay: float) -> None:
    env = Environment()
    arrival, deadline = env.timeout(math.nextafter(delay, math.inf)), Deadline(env, delay)
    assert first_of(env, arrival, deadline) == "deadline"


@given(delay=delays)
def test_one_ulp_early_counts(delay: float) -> None:
    env = Environment()
    deadline, arrival = Deadline(env, delay), env.timeout(math.nextafter(delay, 0.0))
    assert first_of(env, arrival, deadline) == "arrival"


@pytest.mark.parametrize("steps", [1, 2, 10])
def test_an_arrival_made_later_in_the_same_instant_counts(steps: int) -> None:
    env = Environment()
    deadline, arrival = Deadline(env, 3.0), env.event()

    def arrive() -> Generator[Event, Any, None]:
        yield env.timeout(3.0)
        for _ in range(steps):
            yield env.timeout(0.0)
        arrival.succeed()

    env.process(arrive())
    assert first_of(env, arrival, deadline) == "arrival"
    assert env.now == 3.0


def test_a_deadline_knows_its_instant_and_the_present_is_one() -> None:
    env = Environment(5.0)
    later = Deadline(env, 2.0)
    now = Deadline(env, 0.0)
    env.run(until=now)
    assert env.now == 5.0
    env.run(until=later)
    assert env.now == 7.0


def test_a_deadline_in_the_past_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1\.0 s in the past"):
        Deadline(Environment(), -1.0)


@given(start=st.floats(0, 1e9), delay=delays, cut_first=st.booleans())
def test_a_cut_off_comes_before_whatever_ends_in_its_instant(
    start: float, delay: float, cut_first: bool
) -> None:
    env, order = Environment(start), []
    makers = [("cut", CutOff), ("end", lambda env, delay_s: env.timeout(delay_s))]
    for name, make in makers if cut_first else reversed(makers):
        event: Event = make(env, delay)
        assert event.callbacks is not None
        event.callbacks.append(partial(lambda name, _: order.append(name), name))
    env.run()
    assert order == ["cut", "end"]


def test_a_cut_off_in_the_past_is_refused() -> None:
    with pytest.raises(ValueError, match="in the past"):
        CutOff(Environment(1.0), -0.5)

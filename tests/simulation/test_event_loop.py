"""A process that fails ends the loop, before anything else that is due in the same instant."""

from collections.abc import Generator
from typing import Any

import pytest
from simpy import Environment, Event, Interrupt

from cosim.simulation.event_loop import EventLoop


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("broke"), MemoryError()])
def test_nothing_happens_after_a_failure(error: BaseException) -> None:
    happened: list[str] = []

    def failing(env: Environment) -> Generator[Event, Any, None]:
        yield env.timeout(1)
        raise error

    def other(env: Environment) -> Generator[Event, Any, None]:
        yield env.timeout(1)
        happened.append("other")

    def play(env: Environment) -> None:
        happened.clear()
        env.process(failing(env))
        env.process(other(env))
        env.run()

    with pytest.raises(type(error)):
        play(Environment())
    assert happened == ["other"], "SimPy alone would stop, too"
    with pytest.raises(type(error)) as raised:
        play(EventLoop())
    assert raised.value is error
    assert happened == []


def test_interrupts_and_results_of_processes_are_simpys() -> None:
    def slept(env: Environment) -> Generator[Event, Any, str]:
        try:
            yield env.timeout(10)
        except Interrupt as cut:
            return f"{cut.cause} at {env.now}"
        return "ended"

    def parent(env: Environment) -> Generator[Event, Any, list[str]]:
        whole, cut = env.process(slept(env)), env.process(slept(env))
        yield env.timeout(4)
        cut.interrupt("away")
        return [(yield cut), (yield whole)]

    env = EventLoop()
    assert env.run(until=env.process(parent(env))) == ["away at 4", "ended"]
    assert env.now == 10

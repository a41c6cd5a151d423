"""A battery: charge that power uses up, and the instant at which it is empty."""

from __future__ import annotations

import math
from collections.abc import Callable

from simpy import Environment, Event

from cosim.simulation.clock import CutOff, then


class Battery:
    """A battery integrates the power drawn, and calls `empty` in the instant in which nothing is
    left.

    One wake-up lies ahead, never later than the charge can last at the present power; power that
    falls leaves it where it is, and the wake-up then looks again.
    """

    def __init__(self, env: Environment, charge_j: float, empty: Callable[[], None]) -> None:
        self.env = env
        self.left_j = charge_j
        self._empty = empty
        self._watts = 0.0
        self._since_s = float(env.now)
        self._wakes_at_s = math.inf

    def draw(self, watts: float) -> None:
        """Sets the power that is drawn from now on."""
        self._use()
        self._watts = watts
        if watts > 0.0 and self._since_s + self.left_j / watts < self._wakes_at_s:
            self._watch()

    def _use(self) -> None:
        now_s = self.env.now
        used_j = self._watts * (now_s - self._since_s)
        self.left_j = max(self.left_j - used_j, 0.0)
        self._since_s = now_s

    def _watch(self) -> None:
        now_s = self.env.now
        at_s = now_s + self.left_j / self._watts
        if at_s < self._wakes_at_s and math.isfinite(at_s):
            self._wakes_at_s = at_s
            then(CutOff(self.env, at_s - now_s), self._look)

    def _look(self, _: Event) -> None:
        if self.env.now < self._wakes_at_s:
            return  # an earlier wake-up has looked since
        self._wakes_at_s = math.inf
        if self._watts <= 0.0:
            return
        self._use()
        # What the clock cannot tell from now is now.
        if self.env.now + self.left_j / self._watts <= math.nextafter(self.env.now, math.inf):
            self.left_j = 0.0
            self._watts = 0.0
            self._empty()
        else:
            self._watch()

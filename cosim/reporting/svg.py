"""Charts that need no script: two axes, and what is drawn between them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cosim.reporting.markup import Content, Markup, tag
from cosim.reporting.quantity import rounded

WIDTH, HEIGHT = 400, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 10, 24, 38
# More marks than these on a logarithmic axis run into each other.
_MOST_POWERS = 7


@dataclass(frozen=True)
class ChartAxis:
    """An axis is one direction of a chart.

    low, high: the values at its ends.
    words: what it measures, with its unit.
    logarithmic: whether equal steps are equal factors; both ends are positive then.
    """

    low: float
    high: float
    words: str
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value lies, from 0 to 1."""
        low, high, at = self.low, self.high, value
        if self.logarithmic:
            low, high, at = math.log(low), math.log(high), math.log(value)
        return (at - low) / (high - low) if high > low else 0.5

    def ticks(self, pieces: int) -> list[float]:
        """Round values between the ends: multiples of 1, 2 or 5, or these times powers of ten."""
        if self.logarithmic and self.high / self.low > 3:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            values: list[float] = []
            for digits in ((1, 2, 5), (1, 3), (1,)):
                values = [digit * 10.0**power for power in powers for digit in digits]
                values = [value for value in values if self.low <= value <= self.high]
                if len(values) <= _MOST_POWERS:
                    break
            return values
        if not self.high > self.low:
            return [self.low]
        raw = (self.high - self.low) / pieces
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(s * power for s in (1, 2, 5, 10) if s * power >= 0.999 * raw)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


@dataclass(frozen=True)
class Chart:
    """A chart has two axes; its places are in the units of the picture.

    x: goes to the right.
    y: goes up.
    """

    x: ChartAxis
    y: ChartAxis

    def at_x(self, value: float) -> float:
        """The place along the first axis."""
        return round(_LEFT + self.x.place(value) * (WIDTH - _LEFT - _RIGHT), 1)

    def at_y(self, value: float) -> float:
        """The place along the second axis, which counts from above."""
        return round(HEIGHT - _BOTTOM - self.y.place(value) * (HEIGHT - _TOP - _BOTTOM), 1)

    def drawn(self, title: str, *content: Content) -> Markup:
        """The axes with what is drawn between them; `title` is for whoever cannot see it."""
        low = self.at_y(self.y.low)
        frame: list[Markup] = []
        for value in self.y.ticks(4):
            y = self.at_y(value)
            frame.append(tag("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y, class_="grid"))
            frame.append(_text(_LEFT - 6, y + 4, "end", rounded(value, 4)))
        for value in self.x.ticks(5):
            x = self.at_x(value)
            frame.append(tag("line", x1=x, x2=x, y1=low, y2=low + 4, class_="grid"))
            frame.append(_text(x, HEIGHT - _BOTTOM + 18, "middle", rounded(value, 4)))
        middle = (_LEFT + WIDTH - _RIGHT) / 2
        frame.append(_text(middle, HEIGHT - 4, "middle", self.x.words))
        frame.append(_text(0, 12, "start", self.y.words))
        return tag(
            "svg",
            tag("title", title),
            frame,
            *content,
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            role="img",
        )

    def stacked(self, low: float, high: float, parts: Iterable[tuple[str, float]]) -> list[Markup]:
        """A column between two values of the first axis: (class, amount) upon each other."""
        boxes, below = [], 0.0
        left, right = self.at_x(low) + 0.5, self.at_x(high) - 0.5
        for name, amount in parts:
            if amount:
                top, bottom = self.at_y(below + amount), self.at_y(below)
                size = {"width": round(right - left, 1), "height": round(bottom - top, 1)}
                boxes.append(tag("rect", x=left, y=top, class_=name, **size))
            below += amount
        return boxes

    def points(self, name: str, places: Iterable[tuple[float, float]]) -> Markup:
        """Dots of one colour, as one path."""
        path = "".join(f"M{self.at_x(x):g} {self.at_y(y):g}h0" for x, y in places)
        return tag("path", d=path, class_="dots", style=f"stroke:var(--{name})")

    def steps(
        self, name: str, xs: Sequence[float], ys: Sequence[float], dashes: Sequence[int] = ()
    ) -> Markup:
        """A line that keeps each value until the next; dashes: its lengths and gaps, px."""
        path = f"M{self.at_x(xs[0]):g} {self.at_y(ys[0]):g}"
        for x, y in zip(xs[1:], ys[1:], strict=True):
            path += f"H{self.at_x(x):g}V{self.at_y(y):g}"
        dashed = f";stroke-dasharray:{' '.join(map(str, dashes))}" if dashes else ""
        return tag("path", d=path, class_="line", style=f"stroke:var(--{name}){dashed}")


def legend(entries: Iterable[tuple[str, str]]) -> Markup:
    """What colours mean: (colour, words)."""
    return tag(
        "div",
        [
            tag("span", tag("i", style=f"background:var(--{name})"), words)
            for name, words in entries
        ],
        class_="legend",
    )


def _text(x: float, y: float, anchor: str, words: str) -> Markup:
    return tag("text", words, x=x, y=y, text_anchor=anchor)

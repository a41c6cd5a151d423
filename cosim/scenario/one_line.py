"""Values, texts and paths on the one line of a message."""

import math
from collections.abc import Collection, Iterable


def shown(value: object, width: int = 60) -> str:
    """A value as a person would write it, on one line and at most `width` characters."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, float):
        text = repr(value)
        return f"{text[:-3]}.{text[-3:]}" if text[-3:] in ("inf", "nan") else text
    return shorten(repr(value), width)


def shorten(text: str, width: int = 60) -> str:
    """`text` on one line, without control characters, cut to `width` characters."""
    text = "".join(c if c.isprintable() else " " for c in text)
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def dotted(loc: Iterable[str | int]) -> str:
    """A path the way `--set` takes it: `devices.0.count`."""
    return ".".join(shorten(str(step)) for step in loc)


def short_paths(paths: Collection[str]) -> dict[str, str]:
    """Each dotted path's shortest end that no other of the paths shares."""
    short = {}
    for path in paths:
        steps = path.split(".")
        ends = [".".join(steps[-n:]) for n in range(1, len(steps) + 1)]
        others = [f".{other}" for other in paths if other != path]
        free = [end for end in ends if not any(other.endswith(f".{end}") for other in others)]
        short[path] = free[0] if free else path
    return short


def number_text(value: float) -> str:
    """A number as short as it can be written without loss: 5e6, 0.25, 1200."""
    plain = repr(value).removesuffix(".0")
    if not math.isfinite(value):
        return plain
    for digits in range(17):
        mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
        if float(f"{mantissa}e{exponent}") == value:
            break
    return min(plain, f"{mantissa}e{int(exponent)}", key=len)

"""Values, texts and paths on the one line of a message."""

import math
import re
from collections.abc import Collection, Iterable

from cosim.scenario.reading.invisible import is_invisible


def shown(value: object, width: int = 60) -> str:
    """A value as a person would write it, on one line and at most `width` characters."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, float):
        text = repr(value)
        return f"{text[:-3]}.{text[-3:]}" if text[-3:] in ("inf", "nan") else text
    return shorten(_spelt(repr(value)), width)


def _spelt(text: str) -> str:
    """A value's Python text with characters that are not seen by their numbers: <U+00A0>."""
    return re.sub(
        r"(?<!\\)((?:\\\\)*)\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))",
        lambda m: f"{m[1]}<U+{int(m[2] or m[3] or m[4], 16):04X}>",
        text,
    )


def shorten(text: str, width: int = 60) -> str:
    """`text` on one line, cut to `width` characters; without control characters, and what else is
    not seen by its number."""
    text = "".join(c if c.isprintable() else _seen(c) for c in text)
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def _seen(char: str) -> str:
    return f"<U+{ord(char):04X}>" if is_invisible(char) and ord(char) > 0x7F else " "


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


def limit_text(value: float) -> str:
    """A limit in the shortest way that YAML reads as a number: 1000, 1e11, 2^63 − 1."""
    if isinstance(value, int) and value > 2**53 and (value + 1).bit_count() == 1:
        return f"2^{(value + 1).bit_length() - 1} − 1"
    short = f"{value:g}"
    if float(short) != value:
        short = repr(value)
    mantissa, e, exponent = short.partition("e")
    return f"{mantissa}{e}{int(exponent)}" if e else short

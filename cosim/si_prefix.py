"""Quantities in words: three digits, the prefix of the SI that fits, and the unit."""

from __future__ import annotations

import math

_PREFIXES = {-3: "n", -2: "µ", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T", 5: "P", 6: "E"}


def with_prefix(value: float, unit: str, digits: int = 3) -> str:
    """A quantity to so many significant digits: 5e6 Hz is "5 MHz", 8.123e6 bit "8.12 Mbit".

    Beyond the prefixes it has an exponent; what is not finite is said as Python does.
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    # Rounded first, so that 999.9 k is 1 M and not 1000 k.
    rounded = float(f"{value:.{digits - 1}e}")
    power = math.floor(math.log10(abs(rounded)) / 3 + 1e-12)
    if power not in _PREFIXES:
        return f"{value:.{digits}g} {unit}"
    return f"{rounded / 1000.0**power:.{digits}g} {_PREFIXES[power]}{unit}"


def span(least: float, most: float, unit: str) -> str:
    """From the least to the most, or one quantity where both read the same."""
    ends = [with_prefix(value, unit) for value in (least, most)]
    return " to ".join(dict.fromkeys(ends))

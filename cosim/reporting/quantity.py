"""Numbers as a reader sees them, with the exact value beside the rounded one."""

from __future__ import annotations

import math

from cosim.reporting.markup import Markup, tag


def rounded(value: float | None, digits: int = 3) -> str:
    """A number to so many significant digits, without an exponent; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude < -6:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    decimals = max(digits - 1 - magnitude, 0)
    text = f"{value:,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace(",", "\u202f").replace("-", "−")


def share(part: float, whole: float) -> str:
    """A part of a whole in percent; a dash where there is no whole."""
    return f"{rounded(100 * part / whole, 2)} %" if whole else "–"


def exact(value: float | None, text: str | None = None, unit: str = "") -> Markup:
    """A rounded number with its unit, which carries the exact one for machines."""
    shown = rounded(value) if text is None else text
    words = f"{shown}\u202f{unit}" if unit else shown
    if value is None or math.isnan(value):
        return tag("span", words)
    return tag("data", words, value=repr(float(value)))


def accuracy_text(value: float | None) -> str:
    """An accuracy to three decimals."""
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"

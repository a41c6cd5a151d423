"""Values, texts and paths on the one line of a message."""

from collections.abc import Iterable


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

"""Errors met after a scenario was read, told with the line of the scenario that caused them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cosim.errors import CosimError
from cosim.scenario.document import Document, Loc


@contextmanager
def blaming(document: Document) -> Iterator[None]:
    """Puts `file:line` before errors whose message begins with a path of the scenario."""
    try:
        yield
    except CosimError as error:
        loc = _path_in(str(error), document)
        if loc is None:
            raise
        raise type(error)(f"{document.where(loc)}: {error}") from error


def _path_in(message: str, document: Document) -> Loc | None:
    """The path that a message begins with, if the scenario has its first key."""
    path, colon, _ = message.partition(": ")
    steps: list[str | int] = [int(s) if s.isdigit() else s for s in path.split(".")]
    if not colon or steps[0] not in document.data:
        return None
    return tuple(steps)

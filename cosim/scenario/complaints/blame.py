"""Errors met after a scenario was read, told with the line of the scenario that caused them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cosim.errors import CosimError
from cosim.scenario.complaints.schema_paths import has
from cosim.scenario.reading.document import Document, Loc


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
    steps: list[str | int] = []
    node: Any = document.data
    for step in path.split("."):
        # Only where there is a list do digits count its items; a task may be called 7.
        index = isinstance(node, list) and step.isdecimal() and len(step) < 10
        steps.append(int(step) if index else step)
        node = node[steps[-1]] if has(node, steps[-1]) else None
    return tuple(steps) if colon and steps[0] in document.data else None

"""Where two scenarios differ, path by path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cosim.scenario.reading.one_line import shown


class Absent:
    """The absent stands for a path that one of the two does not have."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()


class Difference(NamedTuple):
    """A difference is one path at which two scenarios hold different values.

    path: as `--set` takes it.
    first, second: what each of the two holds there, `ABSENT` where it has no such path.
    """

    path: str
    first: Any
    second: Any

    def __str__(self) -> str:
        return f"{self.path} is {_said(self.first)} there and {_said(self.second)} here"


def flat(data: Any, path: str = "") -> dict[str, Any]:
    """Dotted path → scalar; empty lists and mappings count as scalars."""
    return dict(_leaves(data, path))


def differences(first: Any, second: Any) -> list[Difference]:
    """Every path at which two nested mappings differ, in the order of the second."""
    before, after = flat(first), flat(second)
    paths = dict.fromkeys((*after, *before))
    triples = ((path, before.get(path, ABSENT), after.get(path, ABSENT)) for path in paths)
    return [Difference(*triple) for triple in triples if triple[1] != triple[2]]


def _leaves(data: Any, path: str) -> Iterator[tuple[str, Any]]:
    steps: Any = ()
    if isinstance(data, Mapping):
        steps = data.items()
    elif isinstance(data, list | tuple):
        steps = enumerate(data)
    if not steps:
        yield path, data
    for step, value in steps:
        yield from _leaves(value, f"{path}.{step}" if path else str(step))


def _said(value: Any) -> str:
    return repr(value) if value is ABSENT else shown(value)
